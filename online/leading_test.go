package online

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// leads makes group 1 of a house one with leaders, of eight partitions.
func (h *house) leads() {
	h.Helper()
	const led = `
project: bank
entities: [{name: account, join_keys: [{name: account, type: int64}]}]
groups: [{name: led, placement: leader, partitions: 8}]
views: [{name: balance, entity: account, group: led, features: [{name: cents, type: int64}]}]
`
	d, err := definition.Parse("led.yaml", strings.NewReader(led))
	if err == nil {
		_, err = h.Apply(h.Context(), d, nil)
	}
	if err != nil || !h.IsLed(1) || h.IsLed(2) {
		h.Fatalf("%v; is led: %v", err, h.IsLed(1))
	}
}

// lead says which terms the store writes now.
func (h *house) lead(terms map[feature.Shard]hlc.Origin, after map[feature.Shard][]hlc.Position) {
	h.Helper()
	if err := h.SetLeading(h.Context(), terms, after); err != nil {
		h.Fatalf("SetLeading: %v", err)
	}
}

// elsewhere is a change in a shard that is not shard A.
func elsewhere(shard feature.Shard, id int64, as ...feature.Assignment) Placed {
	c := change(id, 1, as...)
	c.Shard = shard
	return c
}

// S20: a store writes a shard that is led under the origin of its term, while it
// leads; one that was never told is alone, and leads all.
func TestALeaderWritesTheLogOfItsTerm(t *testing.T) {
	h := openHouse(t)
	h.leads()
	if r := h.append(write(change(1, 1, addTrips(1)))); r.Positions[0].Position.Origin != h.Origin() {
		t.Errorf("a store alone writes %v, want its own origin", r.Positions)
	}
	h.lead(map[feature.Shard]hlc.Origin{shardA: 901}, nil)
	r := h.append(write(change(1, 1, addTrips(2))))
	if r.Positions[0].Position.Origin != 901 || h.Progress(shardA)[901] != r.Positions[0].Position.At {
		t.Errorf("got %v, progress %v; want the origin of the term", r.Positions, h.Progress(shardA))
	}
	if c, _ := h.row(shardA, 1, entity(1)).Cell(trips); read(h.row(shardA, 1, entity(1)), trips) != feature.OfInt64(3) || c.Version.Origin != 901 {
		t.Errorf("the row is of %v", c.Version)
	}
	// A write that needs one shard more than it leads changes nothing (S7).
	head := h.Heads(shardA)[901]
	if err := h.fails(write(change(1, 1, addTrips(4)), elsewhere(shardB, 2, addTrips(4)))); !errors.Is(err, ErrNotLeading) {
		t.Errorf("got %v, want ErrNotLeading", err)
	}
	if h.Heads(shardA)[901] != head || read(h.row(shardA, 1, entity(1)), trips) != feature.OfInt64(3) {
		t.Error("a write that was refused is there in part")
	}
	// Shards of other groups are not led.
	other := feature.Shard{Group: 2}
	if r := h.append(write(elsewhere(other, 5, addTrips(1)))); r.Positions[0].Position.Origin != h.Origin() {
		t.Errorf("in a group without leaders it writes %v", r.Positions)
	}
	h.lead(nil, nil)
	if err := h.fails(write(change(1, 1, addTrips(8)))); !errors.Is(err, ErrNotLeading) {
		t.Errorf("a store that leads nothing: got %v, want ErrNotLeading", err)
	}
}

// I1, S20: once SetLeading has returned, the head of a term that is led no more
// stands still.
func TestATermThatIsOverStandsStill(t *testing.T) {
	h := openHouse(t)
	h.leads()
	h.lead(map[feature.Shard]hlc.Origin{shardA: 901}, nil)
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for {
				if _, err := h.Append(t.Context(), write(change(1, 1, addTrips(1)))); err != nil {
					if !errors.Is(err, ErrNotLeading) {
						t.Errorf("Append: %v, want ErrNotLeading", err)
					}
					return
				}
			}
		})
	}
	h.append(write(change(2, 1, addTrips(1))))
	h.lead(map[feature.Shard]hlc.Origin{shardB: 902}, nil)
	head, own := h.Heads(shardA)[901], h.own(shardA)
	writers.Wait()
	if got := h.Heads(shardA)[901]; got != head {
		t.Errorf("the head moved from %v to %v", head, got)
	}
	if got := h.own(shardA); got != own {
		t.Errorf("its own log moved from %v to %v", own, got)
	}
}

// S20, I13: a term begins with an entry without rows, after the ends of the
// terms before, and once only, over restarts too.
func TestATermBeginsAfterTheTermsBefore(t *testing.T) {
	h := openHouse(t)
	h.leads()
	before := newRemote(801)
	future := hlc.FromTime(h.Now()) + 1000
	before.write(t, future, false, change(1, 50, setRate(1)))
	h.mustJoin(before.after(0))
	ends := map[feature.Shard][]hlc.Position{shardA: {{Origin: 801, At: future}}}
	h.lead(map[feature.Shard]hlc.Origin{shardA: 901}, ends)
	log := h.readLog(t, 901, 0, 1<<20)
	if len(log) != 1 || log[0].Kind != oplog.Noop || len(log[0].Rows) > 0 || len(log[0].Deps) != 1 || log[0].Deps[0] != ends[shardA][0] || log[0].At <= future || log[0].Prev != 0 {
		t.Fatalf("the term begins with %+v", log)
	}
	h.append(write(change(1, 60, setRate(2))))
	h.lead(map[feature.Shard]hlc.Origin{shardA: 901, shardB: 902}, ends)
	h.restart()
	h.lead(map[feature.Shard]hlc.Origin{shardA: 901, shardB: 902}, ends)
	log = h.readLog(t, 901, 0, 1<<20)
	if len(log) != 2 || log[1].Kind != oplog.Delta || log[1].Prev != log[0].At {
		t.Errorf("told again, and after a restart, the log is %+v", log)
	}
	if r := h.append(write(change(1, 70, setRate(3)))); r.Positions[0].Position.At <= log[1].At {
		t.Errorf("after a restart it writes at %v, before %v", r.Positions, log[1].At)
	}
	if got := h.Heads(shardB)[902]; got == 0 {
		t.Error("the second term has no entry")
	}
}

// S21: the tail of a log that has ended is cut, piece by piece: rows stay, what
// is left of the log is whole, and it may go on from there.
func TestACutLogEndsAtItsEnd(t *testing.T) {
	h := openHouse(t)
	h.leads()
	r := newRemote(901)
	const n = 2*maxDropped + 300
	for i := range n {
		r.write(t, hlc.Timestamp(10*(i+1)), false, change(int64(i%50), int64(i), addTrips(1)))
	}
	h.mustJoin(r.after(0))
	row := h.row(shardA, 1, entity(7))
	end := hlc.Position{Origin: 901, At: 1000}
	if err := h.Cut(t.Context(), shardA, end); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"now", "after a restart"} {
		if got := h.Progress(shardA)[901]; got != end.At {
			t.Errorf("%s progress is %v, want %v", when, got, end.At)
		}
		if got := h.Heads(shardA)[901]; got != end.At {
			t.Errorf("%s the last entry is at %v, want %v", when, got, end.At)
		}
		if log := h.readLog(t, 901, 0, 1<<20); len(log) != 100 || log[99].At != end.At {
			t.Errorf("%s %d entries are left, want 100", when, len(log))
		}
		if got := h.row(shardA, 1, entity(7)); !got.Equal(row) {
			t.Errorf("%s the row is %v, was %v", when, got, row)
		}
		h.restart()
	}
	if err := h.Cut(t.Context(), shardA, end); err != nil {
		t.Errorf("cut again: %v", err)
	}
	// Nothing counts of a log that ended before its first entry.
	if err := h.Cut(t.Context(), shardA, hlc.Position{Origin: 901}); err != nil {
		t.Fatal(err)
	}
	if log := h.readLog(t, 901, 0, 1<<20); len(log) > 0 || h.Progress(shardA)[901] != 0 || h.Heads(shardA)[901] != 0 {
		t.Errorf("%d entries are left, progress %v", len(log), h.Progress(shardA))
	}
}

// A log that this store writes is not cut.
func TestALogThatGoesOnIsNotCut(t *testing.T) {
	h := openHouse(t)
	h.leads()
	h.lead(map[feature.Shard]hlc.Origin{shardA: 901}, nil)
	h.append(write(change(1, 1, addTrips(1))))
	h.append(write(elsewhere(feature.Shard{Group: 2}, 1, addTrips(1))))
	for _, o := range []hlc.Origin{901, h.Origin()} {
		if err := h.Cut(t.Context(), shardA, hlc.Position{Origin: o}); !errors.Is(err, oplog.ErrInvalid) {
			t.Errorf("origin %v: got %v, want ErrInvalid", o, err)
		}
	}
	if log := h.readLog(t, 901, 0, 1<<20); len(log) != 2 {
		t.Errorf("%d entries are left, want 2", len(log))
	}
}

// A leader that has a tail of a term before logs it under its own term.
func TestATailIsLoggedAgainUnderTheTerm(t *testing.T) {
	h := openHouse(t)
	h.leads()
	r := newRemote(801)
	r.write(t, 10, false, change(1, 60, setRate(2)))
	h.lead(map[feature.Shard]hlc.Origin{shardA: 901}, nil)
	at, err := h.Relog(t.Context(), shardA, r.after(0).Entries)
	if err != nil || at.Origin != 901 || h.Heads(shardA)[901] != at.At {
		t.Errorf("got %v, %v", at, err)
	}
	if c, _ := h.row(shardA, 1, entity(1)).Cell(rate); c.Version.Position() != (hlc.Position{Origin: 801, At: 10}) {
		t.Errorf("the version is %v", c.Version)
	}
	h.lead(nil, nil)
	if _, err := h.Relog(t.Context(), shardA, r.after(0).Entries); !errors.Is(err, ErrNotLeading) {
		t.Errorf("who does not lead: got %v, want ErrNotLeading", err)
	}
}
