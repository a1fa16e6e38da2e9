package ondemand

import (
	"fmt"
	"slices"

	"featurestore/feature"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// Compile makes a program of an on-demand view. InputType gives the types of
// stored features; its error is the fault of that input. The error is a
// *feature.InvalidError that lists every fault with its feature and column.
func Compile(o feature.OnDemand, inputType func(feature.Reference) (feature.Type, error)) (*Program, error) {
	p, faults := compile(o, inputType)
	if len(faults) > 0 {
		for i := range faults {
			faults[i].Path = "on_demand[" + o.Name + "]." + faults[i].Path
		}
		return nil, &feature.InvalidError{Problems: faults}
	}
	return p, nil
}

// Check is Compile for feature.Checks: it returns the faults alone, with paths
// relative to the view.
func Check(o feature.OnDemand, inputType func(feature.Reference) (feature.Type, error)) []feature.Problem {
	_, faults := compile(o, inputType)
	return faults
}

func compile(o feature.OnDemand, inputType func(feature.Reference) (feature.Type, error)) (*Program, []feature.Problem) {
	var faults []feature.Problem
	var vars []variable
	for _, ref := range o.Inputs {
		t, err := inputType(ref)
		if err != nil {
			faults = append(faults, feature.Problem{Path: "inputs", Message: err.Error()})
			continue
		}
		vars = append(vars, variable{name: ref.Feature, typ: t, what: "feature " + ref.String()})
	}
	for _, r := range o.Request {
		vars = append(vars, variable{name: r.Name, typ: r.Type, what: "request field " + r.Name})
	}
	if len(faults) > 0 {
		return nil, faults
	}
	env, faults := environment(vars)
	if len(faults) > 0 {
		return nil, faults
	}
	p := newProgram(o.Name, len(o.Inputs), vars)
	for _, c := range o.Fields {
		f, found := compileField(env, c, p.slots)
		faults = append(faults, found...)
		p.fields = append(p.fields, f)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return p, nil
}

func compileField(env *cel.Env, c feature.Computed, slots map[string]int) (field, []feature.Problem) {
	path := "features[" + c.Name + "].expr"
	one := func(format string, args ...any) []feature.Problem {
		return []feature.Problem{{Path: path, Message: fmt.Sprintf(format, args...)}}
	}
	parsed, issues := env.Parse(c.Expr)
	if issues.Err() != nil {
		return field{}, explain(path, c.Expr, issues, nil, slots)
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return field{}, explain(path, c.Expr, issues, parsed, slots)
	}
	if out := checked.OutputType(); !resultFits(out, c.Type) {
		return field{}, one("the result is %s, but the feature is %s: %s", typeName(out), c.Type, wayOut(c.Type))
	}
	if faults := checkBounds(path, c.Expr, checked.NativeRep()); len(faults) > 0 {
		return field{}, faults
	}
	work := examine(checked.NativeRep(), slots)
	f := field{name: c.Name, typ: c.Type, uses: work.uses, strict: work.strict, cheap: work.cheap}
	opts := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if !work.cheap {
		opts = append(opts, cel.CostLimit(CostLimit), cel.MemoryLimit(MemoryLimit))
	}
	var err error
	if f.program, err = env.Program(checked, opts...); err != nil {
		return field{}, one("%v", err)
	}
	return f, nil
}

// nature is what can be told of an expression without running it.
type nature struct {
	uses []int // the variables it names, by slot
	// strict: a null in any of them makes the result null.
	strict bool
	// cheap: its work is a constant number of steps, so nobody needs to count.
	cheap bool
}

// strictCalls have no result for a null, and a constant cost.
var strictCalls = map[string]bool{
	operators.Add: true, operators.Subtract: true, operators.Multiply: true, operators.Divide: true,
	operators.Modulo: true, operators.Negate: true, operators.Less: true, operators.LessEquals: true,
	operators.Greater: true, operators.GreaterEquals: true, operators.LogicalNot: true,
	"int": true, "double": true,
}

// cheapCalls cost little besides, but may be given nulls.
var cheapCalls = map[string]bool{
	operators.Conditional: true, operators.LogicalAnd: true, operators.LogicalOr: true,
	operators.Equals: true, operators.NotEquals: true, operators.Index: true, operators.In: true,
	"dyn": true, "size": true, "string": true, "timestamp": true, "bool": true,
	"math.@max": true, "math.@min": true, "math.abs": true, "math.ceil": true, "math.floor": true,
	"math.round": true, "math.trunc": true, "math.sign": true, "math.sqrt": true,
	"math.isNaN": true, "math.isInf": true, "math.isFinite": true,
	"getFullYear": true, "getMonth": true, "getDayOfWeek": true, "getDayOfMonth": true, "getHours": true,
	"getMinutes": true, "getSeconds": true,
}

func examine(tree *ast.AST, slots map[string]int) nature {
	n := nature{strict: true, cheap: true}
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.IdentKind:
			if slot, ok := slots[e.AsIdent()]; ok && !slices.Contains(n.uses, slot) {
				n.uses = append(n.uses, slot)
			}
		case ast.CallKind:
			name := e.AsCall().FunctionName()
			n.strict = n.strict && strictCalls[name]
			n.cheap = n.cheap && (strictCalls[name] && (name != operators.Add || numeric(tree, e)) || cheapCalls[name])
		case ast.LiteralKind:
		case ast.ListKind, ast.SelectKind, ast.MapKind:
			n.strict = false
		default:
			n.strict, n.cheap = false, false
		}
	}))
	return n
}
