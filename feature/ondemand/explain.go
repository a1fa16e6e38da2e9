package ondemand

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"featurestore/feature"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"
)

var (
	noOverload = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*)'$`)
	undeclared = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	wrapped    = regexp.MustCompile(`wrapper\((\w+)\)`)
)

// explain turns the compiler's issues into problems that say what to write.
// Parsed is nil when the expression does not parse.
func explain(path, expr string, issues *cel.Issues, parsed *cel.Ast, slots map[string]int) []feature.Problem {
	const most = 10
	var out []feature.Problem
	for i, e := range issues.Errors() {
		if i == most {
			break
		}
		message := e.Message
		if m := noOverload.FindStringSubmatch(message); m != nil {
			message = fmt.Sprintf("%s does not take %s", operatorName(m[1]), wrapped.ReplaceAllString(m[2], "$1"))
			if parsed != nil {
				message += mixed(parsed, e.ExprID, m[2])
			}
		} else if m := undeclared.FindStringSubmatch(message); m != nil {
			message = fmt.Sprintf("%q is no input, no request field and no function", m[1])
			if names := slices.Sorted(maps.Keys(slots)); len(names) > 0 {
				message += "; inputs and request fields are " + strings.Join(names, ", ")
			}
		}
		out = append(out, feature.Problem{Path: path, Message: place(expr, e.Location.Line(), e.Location.Column()) + message})
	}
	return out
}

// place names the column, and the line when there are several. Columns count
// characters from 1.
func place(expr string, line, column int) string {
	switch {
	case line < 1:
		return ""
	case strings.Contains(strings.TrimSpace(expr), "\n"):
		return fmt.Sprintf("line %d, column %d: ", line, column+1)
	}
	return fmt.Sprintf("column %d: ", column+1)
}

func operatorName(name string) string {
	if trimmed := strings.Trim(name, "_@"); trimmed != "" {
		return trimmed
	}
	return name
}

// mixed says how to write arithmetic that mixes int and double, "" for
// anything else.
func mixed(parsed *cel.Ast, id int64, operands string) string {
	sides := strings.Split(strings.Trim(wrapped.ReplaceAllString(operands, "$1"), "()"), ", ")
	if len(sides) != 2 || !slices.Contains(sides, "int") || !slices.Contains(sides, "double") {
		return ""
	}
	tree := parsed.NativeRep()
	var call ast.Expr
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.ID() == id && e.Kind() == ast.CallKind {
			call = e
		}
	}))
	if call == nil || len(call.AsCall().Args()) != 2 {
		return ""
	}
	var parts [2]string
	for i, arg := range call.AsCall().Args() {
		text, err := parser.Unparse(arg, tree.SourceInfo())
		if err != nil {
			return ""
		}
		switch {
		case sides[i] == "double":
			parts[i] = parenthesized(arg, text)
		case arg.Kind() == ast.LiteralKind:
			parts[i] = text + ".0"
		default:
			parts[i] = "double(" + text + ")"
		}
	}
	return fmt.Sprintf(": write %s %s %s", parts[0], operatorName(call.AsCall().FunctionName()), parts[1])
}

func parenthesized(e ast.Expr, text string) string {
	if e.Kind() == ast.CallKind && strings.Contains(text, " ") {
		return "(" + text + ")"
	}
	return text
}

// typeName prints a type as expressions know it.
func typeName(t *cel.Type) string {
	switch t.Kind() {
	case types.TimestampKind:
		return "timestamp"
	case types.DurationKind:
		return "duration"
	}
	return wrapped.ReplaceAllString(t.String(), "$1")
}
