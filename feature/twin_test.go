package feature

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"pgregory.net/rapid"

	"featurestore/hlc"
)

// The twin computes what a reader must see from the plain list of changes a
// store has heard of. It knows nothing of cells, totals and joins.

// checkTwin compares every feature of the store's row with the twin's answer.
func (w *world) checkTwin(t *rapid.T, s store) {
	for _, a := range testSchema {
		cell, present := s.row.Cell(a.Feature)
		want, wantPresent, parts := w.twin(s.heard, a)
		if a.Rule == Set { // also those that lost every element count as news
			parts = w.sinceDelete(s.heard, a.Feature)
		}
		if present != wantPresent || present && !sameNumber(cell.Read(), want) {
			t.Fatalf("%s of %s: row has %v (present %v), twin says %v (present %v)\nheard %v of\n%+v\nrow %+v",
				a.Rule, a.Type, cell.Read(), present, want, wantPresent, s.heard, w.ops, s.row)
		}
		if a.Rule == Siblings {
			w.checkSiblings(t, cell, parts)
			continue
		}
		if newest := w.newest(parts); present && cell.Version.EventTime != newest {
			t.Fatalf("%s: event time %d, twin says %d, the newest of any part", a.Rule, cell.Version.EventTime, newest)
		}
	}
}

// newest returns the newest event time of ops.
func (w *world) newest(ops []int) int64 {
	newest := int64(math.MinInt64)
	for _, i := range ops {
		newest = max(newest, w.ops[i].change.EventTime)
	}
	return newest
}

// sameNumber is Equal, but for the form in which a decimal sum is written.
func sameNumber(a, b Value) bool {
	if a.Kind() == Decimal && b.Kind() == Decimal {
		return compareDecimals(a.Text(), b.Text()) == 0
	}
	return a.Equal(b)
}

// twin returns the value of a's feature after the changes of heard, whether
// there is one, and the ops that had a part in it.
func (w *world) twin(heard []int, a Assignment) (v Value, present bool, from []int) {
	switch a.Rule {
	case EventTime:
		return w.latest(heard, a, w.afterByEvent)
	case WriteTime:
		return w.latest(heard, a, w.after)
	}
	ops := w.sinceDelete(heard, a.Feature)
	if len(ops) == 0 {
		return Value{}, false, nil
	}
	switch a.Rule {
	case Counter:
		return w.sum(w.implied(ops, a), a), true, ops
	case Set:
		v, from = w.union(ops, a)
		return v, true, from
	case Siblings:
		from = w.unreplaced(ops, a.Feature)
		got, _ := w.assigned(from[0], a.Feature)
		return got.Value, true, from
	}
	v, i := w.extreme(ops, a)
	return v, true, []int{i}
}

// latest is last-writer-wins, deletes being writes of nothing.
func (w *world) latest(heard []int, a Assignment, after func(x, y int) bool) (Value, bool, []int) {
	last := -1
	for _, i := range heard {
		if _, ok := w.assigned(i, a.Feature); ok || w.ops[i].change.Delete {
			if last < 0 || after(i, last) {
				last = i
			}
		}
	}
	if last < 0 || w.ops[last].change.Delete {
		return Value{}, false, nil
	}
	v, _ := w.assigned(last, a.Feature)
	return v.Value, true, []int{last}
}

// sinceDelete returns the ops that assign the feature and whose origins knew of
// the latest delete that heard tells of, for this feature.
func (w *world) sinceDelete(heard []int, id FeatureID) []int {
	var about []int
	for _, i := range heard {
		if _, ok := w.assigned(i, id); ok || w.ops[i].change.Delete {
			about = append(about, i)
		}
	}
	latest := w.latestDelete(about)
	return slices.DeleteFunc(about, func(i int) bool { return w.ops[i].change.Delete || w.ops[i].epoch != latest })
}

// implied adds to ops the earlier increments of the same origins: a store that
// hears of an increment hears of those before it.
func (w *world) implied(ops []int, a Assignment) []int {
	var out []int
	for j, earlier := range w.ops {
		was, ok := w.assigned(j, a.Feature)
		if ok && !was.Value.IsNull() && slices.ContainsFunc(ops, func(i int) bool {
			got, _ := w.assigned(i, a.Feature)
			return !got.Value.IsNull() && w.ops[i].origin == earlier.origin && earlier.at <= w.ops[i].at && earlier.epoch == w.ops[i].epoch
		}) {
			out = append(out, j)
		}
	}
	return out
}

func (w *world) sum(ops []int, a Assignment) Value {
	var sum Value
	for _, i := range ops {
		got, _ := w.assigned(i, a.Feature)
		switch {
		case got.Value.IsNull():
		case sum.IsNull():
			sum = got.Value
		case a.Type.Kind == Int64:
			sum = OfInt64(sum.Int() + got.Value.Int())
		case a.Type.Kind == Float64: // quarters, which add exactly
			sum = OfFloat64(sum.Float() + got.Value.Float())
		default:
			sum = addDecimals(sum, got.Value)
		}
	}
	return sum
}

// extreme returns the greatest or smallest number and the op it came from, the
// one of the newest event; NaN counts only when there is no number, null when there is
// nothing else.
func (w *world) extreme(ops []int, a Assignment) (Value, int) {
	best, from := Value{}, -1
	for _, i := range ops {
		got, _ := w.assigned(i, a.Feature)
		v := got.Value
		better := false
		switch {
		case from < 0, best.IsNull() && !v.IsNull(), best.IsNaN() && !v.IsNull() && !v.IsNaN():
			better = true
		case v.IsNull() && !best.IsNull(), v.IsNaN() && !best.IsNull() && !best.IsNaN():
		case v == best:
			better = w.afterByEvent(i, from)
		case a.Rule == Max:
			better = v.Int() > best.Int()
		default:
			better = v.Float() < best.Float()
		}
		if better {
			best, from = v, i
		}
	}
	return best, from
}

// union returns the elements whose last mention was an addition, and the ops
// that mentioned some element last. An op without elements has nothing to lose.
func (w *world) union(ops []int, a Assignment) (Value, []int) {
	last := map[Value]int{}
	added := map[Value]bool{}
	var from []int
	mention := func(i int, v Value, present bool) {
		if old, ok := last[v]; !ok || i == old || w.ops[i].at > w.ops[old].at ||
			w.ops[i].at == w.ops[old].at && w.ops[i].origin > w.ops[old].origin {
			last[v], added[v] = i, present
		}
	}
	for _, i := range ops {
		got, _ := w.assigned(i, a.Feature)
		for v := range got.Value.Elems() {
			mention(i, v, true)
		}
		for v := range got.Remove.Elems() {
			mention(i, v, false)
		}
		if got.Value.Len()+got.Remove.Len() == 0 {
			from = append(from, i)
		}
	}
	from = slices.AppendSeq(from, maps.Values(last))
	maps.DeleteFunc(added, func(_ Value, present bool) bool { return !present })
	elems := slices.SortedFunc(maps.Keys(added), func(x, y Value) int {
		return compareElements(Element{Value: x}, Element{Value: y})
	})
	return must(OfList(a.Type.Kind, elems...)), from
}

// unreplaced returns the ops that none of ops has replaced, the latest first.
// What replaces one write of an origin replaces those before it.
func (w *world) unreplaced(ops []int, id FeatureID) []int {
	left := slices.DeleteFunc(slices.Clone(ops), func(i int) bool {
		return slices.ContainsFunc(ops, func(by int) bool {
			return slices.ContainsFunc(w.ops[by].replaces[id], func(j int) bool {
				return w.ops[i].origin == w.ops[j].origin && w.ops[i].at <= w.ops[j].at
			})
		})
	})
	slices.SortFunc(left, func(i, j int) int { return -w.byAcceptance(i, j) })
	return left
}

func (w *world) byAcceptance(i, j int) int {
	return cmp.Or(cmp.Compare(w.ops[i].at, w.ops[j].at), cmp.Compare(w.ops[i].origin, w.ops[j].origin))
}

// replacedBy returns what o replaces: of each origin the values there that its
// session had seen, up to the first that it had not.
func (w *world) replacedBy(s *store, o op, session Seen) map[FeatureID][]int {
	out := map[FeatureID][]int{}
	for _, a := range testSchema {
		if a.Rule != Siblings {
			continue
		}
		here := slices.DeleteFunc(w.sinceDelete(s.heard, a.Feature), func(i int) bool { return w.ops[i].epoch != o.epoch })
		here = w.unreplaced(here, a.Feature)
		for _, i := range here {
			if !slices.ContainsFunc(here, func(j int) bool {
				return w.ops[j].origin == w.ops[i].origin && w.ops[j].at <= w.ops[i].at &&
					!session.has(hlc.Position{Origin: w.ops[j].origin, At: w.ops[j].at})
			}) {
				out[a.Feature] = append(out[a.Feature], i)
			}
		}
	}
	return out
}

// checkSiblings compares every value of a cell, not only the one readers see.
func (w *world) checkSiblings(t *rapid.T, cell Cell, want []int) {
	var got []Sibling
	if len(want) > 0 {
		got = cell.AppendSiblings(nil)
	}
	same := len(got) == len(want)
	for n := 0; same && n < len(got); n++ {
		o := w.ops[want[n]]
		a, _ := w.assigned(want[n], cell.Feature)
		same = got[n].Version == Version{Generation: o.change.Generation, EventTime: o.change.EventTime, At: o.at, Origin: o.origin} && got[n].Value == a.Value
	}
	if !same {
		t.Fatalf("siblings %+v\ntwin says ops %v of\n%+v", got, want, w.ops)
	}
}

func (w *world) assigned(i int, id FeatureID) (Assignment, bool) {
	for _, a := range w.ops[i].change.Assignments {
		if a.Feature == id {
			return a, true
		}
	}
	return Assignment{}, false
}

// superseded reports whether op has no part in anything the store shows, and is
// not the latest delete in either order.
func (w *world) superseded(s store, op int) bool {
	o := w.ops[op]
	if o.change.Delete {
		for _, after := range []func(x, y int) bool{w.after, w.afterByEvent} {
			if !slices.ContainsFunc(s.heard, func(i int) bool { return w.ops[i].change.Delete && after(i, op) }) {
				return false
			}
		}
		return true
	}
	for _, a := range o.change.Assignments {
		if _, _, from := w.twin(s.heard, a); slices.Contains(from, op) {
			return false
		}
	}
	return len(o.change.Assignments) > 0
}
