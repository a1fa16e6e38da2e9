package definition

import (
	"strconv"
	"strings"

	"featurestore/feature"

	"github.com/goccy/go-yaml/ast"
)

// text reads a text. Numbers and the like must be quoted: 010 and 1.0 would
// not come back as they were written.
func (r *reader) text(n ast.Node, example string) string {
	n = r.resolve(n)
	switch s := n.(type) {
	case nil:
		return ""
	case *ast.StringNode:
		return s.Value
	case *ast.LiteralNode:
		return s.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		r.fault(n, "a text is wanted, such as %s: put %s in quotes", example, feature.Clip(n.GetToken().Value))
		return ""
	}
	r.fault(n, "a text is wanted, such as %s, not %s", example, describe(n))
	return ""
}

func (r *reader) texts(n ast.Node, example string) []string {
	var out []string
	r.list(n, "["+example+"]", func(e ast.Node) { out = append(out, r.text(e, example)) })
	return out
}

func (r *reader) boolean(n ast.Node, into *bool) {
	n = r.resolve(n)
	switch b := n.(type) {
	case nil:
	case *ast.BoolNode:
		*into = b.Value
	default:
		r.fault(n, "true or false is wanted, not %s", describe(n))
	}
}

// number reads a decimal integer of at most limit.
func (r *reader) number(n ast.Node, limit uint64) uint64 {
	n = r.resolve(n)
	if n == nil {
		return 0
	}
	if i, ok := n.(*ast.IntegerNode); ok {
		if v, err := strconv.ParseUint(i.GetToken().Value, 10, 64); err == nil && v <= limit {
			return v
		}
	}
	r.fault(n, "a whole number from 0 to %d is wanted, not %s", limit, describe(n))
	return 0
}

// tags reads names and texts.
func (r *reader) tags(n ast.Node, example string) map[string]string {
	if n = r.resolve(n); n == nil || isNull(n) {
		return nil
	}
	pairs, ok := r.entries(n, example)
	if !ok || len(pairs) == 0 {
		return nil
	}
	out := make(map[string]string, len(pairs))
	for _, p := range pairs {
		name, ok := r.keyName(p.Key)
		if !ok {
			continue
		}
		if _, twice := out[name]; twice {
			r.fault(p.Key, "key %q stands twice", feature.Clip(name))
			continue
		}
		r.within(feature.Clip(name), func() { out[name] = r.text(p.Value, "prod") })
	}
	return out
}

func (r *reader) featureType(n ast.Node) feature.Type {
	before := r.count()
	s := r.text(n, "int64")
	if r.count() > before {
		return feature.Type{}
	}
	t, err := feature.ParseType(s)
	switch {
	case err != nil && strings.HasPrefix(s, "vector<") && !strings.HasSuffix(s, ">"):
		r.fault(n, `%q breaks off: between { and }, a type with a comma needs quotes, such as "vector<float32,64>"`, feature.Clip(s))
	case err != nil:
		r.fault(n, "%v", err)
	}
	return t
}

func (r *reader) reference(n ast.Node) feature.Reference {
	before := r.count()
	s := r.text(n, `"driver_stats:trips"`)
	view, name, ok := strings.Cut(s, ":")
	if (!ok || view == "" || name == "" || strings.Contains(name, ":")) && r.count() == before {
		r.fault(n, `%q is not a reference: write "view:feature", such as "driver_stats:trips"`, feature.Clip(s))
	}
	return feature.Reference{View: view, Feature: name}
}

func (r *reader) references(n ast.Node) []feature.Reference {
	var out []feature.Reference
	r.list(n, `["driver_stats:trips"]`, func(e ast.Node) { out = append(out, r.reference(e)) })
	return out
}
