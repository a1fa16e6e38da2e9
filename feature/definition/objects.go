package definition

import (
	"featurestore/feature"

	"github.com/goccy/go-yaml/ast"
)

// The shapes of the format, one function a mapping. With ids, they take the
// ids too that only a stored registry has.

func (r *reader) definitions(n ast.Node, ids bool) (feature.Definitions, map[string]ast.Node) {
	var d feature.Definitions
	seen := r.object(n, "project: rides",
		key{"project", func(n ast.Node) { d.Project = r.text(n, "rides") }},
		key{"entities", func(n ast.Node) {
			r.list(n, "[{name: driver, join_keys: […]}]", func(n ast.Node) { d.Entities = append(d.Entities, r.entity(n)) })
		}},
		key{"groups", func(n ast.Node) {
			r.list(n, "[{name: default}]", func(n ast.Node) { d.Groups = append(d.Groups, r.group(n, ids)) })
		}},
		key{"views", func(n ast.Node) {
			r.list(n, "[{name: driver_stats, …}]", func(n ast.Node) { d.Views = append(d.Views, r.view(n, ids)) })
		}},
		key{"on_demand", func(n ast.Node) {
			r.list(n, "[{name: surge, …}]", func(n ast.Node) { d.OnDemands = append(d.OnDemands, r.onDemand(n)) })
		}},
		key{"services", func(n ast.Node) {
			r.list(n, "[{name: driver_v1, features: […]}]", func(n ast.Node) { d.Services = append(d.Services, r.service(n)) })
		}},
	)
	return d, seen
}

// described returns the keys that say what an object is and whose.
func (r *reader) described(name, description, owner *string, tags *map[string]string) []key {
	keys := []key{
		{"name", func(n ast.Node) { *name = r.text(n, "driver") }},
		{"description", func(n ast.Node) { *description = r.text(n, "what it is") }},
	}
	if owner != nil {
		keys = append(keys, key{"owner", func(n ast.Node) { *owner = r.text(n, "team@example.com") }})
	}
	if tags != nil {
		keys = append(keys, key{"tags", func(n ast.Node) { *tags = r.tags(n, "{tier: prod}") }})
	}
	return keys
}

func id[T ~uint16 | ~uint32](r *reader, keys []key, ids bool, limit uint64, into *T) []key {
	if !ids {
		return keys
	}
	return append(keys, key{"id", func(n ast.Node) { *into = T(r.number(n, limit)) }})
}

// needs reports each missing key.
func (r *reader) needs(n ast.Node, seen map[string]ast.Node, names ...string) {
	if seen == nil {
		return
	}
	for _, name := range names {
		if _, ok := seen[name]; !ok {
			r.fault(n, "key %q is needed", name)
		}
	}
}

func (r *reader) entity(n ast.Node) (e feature.Entity) {
	seen := r.object(n, "{name: driver, join_keys: […]}", append(r.described(&e.Name, &e.Description, nil, &e.Tags),
		key{"join_keys", func(n ast.Node) {
			r.list(n, "[{name: driver_id, type: int64}]", func(n ast.Node) {
				var k feature.JoinKey
				k.Name, k.Type = r.nameType(n)
				e.JoinKeys = append(e.JoinKeys, k)
			})
		}})...)
	r.needs(n, seen, "name", "join_keys")
	r.declare("entity", e.Name, n)
	return e
}

func (r *reader) nameType(n ast.Node) (name string, t feature.Type) {
	seen := r.object(n, "{name: driver_id, type: int64}",
		key{"name", func(n ast.Node) { name = r.text(n, "driver_id") }},
		key{"type", func(n ast.Node) { t = r.featureType(n) }})
	r.needs(n, seen, "name", "type")
	return name, t
}

func (r *reader) service(n ast.Node) (s feature.Service) {
	seen := r.object(n, "{name: driver_v1, features: […]}", append(r.described(&s.Name, &s.Description, &s.Owner, &s.Tags),
		key{"features", func(n ast.Node) { s.Features = r.references(n) }})...)
	r.needs(n, seen, "name", "features")
	r.declare("service", s.Name, n)
	return s
}

func (r *reader) onDemand(n ast.Node) (o feature.OnDemand) {
	seen := r.object(n, "{name: surge, inputs: […], features: […]}", append(r.described(&o.Name, &o.Description, &o.Owner, &o.Tags),
		key{"inputs", func(n ast.Node) { o.Inputs = r.references(n) }},
		key{"request", func(n ast.Node) {
			r.list(n, "[{name: demand, type: float64}]", func(n ast.Node) {
				var f feature.RequestField
				f.Name, f.Type = r.nameType(n)
				o.Request = append(o.Request, f)
			})
		}},
		key{"features", func(n ast.Node) {
			r.list(n, `[{name: score, type: float64, expr: "a * b"}]`, func(n ast.Node) { o.Fields = append(o.Fields, r.computed(n)) })
		}})...)
	r.needs(n, seen, "name", "features")
	r.declare("view", o.Name, n)
	return o
}

func (r *reader) computed(n ast.Node) (c feature.Computed) {
	seen := r.object(n, `{name: score, type: float64, expr: "a * b"}`, append(r.described(&c.Name, &c.Description, nil, nil),
		key{"type", func(n ast.Node) { c.Type = r.featureType(n) }},
		key{"expr", func(n ast.Node) { c.Expr = r.text(n, `"conv_rate * demand"`) }})...)
	r.needs(n, seen, "name", "type", "expr")
	return c
}
