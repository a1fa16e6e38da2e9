package verify

import (
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/offline/history"
	"featurestore/offline/served"
	"featurestore/offline/training"
)

// maxCandidates is how many states are tried that a row may have been read in, where
// entries came meanwhile.
const maxCandidates = 1024

// show returns a cell as a store shows it at a time, which is server's own rule.
func show(r feature.Row, f *feature.Field, at int64, v *feature.ResolvedView) Shown {
	c, ok := r.Cell(f.ID)
	if !ok {
		return Shown{Value: f.Default, Status: served.NotFound}
	}
	out := Shown{EventTime: c.Version.EventTime, Timed: true}
	switch value := c.Read(); {
	case !feature.WithinTTL(out.EventTime, at, v.TTL):
		out.Value, out.Status = f.Default, served.OutsideMaxAge
	case value.IsNull() && c.Rule != feature.Counter && c.Rule != feature.Set:
		out.Status = served.NullValue
	default:
		out.Value, out.Status = value, served.Present
	}
	return out
}

// shownOf is a cell as the log has it.
func shownOf(c *served.Cell) Shown {
	return Shown{Value: c.Value, Status: c.Status, EventTime: c.EventTime, Timed: c.Timed}
}

// states yields the sets of rows that a store may have had when it read an entity: what
// from covers, and of each log any beginning of what until covers besides. It ends when
// yield returns false, and after maxCandidates: then it returns false, for there are more.
func states(rows []history.Row, from, until hlc.Vector, yield func(in func(i int) bool) bool) (all bool) {
	between := map[hlc.Origin][]hlc.Timestamp{}
	for i := range rows {
		p := rows[i].Log
		if !rows[i].LogOnly && !from.CoversPosition(p) && until.CoversPosition(p) {
			between[p.Origin] = append(between[p.Origin], p.At)
		}
	}
	steps := positions(between)
	tried, more := 0, false
	var try func(n int, at hlc.Vector) bool
	try = func(n int, at hlc.Vector) bool {
		if n == len(steps) {
			if more = tried == maxCandidates; more {
				return false
			}
			tried++
			return yield(func(i int) bool { return at.CoversPosition(rows[i].Log) })
		}
		if !try(n+1, at) {
			return false
		}
		for _, through := range steps[n].at {
			next := at.Clone()
			next[steps[n].origin] = through
			if !try(n+1, next) {
				return false
			}
		}
		return true
	}
	try(0, from.Clone())
	return !more
}

// recomputed is what history says of one logged row.
type recomputed struct {
	view       *feature.ResolvedView
	comparison *training.Comparison
	// unsettled says that not all states were tried, and none fits.
	unsettled bool
}

// recompute finds the state that the logged cells are of, or the first one where there is
// none.
func recompute(l *served.Lookup, r *served.Row, v *feature.ResolvedView, rows []history.Row) recomputed {
	var first, fits *training.Comparison
	all := states(rows, r.From, r.Until, func(in func(i int) bool) bool {
		c := training.Compare(rows, l.At, in)
		if first == nil {
			first = c
		}
		if matches(l, r, v, c.Served()) {
			fits = c
			return false
		}
		return true
	})
	if fits != nil {
		return recomputed{view: v, comparison: fits}
	}
	return recomputed{view: v, comparison: first, unsettled: !all}
}

// matches reports whether every cell of a logged row is that of a state.
func matches(l *served.Lookup, r *served.Row, v *feature.ResolvedView, state feature.Row) bool {
	for i := range r.Cells {
		f, ok := v.FieldByID(r.Cells[i].ID)
		if !ok || show(state, f, l.At, v) != shownOf(&r.Cells[i]) {
			return false
		}
	}
	return true
}
