package ondemand

import (
	"fmt"
	"strings"
	"sync"

	"featurestore/feature"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"
)

// Limits of an expression.
const (
	// CostLimit bounds the steps of one evaluation, as CEL counts them: about
	// one an operation, one an element looped over, one for ten characters.
	CostLimit = 100_000
	// MemoryLimit bounds the elements and characters alive in one evaluation,
	// as CEL counts them.
	MemoryLimit = 1 << 20
	// maxNodes and maxDepth bound the tree of one expression.
	maxNodes = 4096
	maxDepth = 64
)

// language is the environment without variables, which costs a few
// milliseconds to build and never changes.
var language = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		ext.Math(ext.MathVersion(2)),
		ext.Strings(ext.StringsVersion(4), ext.StringsMaxPrecision(32)),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.StrictTimestampParsing(true),
		cel.ParserExpressionSizeLimit(feature.MaxExprBytes),
		cel.ParserRecursionLimit(maxDepth),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ExpressionNestingDepthLimit(maxDepth),
		cel.RegexProgramSizeLimit(500),
	)
})

// variable is what an expression can name.
type variable struct {
	name string
	typ  feature.Type
	what string // "feature driver_stats:trips" or "request field demand"
}

// words are reserved by CEL and cannot name a variable.
var words = map[string]bool{
	"as": true, "break": true, "const": true, "continue": true, "else": true, "false": true, "for": true,
	"function": true, "if": true, "import": true, "in": true, "let": true, "loop": true, "package": true,
	"namespace": true, "null": true, "return": true, "true": true, "var": true, "void": true, "while": true,
}

// environment declares the variables, or names those that cannot be declared.
func environment(vars []variable) (*cel.Env, []feature.Problem) {
	base, err := language()
	if err != nil {
		return nil, []feature.Problem{{Path: "features", Message: err.Error()}}
	}
	var faults []feature.Problem
	seen := map[string]string{}
	opts := make([]cel.EnvOption, 0, len(vars))
	for _, v := range vars {
		path := "inputs"
		if strings.HasPrefix(v.what, "request") {
			path = "request"
		}
		if other, ok := seen[v.name]; ok {
			faults = append(faults, feature.Problem{Path: path,
				Message: fmt.Sprintf("%s and %s are both called %q in expressions: rename one, or leave it out", other, v.what, v.name)})
			continue
		}
		seen[v.name] = v.what
		if words[v.name] || v.name == "" || v.name[0] >= '0' && v.name[0] <= '9' {
			faults = append(faults, feature.Problem{Path: path,
				Message: fmt.Sprintf("%s cannot be named in expressions, where %q is no name: rename it", v.what, v.name)})
			continue
		}
		opts = append(opts, cel.Variable(v.name, celType(v.typ)))
	}
	if len(faults) > 0 {
		return nil, faults
	}
	env, err := base.Extend(opts...)
	if err != nil {
		return nil, []feature.Problem{{Path: "inputs", Message: err.Error()}}
	}
	return env, nil
}
