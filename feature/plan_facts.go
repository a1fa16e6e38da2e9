package feature

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Descriptions of the objects of definitions for diff. What is left out of
// definitions reads like its default, so that writing a default out is no
// change.

func groupFacts(g *Group) facts {
	out := facts{name: g.Name}
	out.add("preset", g.Preset)
	out.add("placement", g.Placement.String())
	out.add("regions", listText(slices.Sorted(slices.Values(g.Regions))))
	out.add("home", listText(g.Home))
	out.add("partitions", strconv.Itoa(int(max(g.Partitions, 1))))
	out.add("durability", g.Durability)
	out.add("conflict", g.Conflict.String())
	out.defaults(g.Read, g.Write)
	return out
}

func (f *facts) defaults(r ReadDefaults, w WriteDefaults) {
	f.add("read.level", r.Level)
	f.add("read.max_staleness", durationText(r.MaxStaleness))
	f.add("read.read_repair", r.ReadRepair)
	f.add("read.at_least", r.AtLeast)
	f.add("read.fallback", listText(r.Fallback))
	f.add("write.concern", w.Concern)
	f.add("write.timeout", durationText(w.Timeout))
	f.add("write.on_timeout", w.OnTimeout)
	f.add("write.at_least", w.AtLeast)
	f.add("write.require_live", requireText(w.RequireLive))
}

func requireText(r RequireLive) string {
	if r == (RequireLive{}) {
		return ""
	}
	return fmt.Sprintf("{members: %d, max_lag: %v}", r.Members, r.MaxLag)
}

func entityFacts(e *Entity) facts {
	out := facts{name: e.Name}
	keys := make([]string, len(e.JoinKeys))
	for i, k := range e.JoinKeys {
		keys[i] = k.Name + " " + k.Type.String()
	}
	slices.Sort(keys)
	out.add("join_keys", listText(keys))
	out.add("description", quoted(e.Description))
	out.add("tags", tagsText(e.Tags))
	return out
}

func viewFacts(v *ResolvedView) facts {
	out := facts{name: v.Name}
	out.add("entities", listText(slices.Sorted(slices.Values(v.Entities))))
	out.add("ttl", durationText(v.TTL))
	out.add("group", v.Group.Name)
	out.add("online", strconv.FormatBool(v.Online))
	out.add("offline", strconv.FormatBool(v.Offline))
	out.add("push_source", v.PushSource)
	out.add("batch_source", sourceText(v.BatchSource))
	out.defaults(v.Read, v.Write)
	out.add("staleness_objective", durationText(v.StalenessObjective))
	future := v.MaxFuture
	if future == 0 {
		future = DefaultMaxFuture
	}
	out.add("max_future", durationText(future))
	out.add("max_lateness", durationText(v.MaxLateness))
	out.described(v.Description, v.Owner, v.Tags)
	return out
}

func (f *facts) described(description, owner string, tags map[string]string) {
	f.add("description", quoted(description))
	f.add("owner", quoted(owner))
	f.add("tags", tagsText(tags))
}

func onDemandFacts(o *OnDemand) facts {
	out := facts{name: o.Name}
	out.add("inputs", listText(refTexts(o.Inputs)))
	var request []string
	for _, r := range o.Request {
		request = append(request, r.Name+" "+r.Type.String())
	}
	out.add("request", listText(request))
	// One fact a feature: a changed expression shows alone.
	var names []string
	for _, c := range o.Fields {
		names = append(names, c.Name)
		text := c.Type.String() + " " + strconv.Quote(c.Expr)
		if c.Description != "" {
			text += " " + strconv.Quote(c.Description)
		}
		out.add("features["+c.Name+"]", text)
	}
	out.add("features", listText(names))
	out.described(o.Description, o.Owner, o.Tags)
	return out
}

func serviceFacts(s *Service) facts {
	out := facts{name: s.Name}
	out.add("features", listText(refTexts(s.Features)))
	out.described(s.Description, s.Owner, s.Tags)
	return out
}

func refTexts(refs []Reference) []string {
	out := make([]string, len(refs))
	for i, r := range refs {
		out[i] = r.String()
	}
	return out
}

func listText(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return "[" + strings.Join(list, ", ") + "]"
}

func tagsText(tags map[string]string) string {
	if len(tags) == 0 {
		return ""
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, strconv.Quote(k)+": "+strconv.Quote(tags[k]))
	}
	return "{" + strings.Join(out, ", ") + "}"
}

func durationText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func sourceText(b *BatchSource) string {
	if b == nil {
		return ""
	}
	out := []string{"path: " + strconv.Quote(b.Path)}
	if b.EventTime != "" && b.EventTime != DefaultEventTimeColumn {
		out = append(out, "event_time: "+strconv.Quote(b.EventTime))
	}
	if b.Created != "" {
		out = append(out, "created: "+strconv.Quote(b.Created))
	}
	if len(b.Columns) > 0 {
		out = append(out, "columns: "+tagsText(b.Columns))
	}
	return "{" + strings.Join(out, ", ") + "}"
}

// valueText prints a value so that different values print differently.
func valueText(v Value) string {
	switch {
	case v.IsNull():
		return ""
	case v.Shape() != Scalar:
		var elems []string
		for e := range v.Elems() {
			elems = append(elems, valueText(e))
		}
		return "[" + strings.Join(elems, ", ") + "]"
	case v.Kind() == String || v.Kind() == JSON:
		return strconv.Quote(v.Text())
	case v.Kind() == Bytes:
		return "0x" + v.String()
	}
	return v.String()
}
