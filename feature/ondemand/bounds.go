package ondemand

import (
	"fmt"

	"featurestore/feature"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// Some functions make much out of little in one step, before anybody counts:
// s.replace("", s) squares the length of s. They are admitted in the forms
// whose growth can be told from the expression.
const (
	maxGrowth    = 64  // of all replace calls of an expression together
	maxSeparator = 64  // bytes of the separator of join
	maxFormatted = 32  // arguments of format
	maxPattern   = 256 // bytes of a regular expression, or of what indexOf seeks
	// maxInputBytes bounds the inputs of expressions that do more than
	// arithmetic: what one step can make of them fits memory.
	maxInputBytes = 256 << 10
)

// checkBounds returns a fault for each call whose growth cannot be told.
func checkBounds(path, expr string, tree *ast.AST) []feature.Problem {
	var faults []feature.Problem
	growth := 1
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		var why string
		switch args := e.AsCall().Args(); e.AsCall().FunctionName() {
		case "replace":
			from, okFrom := literal(args, 0)
			to, okTo := literal(args, 1)
			if !okFrom || !okTo || from == "" {
				why = `replace takes two texts in quotes, the first not empty, such as s.replace(" ", "_")`
				break
			}
			if growth *= max(1, (len(to)+len(from)-1)/len(from)); growth > maxGrowth {
				growth = maxGrowth + 1
				why = fmt.Sprintf("the replace calls may make a text more than %d times as long", maxGrowth)
			}
		case "join":
			if sep, ok := literal(args, 0); len(args) > 0 && (!ok || len(sep) > maxSeparator) {
				why = fmt.Sprintf("join takes a text in quotes of at most %d bytes", maxSeparator)
			}
		case "format":
			if len(args) != 1 || args[0].Kind() != ast.ListKind || args[0].AsList().Size() > maxFormatted {
				why = fmt.Sprintf(`format takes a list that is written out, with at most %d elements, such as "%%s-%%d".format([a, b])`, maxFormatted)
			}
		case "indexOf", "lastIndexOf":
			if sought, ok := literal(args, 0); !ok || len(sought) > maxPattern {
				why = fmt.Sprintf("%s takes a text in quotes of at most %d bytes", e.AsCall().FunctionName(), maxPattern)
			}
		case "matches":
			if pattern, ok := literal(args, len(args)-1); !ok || len(pattern) > maxPattern {
				why = fmt.Sprintf("matches takes a pattern in quotes of at most %d bytes", maxPattern)
			}
		}
		if why != "" {
			at := tree.SourceInfo().GetStartLocation(e.ID())
			faults = append(faults, feature.Problem{Path: path, Message: place(expr, at.Line(), at.Column()) + why})
		}
	}))
	return faults
}

// literal returns the i-th argument when it is a text in quotes.
func literal(args []ast.Expr, i int) (string, bool) {
	if i < 0 || i >= len(args) || args[i].Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := args[i].AsLiteral().(types.String)
	return string(s), ok
}

// numeric reports whether an expression is a number, so that + takes constant
// time.
func numeric(tree *ast.AST, e ast.Expr) bool {
	switch tree.GetType(e.ID()).Kind() {
	case types.IntKind, types.DoubleKind, types.UintKind:
		return true
	}
	return false
}

// checkSize refuses more input than one step may make more of.
func (r *row) checkSize(f *field) error {
	total := 0
	for _, slot := range f.uses {
		v := value(r.inputs, r.request, slot)
		if v.Shape() == feature.Scalar && (v.Kind() == feature.Bool || v.Kind().Numeric() && v.Kind() != feature.Decimal) {
			continue
		}
		total += len(v.Text())
	}
	if total > maxInputBytes {
		return fmt.Errorf("%d bytes of input, at most %d are computed with", total, maxInputBytes)
	}
	return nil
}
