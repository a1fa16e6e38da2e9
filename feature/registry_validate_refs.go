package feature

import (
	"errors"
	"iter"
	"maps"
	"slices"
	"unicode/utf8"
)

var errNoType = errors.New("a type is needed, such as int64, list<string> or vector<float32,64>")

func (v *validator) onDemand(o *OnDemand) {
	path := at("on_demand", o.Name)
	v.described(path, o.Description, o.Owner, o.Tags)
	v.count(path+".inputs", len(o.Inputs), MaxOnDemandFields)
	v.count(path+".request", len(o.Request), MaxOnDemandFields)
	v.count(path+".features", len(o.Fields), MaxOnDemandFields)
	before := len(v.list)
	// Expressions name inputs and request fields alike, by one plain name.
	named := map[string]string{}
	for _, ref := range o.Inputs {
		if v.onDemandInput(path+".inputs", ref) {
			v.variable(path+".inputs", named, ref.Feature, "feature "+ref.String())
		}
	}
	for _, r := range o.Request {
		rp := path + "." + at("request", r.Name)
		v.column(rp, r.Name)
		if err := checkType(r.Type); err != nil {
			v.add(rp+".type", "%v", err)
		}
		v.variable(rp, named, r.Name, "request field "+r.Name)
	}
	v.computed(path, o)
	if len(v.list) > before || v.checks.OnDemand == nil {
		return // an expression over faulty inputs would only repeat the faults
	}
	for _, p := range v.checks.OnDemand(*o, v.typeOf) {
		p.Path = path + "." + p.Path
		v.put(p)
	}
}

func (v *validator) variable(path string, named map[string]string, name, what string) {
	if other, ok := named[name]; ok {
		v.add(path, "%s and %s are both called %q in expressions: rename one, or leave it out", other, what, name)
		return
	}
	named[name] = what
}

func (v *validator) onDemandInput(path string, ref Reference) bool {
	if _, ok := v.onDemands[ref.View]; ok {
		v.add(path, "%q is computed on demand itself: inputs are stored features; repeat its expression here", ref)
		return false
	}
	return v.reference(path, ref)
}

func (v *validator) computed(path string, o *OnDemand) {
	if len(o.Fields) == 0 {
		v.add(path+".features", `an on-demand view needs a feature, such as {name: score, type: float64, expr: "a * b"}`)
	}
	seen := map[string]bool{}
	for _, c := range o.Fields {
		cp := path + "." + at("features", c.Name)
		v.column(cp, c.Name)
		if seen[c.Name] {
			v.add(cp, "declared twice")
		}
		seen[c.Name] = true
		if err := checkType(c.Type); err != nil {
			v.add(cp+".type", "%v", err)
		}
		v.text(cp+".description", c.Description)
		switch {
		case c.Expr == "":
			v.add(cp+".expr", "an expression is needed")
		case len(c.Expr) > MaxExprBytes:
			v.add(cp+".expr", "%d bytes: at most %d are possible", len(c.Expr), MaxExprBytes)
		case !utf8.ValidString(c.Expr):
			v.add(cp+".expr", "not valid UTF-8")
		}
	}
}

// typeOf returns the type of a declared feature.
func (v *validator) typeOf(ref Reference) (Type, error) {
	t, ok := v.types[ref.View][ref.Feature]
	if !ok {
		return Type{}, &NotFoundError{Kind: "feature", Name: ref.String(), Project: v.d.Project}
	}
	return t, nil
}

func (v *validator) services() {
	for _, s := range v.d.Services {
		path := at("services", s.Name)
		v.described(path, s.Description, s.Owner, s.Tags)
		if len(s.Features) == 0 {
			v.add(path+".features", "a service needs a feature, such as driver_stats:trips")
		}
		v.count(path+".features", len(s.Features), MaxServiceFields)
		v.unique(path+".features", refTexts(s.Features))
		for _, ref := range s.Features {
			v.reference(path+".features", ref)
		}
		v.serviceKeys(path+".features", s)
	}
}

// serviceKeys checks that one lookup can name the entities of all views of a
// service, the inputs of computed ones included.
func (v *validator) serviceKeys(path string, s Service) {
	var entities []string
	add := func(view string) {
		if x, ok := v.views[view]; ok {
			for _, name := range x.Entities {
				if _, ok := v.entities[name]; ok && !slices.Contains(entities, name) {
					entities = append(entities, name)
				}
			}
		}
	}
	for _, ref := range s.Features {
		add(ref.View)
		if o, ok := v.onDemands[ref.View]; ok {
			for _, input := range o.Inputs {
				add(input.View)
			}
		}
	}
	if _, err := unionKeys(entities, func(name string) (*Entity, bool) { return v.entities[name], true }); err != nil {
		v.add(path, "one lookup cannot name all its entities: %v", err)
	}
}

// reference reports whether ref names a declared feature, stored or computed.
func (v *validator) reference(path string, ref Reference) bool {
	types, ok := v.types[ref.View]
	if !ok {
		v.add(path, "%q: no view %q is declared%s", Clip(ref.String()), Clip(ref.View), v.suggest(ref.View, maps.Keys(v.types)))
		return false
	}
	if _, ok := types[ref.Feature]; ok {
		return true
	}
	v.add(path, "%q: view %s has no feature %q%s", Clip(ref.String()), ref.View, Clip(ref.Feature), v.suggest(ref.Feature, maps.Keys(types)))
	return false
}

func (v *validator) suggest(name string, names iter.Seq[string]) string {
	if s := nearest(name, names); s != "" {
		return "; did you mean " + s + "?"
	}
	return ""
}
