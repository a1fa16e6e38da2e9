package online

import (
	"slices"
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
)

// plan is a siblings feature of the tests.
const plan feature.FeatureID = 40

func setPlan(s string) feature.Assignment {
	return feature.Assignment{Feature: plan, Rule: feature.Siblings, Type: feature.ScalarOf(feature.String), Value: text(s)}
}

// plans are the values of the feature, the latest first.
func (h *house) plans(id int64) (out []string) {
	h.Helper()
	c, _ := h.row(shardA, 1, entity(id)).Cell(plan)
	for _, s := range c.AppendSiblings(nil) {
		out = append(out, s.Value.Text())
	}
	return out
}

// seenUpTo is what a session with one position had seen of shardA.
func seenUpTo(p hlc.Position) func(feature.Shard, hlc.Position) bool {
	return func(shard feature.Shard, q hlc.Position) bool {
		return shard == shardA && p.Origin == q.Origin && p.At >= q.At
	}
}

func TestAWriteReplacesTheSiblingsItsSessionHadSeen(t *testing.T) {
	h := openHouse(t)
	h.append(write(change(1, 1, setPlan("a"))))
	first := h.append(write(change(1, 2, setPlan("b")))).Positions[0].Position
	r := newRemote(77)
	r.write(t, first.At+1, false, change(1, 3, setPlan("c")))
	h.mustJoin(r.after(0))
	if got := h.plans(1); !slices.Equal(got, []string{"c", "b", "a"}) {
		t.Fatalf("got %v, want all three: nobody had seen another's", got)
	}
	w := write(change(1, 4, setPlan("d")))
	w.Seen = seenUpTo(first)
	h.append(w)
	if got := h.plans(1); !slices.Equal(got, []string{"d", "c"}) {
		t.Errorf("got %v, want d in place of b and a, and c beside it", got)
	}
	h.restart()
	if got := h.plans(1); !slices.Equal(got, []string{"d", "c"}) {
		t.Errorf("after a restart: got %v, want d and c", got)
	}
}

func TestConflictsAreCountedOnceTheyAreCommitted(t *testing.T) {
	h := openHouse(t)
	at := h.append(write(change(1, 5, setRate(1), setPlan("a")), change(2, 5, setRate(1)))).Positions[0].Position.At
	r := newRemote(77)
	r.write(t, at+1, false, change(1, 4, setRate(2), setPlan("b")))
	r.write(t, at+2, false, change(1, 6, setRate(2)))
	h.mustJoin(r.after(0))
	h.mustJoin(r.after(0)) // once more: it is here already
	blind := write(change(2, 4, setRate(9)), change(1, 7, setPlan("c")))
	h.append(blind)
	saw := write(change(1, 7, setPlan("d")))
	saw.Seen = func(feature.Shard, hlc.Position) bool { return true }
	h.append(saw)
	if err := h.fails(write(change(2, 3, setRate(9)), change(3, 1, addTrips(1)), change(3, 1, addTrips(1<<62), setRate(1)), change(3, 1, addTrips(1<<62)))); err == nil {
		t.Fatal("an overflow was taken")
	}
	want := []ConflictCount{
		{View: 1, Rule: feature.EventTime, Superseded: 2, Concurrent: 2},
		{View: 1, Rule: feature.Siblings, Concurrent: 2},
	}
	if got := h.Conflicts(); !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	for i := range feature.MaxSiblings + 2 {
		h.append(write(change(5, int64(i), setPlan("x"))))
	}
	if got := h.Conflicts()[1]; got.Dropped != 2 || got.Concurrent != 2 {
		t.Errorf("got %+v, want 2 dropped, and none concurrent: they are of this origin", got)
	}
}

// What a joined write waited for, its session had seen.
func TestAJoinedWriteSawWhatItWaitedFor(t *testing.T) {
	p := hlc.Position{Origin: 3, At: 9}
	for _, tc := range []struct {
		p    hlc.Position
		want bool
	}{{p, true}, {hlc.Position{Origin: 3, At: 8}, true}, {hlc.Position{Origin: 3, At: 10}, false}, {hlc.Position{Origin: 4, At: 1}, false}} {
		if got := seenBy([]hlc.Position{p})(tc.p); got != tc.want {
			t.Errorf("%v: got %v, want %v", tc.p, got, tc.want)
		}
	}
	if seenBy(nil) != nil {
		t.Error("a write that waited for nothing saw something")
	}
}

func TestScanAfterGoesOnBehindAKey(t *testing.T) {
	h := openHouse(t)
	h.fill(9, "x")
	var all, some []string
	for r, err := range h.Scan(t.Context(), shardA, 1) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(r.Key))
	}
	for r, err := range h.ScanAfter(t.Context(), shardA, 1, feature.Key(all[3])) {
		if err != nil {
			t.Fatal(err)
		}
		some = append(some, string(r.Key))
	}
	if !slices.Equal(some, all[4:]) {
		t.Errorf("after the fourth of %d keys came %d, want the other five", len(all), len(some))
	}
}
