package verify

import (
	"errors"

	"featurestore/feature"
	"featurestore/feature/ondemand"
	"featurestore/offline/served"
	"featurestore/offline/training"
)

// computed computes a row of an on-demand view again (VF4): of its inputs as they must have
// been served, and of what was true. It differs for the cause of the first input that does.
func (v *verification) computed(l *served.Lookup, r *served.Row) (*result, error) {
	c := v.catalogs[catalogID{l.Project, l.Revision}]
	if c == nil {
		return &result{untold: Undefined}, nil
	}
	view, ok := c.OnDemand(r.View)
	if !ok {
		return &result{untold: Undefined}, nil
	}
	program, err := ondemand.Compile(*view, c.TypeOf)
	if err != nil {
		return nil, err
	}
	inputs, untold := v.inputs(l, r, view)
	if untold != "" {
		return &result{untold: untold}, nil
	}
	var given []feature.Value
	for _, f := range view.Request {
		value, ok := givenOf(r, f)
		if !ok {
			return &result{untold: Undefined}, nil
		}
		given = append(given, value)
	}
	out := &result{cells: make([]expected, len(r.Cells))}
	base := Shown{Status: served.Present}
	cause := training.Same
	must, truth := make([]feature.Value, len(inputs)), make([]feature.Value, len(inputs))
	for i, in := range inputs {
		must[i], truth[i] = in.shown.Value, in.truth
		if in.shown.Timed && (!base.Timed || in.shown.EventTime < base.EventTime) {
			base.EventTime, base.Timed = in.shown.EventTime, true
		}
		if cause == training.Same {
			cause = in.cause
		}
	}
	mustBe, wouldBe := make([]feature.Value, len(view.Fields)), make([]feature.Value, len(view.Fields))
	for _, eval := range []struct{ inputs, out []feature.Value }{{must, mustBe}, {truth, wouldBe}} {
		if err := program.Eval(eval.inputs, given, eval.out); errors.Is(err, ondemand.ErrMisuse) {
			return nil, err
		}
	}
	for n := range r.Cells {
		i := fieldOf(view, r.Cells[n].Feature)
		if r.Cells[n].Status == served.Given {
			continue
		}
		if i < 0 {
			return &result{untold: Undefined}, nil
		}
		one := expected{shown: base, truth: wouldBe[i]}
		if one.shown.Value = mustBe[i]; one.shown.Value.IsNull() {
			one.shown.Status = served.NullValue
		}
		if !mustBe[i].Equal(wouldBe[i]) {
			one.cause = cause
		}
		out.cells[n] = one
	}
	return out, nil
}

// inputs returns those of an entity of a lookup, or why one of them is not known.
func (v *verification) inputs(l *served.Lookup, r *served.Row, view *feature.OnDemand) (all []expected, untold Reason) {
	for _, ref := range view.Inputs {
		found := false
		for i := range l.Rows {
			of := &l.Rows[i]
			if of.Entity != r.Entity || of.View != ref.View || of.ID == 0 {
				continue
			}
			res := v.results[of]
			if res.untold != "" {
				return nil, res.untold
			}
			for n := range of.Cells {
				if of.Cells[n].Feature != ref.Feature {
					continue
				}
				if res.cells[n].untold != "" {
					return nil, res.cells[n].untold
				}
				found, all = true, append(all, res.cells[n])
			}
		}
		if !found {
			return nil, Undefined
		}
	}
	return all, ""
}

// givenOf returns what came with the request for a field.
func givenOf(r *served.Row, f feature.RequestField) (feature.Value, bool) {
	for i := range r.Cells {
		if c := &r.Cells[i]; c.Status == served.Given && c.Feature == f.Name && c.Type == f.Type {
			return c.Value, true
		}
	}
	return feature.Value{}, false
}

// fieldOf returns the place of a computed feature, -1 for none.
func fieldOf(view *feature.OnDemand, name string) int {
	for i := range view.Fields {
		if view.Fields[i].Name == name {
			return i
		}
	}
	return -1
}
