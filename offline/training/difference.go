package training

import (
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"featurestore/feature"
	"featurestore/offline/history"
)

// Difference says in how many cells of one feature a region had another value than the
// true one.
type Difference struct {
	// Column is the feature's column of the training set.
	Column string
	// Cells is how many there are, one an entity row.
	Cells int64
	// Causes counts the cells that differ, each under its cause.
	Causes map[Cause]int64
}

// Differing is how many cells differ.
func (d *Difference) Differing() (n int64) {
	for _, cells := range d.Causes {
		n += cells
	}
	return n
}

// tally counts the differences of a training set.
type tally struct {
	plan        *plan
	outputs     *outputs // nil where nothing is computed
	types       []feature.Type
	differences []Difference
	matched     []int64 // by view: entity rows of which the region had a row
	causes      [][]Cause
}

// newTally returns the tally of a request of stored features and what is computed of
// them; nil when none is wanted.
func newTally(r *Request, p *plan, computed *outputs) *tally {
	if !r.Differences {
		return nil
	}
	t := &tally{plan: p, outputs: computed, matched: make([]int64, len(p.views)), causes: make([][]Cause, len(p.wanted))}
	add := func(column string, typ feature.Type) {
		t.differences = append(t.differences, Difference{Column: column, Causes: map[Cause]int64{}})
		t.types = append(t.types, typ)
	}
	if computed == nil {
		for i, w := range p.wanted {
			add(p.features[i].As, w.view.wanted[w.at].Type)
		}
		return t
	}
	for _, c := range computed.columns {
		if c.of != nil {
			add(c.name, c.of.view.Fields[c.field].Type)
			continue
		}
		w := p.wanted[c.stored]
		add(c.name, w.view.wanted[w.at].Type)
	}
	return t
}

// add counts a record of the join, given both of its sides, as served and as true: those
// of the stored features, and those of all.
func (t *tally) add(rec arrow.Record, own int, stored, all [2]arrow.Record) error {
	for i, w := range t.plan.wanted {
		codes := rec.Column(own + w.cause).(*array.Int32)
		t.causes[i] = t.causes[i][:0]
		a, b, typ := stored[0].Column(own+i), stored[1].Column(own+i), w.view.wanted[w.at].Type
		for row := range codes.Len() {
			cause := Same
			same, err := sameCell(a, b, row, typ)
			if err != nil {
				return err
			}
			if !same {
				if cause = Cause(codes.Value(row)); codes.IsNull(row) || cause == Same {
					return fmt.Errorf("feature %s of view %s differs from what was true, and nothing tells why: this is a defect", w.view.wanted[w.at].Name, w.view.view.Name)
				}
			}
			t.causes[i] = append(t.causes[i], cause)
		}
	}
	t.match(rec, own)
	for i := range t.differences {
		d := &t.differences[i]
		d.Cells += rec.NumRows()
		a, b := all[0].Column(own+i), all[1].Column(own+i)
		for row := range int(rec.NumRows()) {
			same, err := sameCell(a, b, row, t.types[i])
			if err != nil {
				return err
			}
			if !same {
				d.Causes[t.cause(i, row)]++
			}
		}
	}
	return nil
}

// match counts the entity rows of which the region had a row, view by view.
func (t *tally) match(rec arrow.Record, own int) {
	for v, j := range t.plan.views {
		i := slices.IndexFunc(t.plan.wanted, func(w wanted) bool { return w.view == j })
		shows := rec.Column(own + t.plan.wanted[i].shows).(*array.Boolean)
		for row := range shows.Len() {
			if !shows.IsNull(row) && shows.Value(row) {
				t.matched[v]++
			}
		}
	}
}

// cause returns why a column differs in a row of the record; for what is computed, that of
// the first of its inputs that differs.
func (t *tally) cause(column, row int) Cause {
	if t.outputs == nil {
		return t.causes[column][row]
	}
	c := t.outputs.columns[column]
	if c.of == nil {
		return t.causes[c.stored][row]
	}
	for _, i := range c.of.inputs {
		if cause := t.causes[i][row]; cause != Same {
			return cause
		}
	}
	return Same
}

func sameCell(a, b arrow.Array, row int, t feature.Type) (bool, error) {
	if a.IsNull(row) || b.IsNull(row) {
		return a.IsNull(row) && b.IsNull(row), nil
	}
	v, err := history.ArrowValue(a, row, t)
	if err != nil {
		return false, err
	}
	w, err := history.ArrowValue(b, row, t)
	return err == nil && v.Equal(w), err
}
