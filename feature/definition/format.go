package definition

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"time"

	"featurestore/feature"
)

// Format writes d as a document that Parse reads back to d, without ids; nil
// and empty lists are one. Definitions that no document can say (text that is
// not UTF-8, a type without a name) are an error.
func Format(d feature.Definitions) ([]byte, error) {
	var p printer
	if err := checkPrintable(d); err != nil {
		return nil, err
	}
	p.definitions(0, d)
	if err := p.valid(); err != nil {
		return nil, fmt.Errorf("format definitions: %w", err)
	}
	return p.Bytes(), nil
}

func (p *printer) definitions(depth int, d feature.Definitions) {
	p.line(depth, "project: "+must(d.Project))
	section(p, depth, "entities", d.Entities, p.entity)
	section(p, depth, "groups", d.Groups, p.group)
	rules := map[string]feature.Rule{}
	for _, g := range d.Groups {
		rules[g.Name] = g.Conflict
	}
	section(p, depth, "views", d.Views, func(depth int, v feature.View) { p.view(depth, v, rules[v.GroupName()]) })
	section(p, depth, "on_demand", d.OnDemands, p.onDemand)
	section(p, depth, "services", d.Services, p.service)
}

func section[T any](p *printer, depth int, name string, list []T, write func(depth int, o T)) {
	if len(list) == 0 {
		return
	}
	p.line(depth, name+":")
	for _, o := range list {
		write(depth+1, o)
	}
}

// id returns the pair of an id, left out unless ids are written.
func (p *printer) id(n uint32) pair {
	if !p.ids {
		return pair{}
	}
	return pair{"id", number(n)}
}

func (p *printer) entity(depth int, e feature.Entity) {
	var keys []string
	for _, k := range e.JoinKeys {
		keys = append(keys, flow(pair{"name", must(k.Name)}, pair{"type", must(k.Type.String())}))
	}
	p.item(depth, []pair{
		{"name", must(e.Name)}, {"description", text(e.Description)}, {"tags", tags(e.Tags)},
		{"join_keys", orEmpty(sequence(keys))},
	})
}

// orEmpty writes a needed list that has nothing in it.
func orEmpty(s string) string {
	if s == "" {
		return "[]"
	}
	return s
}

func (p *printer) group(depth int, g feature.Group) {
	p.item(depth, []pair{
		{"name", must(g.Name)}, p.id(uint32(g.ID)), {"preset", text(g.Preset)}, {"placement", g.Placement.String()},
		{"regions", texts(g.Regions)}, {"home", texts(g.Home)}, {"partitions", number(g.Partitions)},
		{"durability", text(g.Durability)}, {"conflict", ruleText(g.Conflict, g.Preset == "")}, {"read", readText(g.Read)}, {"write", writeText(g.Write)},
	})
}

// ruleText writes a rule; event_time is left out where that is what none means.
func ruleText(r feature.Rule, leave bool) string {
	if leave && r == feature.EventTime {
		return ""
	}
	return r.String()
}

func readText(r feature.ReadDefaults) string {
	return flow(pair{"level", text(r.Level)}, pair{"max_staleness", duration(r.MaxStaleness)},
		pair{"read_repair", text(r.ReadRepair)}, pair{"at_least", text(r.AtLeast)}, pair{"fallback", texts(r.Fallback)})
}

func writeText(w feature.WriteDefaults) string {
	return flow(pair{"concern", text(w.Concern)}, pair{"timeout", duration(w.Timeout)}, pair{"on_timeout", text(w.OnTimeout)},
		pair{"at_least", text(w.AtLeast)},
		pair{"require_live", requireText(w.RequireLive)})
}

func requireText(r feature.RequireLive) string {
	if r == (feature.RequireLive{}) {
		return ""
	}
	return flow(pair{"members", strconv.Itoa(r.Members)}, pair{"max_lag", must(duration(r.MaxLag))})
}

func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return formatDuration(d)
}

// view writes a view of a group whose rule is of: what its features leave out.
func (p *printer) view(depth int, v feature.View, of feature.Rule) {
	entity, entities := "", orEmpty(texts(v.Entities))
	if len(v.Entities) == 1 {
		entity, entities = must(v.Entities[0]), ""
	}
	p.item(depth, []pair{
		{"name", must(v.Name)}, p.id(uint32(v.ID)), {"description", text(v.Description)}, {"owner", text(v.Owner)}, {"tags", tags(v.Tags)},
		{"entity", entity}, {"entities", entities}, {"ttl", duration(v.TTL)}, {"group", text(v.Group)},
		{"online", falseText(v.Online)}, {"offline", falseText(v.Offline)}, {"push_source", text(v.PushSource)},
		{"batch_source", sourceText(v.BatchSource)}, {"read", readText(v.Read)}, {"write", writeText(v.Write)},
		{"staleness_objective", duration(v.StalenessObjective)}, {"max_future", duration(v.MaxFuture)}, {"max_lateness", duration(v.MaxLateness)},
	})
	if len(v.Fields) == 0 {
		p.line(depth+1, "features: []")
		return
	}
	p.line(depth+1, "features:")
	for _, f := range v.Fields {
		p.line(depth+2, "- "+p.field(f, of))
	}
}

// falseText writes what is true unless said.
func falseText(b bool) string {
	if b {
		return ""
	}
	return "false"
}

func sourceText(b *feature.BatchSource) string {
	if b == nil {
		return ""
	}
	return flow(pair{"path", must(b.Path)}, pair{"event_time", text(b.EventTime)}, pair{"created", text(b.Created)}, pair{"columns", tags(b.Columns)})
}

func (p *printer) field(f feature.Field, of feature.Rule) string {
	conflict := ruleText(f.Rule, of == feature.EventTime)
	return flow(pair{"name", must(f.Name)}, p.id(uint32(f.ID)), pair{"type", must(f.Type.String())}, pair{"conflict", conflict},
		pair{"default", valueText(f.Default)}, pair{"description", text(f.Description)}, pair{"tags", tags(f.Tags)},
		pair{"renamed_from", text(f.RenamedFrom)})
}

func (p *printer) onDemand(depth int, o feature.OnDemand) {
	var request []string
	for _, f := range o.Request {
		request = append(request, flow(pair{"name", must(f.Name)}, pair{"type", must(f.Type.String())}))
	}
	p.item(depth, []pair{
		{"name", must(o.Name)}, {"description", text(o.Description)}, {"owner", text(o.Owner)}, {"tags", tags(o.Tags)},
		{"inputs", references(o.Inputs)}, {"request", sequence(request)},
	})
	if len(o.Fields) == 0 {
		p.line(depth+1, "features: []")
		return
	}
	p.line(depth+1, "features:")
	for _, c := range o.Fields {
		p.line(depth+2, "- "+flow(pair{"name", must(c.Name)}, pair{"type", must(c.Type.String())}, pair{"expr", quote(c.Expr)},
			pair{"description", text(c.Description)}))
	}
}

func (p *printer) service(depth int, s feature.Service) {
	p.item(depth, []pair{
		{"name", must(s.Name)}, {"description", text(s.Description)}, {"owner", text(s.Owner)}, {"tags", tags(s.Tags)},
		{"features", orEmpty(references(s.Features))},
	})
}

func references(refs []feature.Reference) string {
	var out []string
	for _, r := range refs {
		out = append(out, quote(r.String()))
	}
	return sequence(out)
}

// valueText writes a default, "" for none.
func valueText(v feature.Value) string {
	if v.IsNull() {
		return ""
	}
	if v.Shape() != feature.Scalar {
		var elems []string
		for e := range v.Elems() {
			elems = append(elems, valueText(e))
		}
		return orEmpty(sequence(elems))
	}
	switch v.Kind() {
	case feature.Int32, feature.Int64, feature.Bool:
		return v.String()
	case feature.Float32, feature.Float64:
		return floatText(v)
	case feature.Bytes:
		return quote(base64.StdEncoding.EncodeToString([]byte(v.Text())))
	case feature.String, feature.JSON:
		return quote(v.Text())
	}
	return quote(v.String()) // timestamp, uuid, decimal
}

func floatText(v feature.Value) string {
	f := v.Float()
	switch {
	case math.IsNaN(f):
		return ".nan"
	case math.IsInf(f, 0):
		return map[bool]string{true: ".inf", false: "-.inf"}[f > 0]
	}
	bits := 64
	if v.Kind() == feature.Float32 {
		bits = 32
	}
	return strconv.FormatFloat(f, 'g', -1, bits)
}
