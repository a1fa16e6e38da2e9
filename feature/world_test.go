package feature

import (
	"bytes"
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"featurestore/hlc"
)

// world is a few stores that write to one row and hear of one another's writes
// late, twice, or in any order.
type world struct {
	ops    []op
	stores []store
}

// op is one accepted change with everything the twin needs to know of it.
type op struct {
	change Change
	delta  Row
	at     hlc.Timestamp
	origin hlc.Origin
	// epoch is the index of the latest delete that its origin knew of, -1 for none.
	epoch int
	// replaces are, by siblings feature, the ops that its session had seen and
	// that nothing else had replaced where it was accepted.
	replaces map[FeatureID][]int
}

type store struct {
	row   Row
	clock hlc.Timestamp
	heard []int // indexes of the ops it joined, each once
}

func (w *world) step(t *rapid.T) {
	i := rapid.IntRange(0, len(w.stores)-1).Draw(t, "store")
	if len(w.ops) > 0 && rapid.Bool().Draw(t, "deliver") {
		w.deliver(i, rapid.IntRange(0, len(w.ops)-1).Draw(t, "op"))
		return
	}
	w.write(t, i)
}

func (w *world) write(t *rapid.T, i int) {
	s := &w.stores[i]
	s.clock += hlc.Timestamp(rapid.Uint64Range(1, 2).Draw(t, "clock"))
	o := op{change: drawChange(t), at: s.clock, origin: hlc.Origin(i + 1), epoch: w.latestDelete(s.heard)}
	session := drawSession(t, s)
	o.replaces = w.replacedBy(s, o, session)
	var err error
	if o.delta, err = o.change.DeltaAfter(s.row, o.at, o.origin, session); err != nil {
		t.Fatalf("delta of %+v: %v", o.change, err)
	}
	w.ops = append(w.ops, o)
	w.deliver(i, len(w.ops)-1)
	if got, want := s.row.Supersedes(o.delta), w.superseded(*s, len(w.ops)-1); got != want {
		t.Fatalf("superseded: got %v, twin says %v\nchange %+v\nrow %+v", got, want, o.change, s.row)
	}
}

func (w *world) deliver(i, op int) {
	s, o := &w.stores[i], w.ops[op]
	s.row = JoinRow(s.row, o.delta)
	s.clock = max(s.clock, o.at)
	if !slices.Contains(s.heard, op) {
		s.heard = append(s.heard, op)
	}
}

// drawSession draws what a writer had seen: nothing, all that the store has, or
// of each origin any part of it.
func drawSession(t *rapid.T, s *store) Seen {
	switch rapid.IntRange(0, 2).Draw(t, "session") {
	case 0:
		return nil
	case 1:
		return func(hlc.Position) bool { return true }
	}
	v := hlc.Vector{}
	for o := range hlc.Origin(3) {
		v[o+1] = hlc.Timestamp(rapid.Uint64Range(0, uint64(s.clock)).Draw(t, "seen"))
	}
	return v.CoversPosition
}

// after orders ops by acceptance, as the twin's author understands write order.
func (w *world) after(a, b int) bool {
	x, y := w.ops[a], w.ops[b]
	return cmp.Or(
		cmp.Compare(x.change.Generation, y.change.Generation),
		cmp.Compare(x.at, y.at), cmp.Compare(x.origin, y.origin)) > 0
}

func (w *world) afterByEvent(a, b int) bool {
	x, y := w.ops[a], w.ops[b]
	return cmp.Or(
		cmp.Compare(x.change.Generation, y.change.Generation),
		cmp.Compare(x.change.EventTime, y.change.EventTime),
		cmp.Compare(x.at, y.at), cmp.Compare(x.origin, y.origin)) > 0
}

// latestDelete is the latest delete by write among ops and among what the
// monotone cells of ops tell of; -1 for none.
func (w *world) latestDelete(ops []int) int {
	latest := -1
	consider := func(d int) {
		if d >= 0 && (latest < 0 || w.after(d, latest)) {
			latest = d
		}
	}
	for _, i := range ops {
		if w.ops[i].change.Delete {
			consider(i)
		}
		for _, a := range w.ops[i].change.Assignments {
			if a.Rule.Monotone() {
				consider(w.ops[i].epoch)
			}
		}
	}
	return latest
}

// F1 as a user sees it: after every op was delivered everywhere, in any order
// and any number of times, all stores hold the same row, and it is the twin's.
// On the way, every store holds what the twin makes of the ops it has heard of.
func TestStoresThatHeardTheSameHoldTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{stores: make([]store, 3)}
		for range rapid.IntRange(1, 14).Draw(t, "steps") {
			w.step(t)
			for i := range w.stores {
				w.checkTwin(t, w.stores[i])
			}
		}
		all := make([]int, len(w.ops))
		for i := range all {
			all[i] = i
		}
		for i := range w.stores {
			for _, op := range rapid.Permutation(all).Draw(t, "order") {
				w.deliver(i, op)
			}
			w.checkTwin(t, w.stores[i])
			got, want := AppendRow(nil, w.stores[i].row), AppendRow(nil, w.stores[0].row)
			if !w.stores[i].row.Equal(w.stores[0].row) || !bytes.Equal(got, want) {
				t.Fatalf("store %d holds\n%+v\nstore 0\n%+v", i, w.stores[i].row, w.stores[0].row)
			}
		}
	})
}

// reachable draws the rows of three stores that heard of different writes, and
// a delta, which is a row too.
func reachable(t *rapid.T) []Row {
	w := &world{stores: make([]store, 3)}
	for range rapid.IntRange(1, 10).Draw(t, "steps") {
		w.step(t)
	}
	var out []Row
	for _, s := range w.stores {
		out = append(out, s.row)
	}
	if len(w.ops) > 0 {
		out = append(out, w.ops[rapid.IntRange(0, len(w.ops)-1).Draw(t, "delta")].delta)
	}
	return out
}
