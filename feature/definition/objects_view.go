package definition

import (
	"fmt"

	"featurestore/feature"

	"github.com/goccy/go-yaml/ast"
)

func (r *reader) view(n ast.Node, ids bool) feature.View {
	v := feature.View{Online: true, Offline: true}
	var single string
	keys := append(r.described(&v.Name, &v.Description, &v.Owner, &v.Tags),
		key{"entity", func(n ast.Node) { single = r.text(n, "driver") }},
		key{"entities", func(n ast.Node) { v.Entities = r.texts(n, "driver") }},
		key{"ttl", func(n ast.Node) { v.TTL = r.duration(n) }},
		key{"features", func(n ast.Node) {
			r.list(n, "[{name: trips, type: int64}]", func(n ast.Node) { v.Fields = append(v.Fields, r.field(n, ids)) })
		}},
		key{"group", func(n ast.Node) { v.Group = r.text(n, "default") }},
		key{"online", func(n ast.Node) { r.boolean(n, &v.Online) }},
		key{"offline", func(n ast.Node) { r.boolean(n, &v.Offline) }},
		key{"push_source", func(n ast.Node) { v.PushSource = r.text(n, "driver_push") }},
		key{"batch_source", func(n ast.Node) { v.BatchSource = r.batchSource(n) }},
		key{"read", func(n ast.Node) { v.Read = r.read(n) }},
		key{"write", func(n ast.Node) { v.Write = r.write(n) }},
		key{"staleness_objective", func(n ast.Node) { v.StalenessObjective = r.duration(n) }},
		key{"max_future", func(n ast.Node) { v.MaxFuture = r.duration(n) }},
		key{"max_lateness", func(n ast.Node) { v.MaxLateness = r.duration(n) }},
	)
	seen := r.object(n, "{name: driver_stats, entity: driver, features: […]}", id(r, keys, ids, 1<<32-1, &v.ID)...)
	r.needs(n, seen, "name", "features")
	_, one := seen["entity"]
	_, many := seen["entities"]
	switch {
	case one && many:
		r.fault(seen["entities"], "entity and entities are both given: write one of them")
	case seen != nil && !one && !many:
		r.fault(n, "key %q is needed", "entity")
	case one:
		v.Entities = []string{single}
	}
	r.declare("view", v.Name, n)
	return v
}

func (r *reader) field(n ast.Node, ids bool) (f feature.Field) {
	if !ids { // what is stored has its rule
		f.Rule = leftToGroup
	}
	var preset ast.Node
	keys := append(r.described(&f.Name, &f.Description, nil, &f.Tags),
		key{"type", func(n ast.Node) { f.Type = r.featureType(n) }},
		key{"conflict", func(n ast.Node) { r.rule(n, &f.Rule) }},
		key{"default", func(n ast.Node) { preset = n }}, // read when the type is known
		key{"renamed_from", func(n ast.Node) { f.RenamedFrom = r.text(n, "old_name") }},
	)
	seen := r.object(n, "{name: trips, type: int64}", id(r, keys, ids, 1<<32-1, &f.ID)...)
	r.needs(n, seen, "name", "type")
	if preset != nil {
		r.within("default", func() { f.Default = r.value(preset, f.Type) })
	}
	return f
}

// leftToGroup is the rule of a feature that names none, until the groups of all
// files are known.
const leftToGroup feature.Rule = 255

func (r *reader) rule(n ast.Node, into *feature.Rule) {
	before := r.count()
	s := r.text(n, "event_time")
	if r.count() > before {
		return
	}
	rule, err := feature.ParseRule(s)
	if err == nil && s == "" {
		err = fmt.Errorf("a conflict rule is wanted, such as event_time: or leave the key out")
	}
	if err != nil {
		r.fault(n, "%v", err)
		return
	}
	*into = rule
}

func (r *reader) batchSource(n ast.Node) *feature.BatchSource {
	if n = r.resolve(n); n == nil || isNull(n) {
		return nil
	}
	var b feature.BatchSource
	seen := r.object(n, "{path: data/*.parquet}",
		key{"path", func(n ast.Node) { b.Path = r.text(n, "data/*.parquet") }},
		key{"event_time", func(n ast.Node) { b.EventTime = r.text(n, "event_timestamp") }},
		key{"created", func(n ast.Node) { b.Created = r.text(n, "created") }},
		key{"columns", func(n ast.Node) { b.Columns = r.tags(n, "{trips: n_trips}") }})
	r.needs(n, seen, "path")
	return &b
}

func (r *reader) group(n ast.Node, ids bool) (g feature.Group) {
	var preset ast.Node
	keys := []key{
		{"name", func(n ast.Node) { g.Name = r.text(n, "default") }},
		{"preset", func(n ast.Node) { preset, g.Preset = n, r.text(n, "mysql") }},
		{"placement", func(n ast.Node) { r.placement(n, &g.Placement) }},
		{"regions", func(n ast.Node) { g.Regions = r.texts(n, "eu") }},
		{"home", func(n ast.Node) { g.Home = r.texts(n, "eu") }},
		{"partitions", func(n ast.Node) { g.Partitions = uint16(r.number(n, feature.MaxPartitions)) }},
		{"durability", func(n ast.Node) { g.Durability = r.text(n, "quorum") }},
		{"conflict", func(n ast.Node) { r.rule(n, &g.Conflict) }},
		{"read", func(n ast.Node) { g.Read = r.read(n) }},
		{"write", func(n ast.Node) { g.Write = r.write(n) }},
	}
	seen := r.object(n, "{name: default}", id(r, keys, ids, 1<<16-1, &g.ID)...)
	r.needs(n, seen, "name")
	r.declare("group", g.Name, n)
	if ids || preset == nil { // what is stored was expanded when it was applied
		return g
	}
	said := func(name string) bool { n, ok := seen[name]; return ok && !isNull(r.resolve(n)) }
	r.within("preset", func() {
		var err error
		if g, err = g.Expand(said("placement"), said("conflict")); err != nil {
			r.fault(preset, "%v", err)
		}
	})
	return g
}

func (r *reader) placement(n ast.Node, into *feature.Placement) {
	before := r.count()
	s := r.text(n, "multi_leader")
	for p := feature.MultiLeader; p <= feature.Leaderless; p++ {
		if p.String() == s {
			*into = p
			return
		}
	}
	if r.count() == before {
		r.fault(n, "placement %q is not known; use one of multi_leader, leader, leaderless", feature.Clip(s))
	}
}

func (r *reader) read(n ast.Node) (d feature.ReadDefaults) {
	if n = r.resolve(n); n == nil || isNull(n) {
		return d
	}
	r.object(n, "{level: session}",
		key{"level", func(n ast.Node) { d.Level = r.text(n, "session") }},
		key{"max_staleness", func(n ast.Node) { d.MaxStaleness = r.duration(n) }},
		key{"read_repair", func(n ast.Node) { d.ReadRepair = r.text(n, "blocking") }},
		key{"at_least", func(n ast.Node) { d.AtLeast = r.text(n, "session") }},
		key{"fallback", func(n ast.Node) { d.Fallback = r.texts(n, `"wait:30ms"`) }})
	return d
}

func (r *reader) write(n ast.Node) (d feature.WriteDefaults) {
	if n = r.resolve(n); n == nil || isNull(n) {
		return d
	}
	r.object(n, "{concern: region_quorum}",
		key{"concern", func(n ast.Node) { d.Concern = r.text(n, "region_quorum") }},
		key{"timeout", func(n ast.Node) { d.Timeout = r.duration(n) }},
		key{"on_timeout", func(n ast.Node) { d.OnTimeout = r.text(n, "error") }},
		key{"at_least", func(n ast.Node) { d.AtLeast = r.text(n, "quorum") }},
		key{"require_live", func(n ast.Node) { d.RequireLive = r.requireLive(n) }})
	return d
}

func (r *reader) requireLive(n ast.Node) (d feature.RequireLive) {
	if n = r.resolve(n); n == nil || isNull(n) {
		return d
	}
	seen := r.object(n, "{members: 1, max_lag: 10s}",
		key{"members", func(n ast.Node) { d.Members = int(r.number(n, feature.MaxRequiredMembers)) }},
		key{"max_lag", func(n ast.Node) { d.MaxLag = r.duration(n) }})
	r.needs(n, seen, "members", "max_lag")
	return d
}
