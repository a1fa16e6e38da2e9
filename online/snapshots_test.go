package online

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
)

func TestVersionsAreDiscardedBehindTheLagAndThePins(t *testing.T) {
	var published atomic.Uint64
	var discarded uint64
	s := newSnapshots(&published, func(at uint64) { discarded = at })
	start := time.Now()
	lag := 10 * time.Second
	for _, step := range []struct {
		second  int
		publish uint64
		pin     bool
		unpin   uint64
		want    uint64
	}{
		{second: 0, publish: 100, want: 0},
		{second: 5, publish: 200, want: 0},
		{second: 9, want: 0},
		{second: 10, publish: 300, want: 100},
		{second: 14, pin: true, want: 100}, // pins 300
		{second: 15, publish: 400, want: 200},
		{second: 25, publish: 500, want: 300},
		{second: 60, want: 300},
		{second: 61, unpin: 300, want: 300}, // the floor follows the samples
		{second: 75, want: 500},
	} {
		if step.publish > 0 {
			published.Store(step.publish)
		}
		if step.pin {
			s.pin()
		}
		if step.unpin > 0 {
			s.unpin(step.unpin)
		}
		s.advance(start.Add(time.Duration(step.second)*time.Second), lag)
		if discarded != step.want || s.floor.Load() != step.want {
			t.Errorf("second %d: discarded up to %d, want %d", step.second, discarded, step.want)
		}
		if !s.holds(step.want) || step.want > 0 && s.holds(step.want-1) {
			t.Errorf("second %d: what is held does not begin at %d", step.second, step.want)
		}
	}
}

// The floor never passes a pin, never falls, and never passes what was
// published a lag ago.
func TestDiscardingFollowsThePlainRule(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var published atomic.Uint64
		s := newSnapshots(&published, func(uint64) {})
		type moment struct {
			when time.Time
			at   uint64
		}
		var history []moment
		var pins []uint64
		now, lag, last := time.Now(), 10*time.Second, uint64(0)
		for range 300 {
			now = now.Add(time.Duration(rng.IntN(3000)) * time.Millisecond)
			published.Add(uint64(rng.IntN(3)))
			history = append(history, moment{now, published.Load()})
			switch {
			case rng.IntN(10) == 0:
				pins = append(pins, s.pin())
			case rng.IntN(10) == 0 && len(pins) > 0:
				s.unpin(pins[0])
				pins = pins[1:]
			}
			s.advance(now, lag)
			floor := s.floor.Load()
			if floor < last {
				t.Fatalf("seed %d: the floor fell from %d to %d", seed, last, floor)
			}
			last = floor
			for _, p := range pins {
				if floor > p {
					t.Fatalf("seed %d: the floor %d passed a pin at %d", seed, floor, p)
				}
			}
			bound := uint64(0)
			for _, m := range history {
				if now.Sub(m.when) >= lag {
					bound = m.at
				}
			}
			if floor > bound {
				t.Fatalf("seed %d: the floor %d passed %d, published a lag ago", seed, floor, bound)
			}
		}
		if last == 0 {
			t.Errorf("seed %d: nothing was ever discarded", seed)
		}
	}
}

// S10 on a real Badger: a pinned snapshot survives overwriting and compaction;
// without pins the versions go.
func TestAPinnedSnapshotSurvivesCompaction(t *testing.T) {
	h := openHouse(t)
	const n = 200
	h.fill(n, "first")
	at := h.snapshots.pin()
	overwrite := func() {
		for range 5 {
			h.fill(n, "later")
		}
		now := time.Now()
		for i := range 4 {
			h.snapshots.advance(now.Add(time.Duration(i)*time.Hour), time.Second)
		}
		h.compact()
	}
	overwrite()
	found := func() int {
		var b Batch
		for id := range int64(n) {
			b.Add(shardA, 1, entity(id))
			b.missed = append(b.missed, int(id))
			b.spans = append(b.spans, span{})
		}
		hot := h.hot
		h.hot = nil
		defer func() { h.hot = hot }()
		if err := h.readAt(t.Context(), &b, at); err != nil {
			t.Fatal(err)
		}
		count := 0
		for i := range n {
			if b.Row(i) == nil {
				continue
			}
			row, err := feature.DecodeRow(b.Row(i))
			if err != nil {
				t.Fatal(err)
			}
			if read(row, note) == text("first") {
				count++
			}
		}
		return count
	}
	if got := found(); got != n {
		t.Errorf("the pinned snapshot has %d of its %d rows", got, n)
	}
	h.snapshots.unpin(at)
	overwrite()
	if h.snapshots.holds(at) {
		t.Error("a snapshot that is pinned no more is still held")
	}
	if got := found(); got == n {
		t.Error("nothing was discarded: this test cannot tell a pin from none")
	}
}

// compact writes the memtable to a file and compacts the files, as a running
// Badger does in time, under the floor that the store has given it.
func (h *house) compact() {
	h.Helper()
	floor, pins := h.snapshots.floor.Load(), h.snapshots.mu.pins
	h.stop()
	db, err := badger.OpenManaged(badgerOptions(h.cfg.withDefaults()).WithCompactL0OnClose(true))
	if err != nil {
		h.Fatal(err)
	}
	db.SetDiscardTs(floor)
	if err := db.Close(); err != nil {
		h.Fatal(err)
	}
	h.start()
	h.snapshots.floor.Store(floor)
	h.snapshots.mu.pins = pins
}

// A lookup whose snapshot was discarded meanwhile starts over.
func TestALookupStartsOverWhenItsSnapshotIsGone(t *testing.T) {
	h := openHouse(t, func(c *Config) { c.HotBytes = -1 })
	h.fill(3, "x")
	if at := h.published.Load(); !h.snapshots.holds(at) {
		t.Fatal("the published snapshot is not held")
	}
	reader := &onceDiscarded{store: h.Store}
	var b Batch
	b.Add(shardA, 1, entity(1))
	if err := h.Read(reader.context(t), &b); err != nil {
		t.Fatal(err)
	}
	if b.Row(0) == nil || !reader.done {
		t.Errorf("row %x, discarded under way: %v; want the row", b.Row(0), reader.done)
	}
}

// onceDiscarded is a context that has the published snapshot discarded while a
// lookup is under way: the first time it is asked whether it has ended.
type onceDiscarded struct {
	context.Context
	store *Store
	done  bool
}

func (o *onceDiscarded) context(t *testing.T) context.Context {
	o.Context = t.Context()
	return o
}

// Err discards what the lookup reads and publishes something newer.
func (o *onceDiscarded) Err() error {
	if !o.done {
		o.done = true
		at := o.store.published.Load() + 1
		o.store.published.Store(at)
		o.store.snapshots.floor.Store(at)
	}
	return nil
}
