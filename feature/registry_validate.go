package feature

import (
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// validator finds the faults of one project's definitions by themselves. What
// depends on the definitions before is checked by assign and checkCompatible.
type validator struct {
	problems
	d         Definitions
	checks    Checks
	groups    map[string]*Group
	entities  map[string]*Entity
	views     map[string]*View
	onDemands map[string]*OnDemand
	// types are the declared features by view, stored and computed.
	types map[string]map[string]Type
}

// validate returns every fault of d.
func validate(d Definitions, checks Checks) problems {
	v := &validator{
		d: d, checks: checks,
		groups: map[string]*Group{}, entities: map[string]*Entity{},
		views: map[string]*View{}, onDemands: map[string]*OnDemand{},
		types: map[string]map[string]Type{},
	}
	if d.Project == "" {
		v.add("project", "a project needs a name, such as rides")
	} else {
		v.name("project", d.Project)
	}
	v.index()
	for i := range d.Groups {
		v.group(&d.Groups[i])
	}
	for i := range d.Entities {
		v.entity(&d.Entities[i])
	}
	for i := range d.Views {
		v.view(&d.Views[i])
	}
	for i := range d.OnDemands {
		v.onDemand(&d.OnDemands[i])
	}
	v.services()
	return v.problems
}

// index checks counts, names and duplicates, and makes references resolvable.
func (v *validator) index() {
	v.count("groups", len(v.d.Groups), MaxGroups)
	v.count("entities", len(v.d.Entities), MaxEntities)
	v.count("views", len(v.d.Views), MaxViews)
	v.count("on_demand", len(v.d.OnDemands), MaxOnDemands)
	v.count("services", len(v.d.Services), MaxServices)
	for i := range v.d.Groups {
		put(v, v.groups, "groups", i, v.d.Groups[i].Name, &v.d.Groups[i])
	}
	for i := range v.d.Entities {
		put(v, v.entities, "entities", i, v.d.Entities[i].Name, &v.d.Entities[i])
	}
	for i := range v.d.Views {
		put(v, v.views, "views", i, v.d.Views[i].Name, &v.d.Views[i])
	}
	for i := range v.d.OnDemands {
		name := v.d.OnDemands[i].Name
		put(v, v.onDemands, "on_demand", i, name, &v.d.OnDemands[i])
		if _, ok := v.views[name]; ok {
			v.add(at("on_demand", name), "a view has that name already: references could not tell them apart")
		}
	}
	for name, view := range v.views {
		types := make(map[string]Type, len(view.Fields))
		for _, f := range view.Fields {
			types[f.Name] = f.Type
		}
		v.types[name] = types
	}
	for name, o := range v.onDemands {
		if _, ok := v.views[name]; ok {
			continue
		}
		types := make(map[string]Type, len(o.Fields))
		for _, f := range o.Fields {
			types[f.Name] = f.Type
		}
		v.types[name] = types
	}
	services := map[string]*Service{}
	for i := range v.d.Services {
		put(v, services, "services", i, v.d.Services[i].Name, &v.d.Services[i])
	}
}

func put[T any](v *validator, into map[string]*T, kind string, i int, name string, o *T) {
	if name == "" {
		v.add(fmt.Sprintf("%s[%d].name", kind, i), "a name is needed: letters, digits and _")
		return
	}
	v.name(at(kind, name)+".name", name)
	if _, ok := into[name]; ok {
		v.add(at(kind, name), "declared twice: names are unique within %s", kind)
		return
	}
	into[name] = o
}

func (v *validator) count(path string, n, limit int) {
	if n > limit {
		v.add(path, "%d declared, at most %d are possible", n, limit)
	}
}

func at(kind, name string) string { return kind + "[" + Clip(name) + "]" }

// name wants letters, digits and _: what fits column names, URLs and file
// names everywhere.
func (v *validator) name(path, name string) { v.word(path, name, false) }

// region names may have hyphens too, as clouds write them.
func (v *validator) region(path, name string) { v.word(path, name, true) }

func (v *validator) word(path, name string, hyphen bool) {
	if len(name) > MaxNameBytes {
		v.add(path, "a name of %d bytes: at most %d are possible", len(name), MaxNameBytes)
		return
	}
	for _, c := range name {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', hyphen && c == '-':
			continue
		}
		v.add(path, "%q is not a name: letters, digits and _%s only", Clip(name), map[bool]string{true: " and -"}[hyphen])
		return
	}
	if name == "" {
		v.add(path, "a name is needed: letters, digits and _")
	}
}

// unique adds a fault for each repeated entry of a list.
func (v *validator) unique(path string, list []string) {
	seen := map[string]bool{}
	for _, s := range list {
		if seen[s] {
			v.add(path, "%q stands twice", Clip(s))
		}
		seen[s] = true
	}
}

func (v *validator) text(path, s string) {
	switch {
	case len(s) > MaxTextBytes:
		v.add(path, "%d bytes: at most %d are possible", len(s), MaxTextBytes)
	case !utf8.ValidString(s):
		v.add(path, "not valid UTF-8")
	}
}

func (v *validator) described(path, description, owner string, tags map[string]string) {
	v.text(path+".description", description)
	v.text(path+".owner", owner)
	if len(tags) > MaxTags {
		v.add(path+".tags", "%d tags, at most %d are possible", len(tags), MaxTags)
	}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		switch val := tags[k]; {
		case k == "":
			v.add(path+".tags", "a tag has no name")
		case len(k) > MaxTagBytes || len(val) > MaxTagBytes:
			v.add(path+".tags["+Clip(k)+"]", "name and value have at most %d bytes each", MaxTagBytes)
		case !utf8.ValidString(k) || !utf8.ValidString(val):
			v.add(path+".tags["+Clip(k)+"]", "not valid UTF-8")
		}
	}
}

func (v *validator) duration(path string, d time.Duration) {
	switch {
	case d < 0:
		v.add(path, "%v is negative: leave it out, or write a duration such as 24h", d)
	case d > maxDuration:
		v.add(path, "%v is more than %v", d, maxDuration)
	}
}

func (v *validator) settings(path string, r ReadDefaults, w WriteDefaults) {
	v.consistency(path, "read.level", r.Level)
	v.consistency(path, "read.read_repair", r.ReadRepair)
	v.consistency(path, "read.at_least", r.AtLeast)
	v.duration(path+".read.max_staleness", r.MaxStaleness)
	if len(r.Fallback) > MaxFallback {
		v.add(path+".read.fallback", "%d steps, at most %d are possible", len(r.Fallback), MaxFallback)
		return
	}
	for _, step := range r.Fallback {
		if step == "" {
			v.add(path+".read.fallback", "a step is empty: write wait:30ms, forward, degrade or fail")
		}
		v.consistency(path, "read.fallback", step)
	}
	if v.checks.Reads != nil {
		if err := v.checks.Reads(r); err != nil {
			v.add(path+".read", "%v", err)
		}
	}
	v.consistency(path, "write.concern", w.Concern)
	v.duration(path+".write.timeout", w.Timeout)
	v.consistency(path, "write.on_timeout", w.OnTimeout)
	v.consistency(path, "write.at_least", w.AtLeast)
	v.requireLive(path+".write.require_live", w.RequireLive)
}

func (v *validator) requireLive(path string, r RequireLive) {
	if r == (RequireLive{}) {
		return
	}
	if r.Members < 1 || r.Members > MaxRequiredMembers {
		v.add(path+".members", "%d: how many other members must keep up, from 1 to %d", r.Members, MaxRequiredMembers)
	}
	v.duration(path+".max_lag", r.MaxLag)
	if r.MaxLag == 0 {
		v.add(path+".max_lag", "it is missing: how far behind a member may be and still count, such as max_lag: 10s")
	}
}

// floors checks that requests which name nothing get at least what requests must
// ask for.
func (v *validator) floors(path string, r *ResolvedView) {
	if v.checks.Floors == nil {
		return
	}
	if err := v.checks.Floors(r); err != nil {
		v.add(path, "%v", err)
	}
}

// consistency passes a word on to the room that knows it.
func (v *validator) consistency(path, field, text string) {
	if text == "" {
		return
	}
	if len(text) > MaxWordBytes || !utf8.ValidString(text) {
		v.add(path+"."+field, "%q is longer than %d bytes or not text", Clip(text), MaxWordBytes)
		return
	}
	if v.checks.Words == nil {
		return
	}
	if err := v.checks.Words(field, text); err != nil {
		v.add(path+"."+field, "%v", err)
	}
}
