package server

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/feature/ondemand"
)

// A plan is a list of features compiled against one catalog: which rows to
// read, which cell goes to which column of the answer. It is immutable.
type plan struct {
	catalog *feature.Catalog
	// byService says that a service was compiled, not a list.
	byService bool
	// outputs are what was asked for, in request order.
	outputs []output
	// keys are the join keys of all sources, ordered by name.
	keys []feature.JoinKey
	// sources are the stored views to read.
	sources []source
	// derived are the on-demand views to compute.
	derived []derived
	// requests are the values that the request supplies, ordered by name.
	requests []feature.RequestField
	// defaults holds, for each slot, what is served where there is no value.
	defaults []feature.Value
	// read is what a request that asks for no level gets.
	read readDefaults
	// native is the rendered start of the native answer, allPresent the
	// statuses of a row that has every value.
	native, allPresent []byte
	// feast are the names in Feast's answer, short and full.
	feast [2]feastNames
}

// output is one feature of the answer.
type output struct {
	ref feature.Reference
	// slot is its column in the table of cells.
	slot int
}

// source is one stored view that a lookup reads.
type source struct {
	view *feature.ResolvedView
	// keys index plan.keys, in the order of the view's own.
	keys []int
	// fields are the features wanted, ordered by id.
	fields []sourceField
}

type sourceField struct {
	id   feature.FeatureID
	slot int
}

// derived is one on-demand view that a lookup computes.
type derived struct {
	name    string
	program *ondemand.Program
	// inputs are slots, requests index plan.requests, outputs are slots or -1
	// where the feature was not asked for.
	inputs, requests, outputs []int
}

// compile builds the plan of refs.
func compile(c *feature.Catalog, refs []feature.Reference, limits Limits) (*plan, error) {
	if len(refs) == 0 {
		return nil, api.Problemf(api.CodeInvalidRequest, "features", "no features are asked for; give a service or a list such as [\"view:feature\"]")
	}
	if len(refs) > limits.Features {
		return nil, api.Problemf(api.CodeTooManyFeatures, "features", "%d features; at most %d in one lookup", len(refs), limits.Features)
	}
	p := &planner{plan: &plan{catalog: c}, slots: map[feature.Reference]int{}}
	for _, ref := range refs {
		slot, err := p.slot(ref)
		if err != nil {
			return nil, err
		}
		p.plan.outputs = append(p.plan.outputs, output{ref: ref, slot: slot})
	}
	if err := p.computeDerived(); err != nil {
		return nil, err
	}
	if err := p.indexKeys(); err != nil {
		return nil, err
	}
	if err := p.plan.chooseRead(); err != nil {
		return nil, err
	}
	p.plan.render()
	return p.plan, nil
}

// planner gathers a plan.
type planner struct {
	plan  *plan
	slots map[feature.Reference]int
	// wanted are the on-demand views of which a feature was asked for, in order.
	wanted []*feature.OnDemand
}

// slot returns the column of ref, giving it one if it has none.
func (p *planner) slot(ref feature.Reference) (int, error) {
	if slot, ok := p.slots[ref]; ok {
		return slot, nil
	}
	c := p.plan.catalog
	if _, err := c.TypeOf(ref); err != nil {
		return 0, err
	}
	slot := len(p.plan.defaults)
	p.slots[ref] = slot
	p.plan.defaults = append(p.plan.defaults, feature.Value{})
	view, ok := c.View(ref.View)
	if !ok {
		o, _ := c.OnDemand(ref.View)
		if !slices.Contains(p.wanted, o) {
			p.wanted = append(p.wanted, o)
		}
		return slot, nil
	}
	field, _ := view.Field(ref.Feature)
	p.plan.defaults[slot] = field.Default
	s := p.source(view)
	s.fields = append(s.fields, sourceField{id: field.ID, slot: slot})
	return slot, nil
}

func (p *planner) source(view *feature.ResolvedView) *source {
	i := slices.IndexFunc(p.plan.sources, func(s source) bool { return s.view == view })
	if i < 0 {
		i = len(p.plan.sources)
		p.plan.sources = append(p.plan.sources, source{view: view})
	}
	return &p.plan.sources[i]
}

// computeDerived compiles the on-demand views and finds their inputs columns.
func (p *planner) computeDerived() error {
	for _, o := range p.wanted {
		program, err := ondemand.Compile(*o, p.plan.catalog.TypeOf)
		if err != nil {
			return fmt.Errorf("on-demand view %s: %w", o.Name, err)
		}
		d := derived{name: o.Name, program: program}
		for _, ref := range o.Inputs {
			slot, err := p.slot(ref)
			if err != nil {
				return err
			}
			d.inputs = append(d.inputs, slot)
		}
		for _, field := range o.Request {
			d.requests = append(d.requests, p.request(field))
		}
		for _, field := range o.Fields {
			slot, ok := p.slots[feature.Reference{View: o.Name, Feature: field.Name}]
			if !ok {
				slot = -1
			}
			d.outputs = append(d.outputs, slot)
		}
		p.plan.derived = append(p.plan.derived, d)
	}
	return nil
}

// request returns the index of a request value. Two views may take one name as
// two types; each reads the column in its own.
func (p *planner) request(field feature.RequestField) int {
	i := slices.Index(p.plan.requests, field)
	if i < 0 {
		i = len(p.plan.requests)
		p.plan.requests = append(p.plan.requests, field)
	}
	return i
}

// indexKeys unites the join keys of the sources and orders their fields.
func (p *planner) indexKeys() error {
	for _, s := range p.plan.sources {
		for _, k := range s.view.Keys {
			if err := p.uniteKey(s.view, k); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(p.plan.keys, func(a, b feature.JoinKey) int { return cmp.Compare(a.Name, b.Name) })
	for i := range p.plan.sources {
		s := &p.plan.sources[i]
		for _, k := range s.view.Keys {
			s.keys = append(s.keys, slices.IndexFunc(p.plan.keys, func(have feature.JoinKey) bool { return have.Name == k.Name }))
		}
		slices.SortFunc(s.fields, func(a, b sourceField) int { return cmp.Compare(a.id, b.id) })
	}
	return nil
}

// uniteKey adds a join key of a view. One value is read for all views that
// have the key: integers in the wider type, for equal numbers are one entity;
// other types that differ would find no row in one of the views.
func (p *planner) uniteKey(view *feature.ResolvedView, k feature.JoinKey) error {
	i := slices.IndexFunc(p.plan.keys, func(have feature.JoinKey) bool { return have.Name == k.Name })
	isInteger := func(t feature.Type) bool { return t.Kind == feature.Int32 || t.Kind == feature.Int64 }
	switch {
	case i < 0:
		p.plan.keys = append(p.plan.keys, k)
	case p.plan.keys[i].Type == k.Type:
	case isInteger(p.plan.keys[i].Type) && isInteger(k.Type):
		p.plan.keys[i].Type = feature.ScalarOf(feature.Int64)
	default:
		return api.Problemf(api.CodeInvalidRequest, "features",
			"join key %s is %s in view %s and %s in another of this lookup; look them up one by one", k.Name, k.Type, view.Name, p.plan.keys[i].Type)
	}
	return nil
}

// render prepares the parts of the native answer that every answer shares.
func (p *plan) render() {
	names := make([]string, len(p.outputs))
	p.allPresent = append(p.allPresent, '[')
	for i, out := range p.outputs {
		names[i] = out.ref.String()
		if i > 0 {
			p.allPresent = append(p.allPresent, ',')
		}
		p.allPresent = append(p.allPresent, statusText[statusPresent]...)
	}
	p.allPresent = append(p.allPresent, ']')
	list, _ := json.Marshal(names) // strings always marshal
	p.native = append(append([]byte(`{"features":`), list...), `,"rows":[`...)
}
