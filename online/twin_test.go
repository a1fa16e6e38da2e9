package online

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"featurestore/feature"
	"featurestore/replication/oplog"
)

// plain is the twin: a map of rows that joins what the log says, written
// without batches, hot tier, codec or Badger.
type plain map[string]feature.Row

// join does to the twin what an acknowledged write did to the store, taking the
// timestamps from the log.
func (p plain) join(h *house, log int) {
	for _, e := range h.entries(shardA)[log:] {
		p.joinEntry(e)
	}
}

func (p plain) joinEntry(e oplog.Entry) {
	if e.LogOnly {
		return
	}
	for _, r := range e.Rows {
		if joined := feature.JoinRow(p[string(r.Key)], r.Delta); !joined.IsEmpty() {
			p[string(r.Key)] = joined
		}
	}
}

func drawChange(t *rapid.T) Placed {
	c := change(rapid.Int64Range(0, 9).Draw(t, "entity"), rapid.Int64Range(0, 5).Draw(t, "event"))
	if rapid.IntRange(0, 9).Draw(t, "delete") == 0 {
		c.Delete = true
		return c
	}
	word := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	for _, a := range []feature.Assignment{
		setRate(rapid.Float64().Draw(t, "rate")),
		addTrips(rapid.Int64().Draw(t, "trips")),
		addTags(rapid.SliceOfN(word, 0, 3).Draw(t, "tags")...),
		raiseTop(rapid.Int64().Draw(t, "top")),
		setNote(word.Draw(t, "note")),
	} {
		switch rapid.IntRange(0, 3).Draw(t, "assign") {
		case 0:
			if a.Rule != feature.Counter && a.Rule != feature.Set {
				a.Value = feature.Value{}
			}
			c.Assignments = append(c.Assignments, a)
		case 1, 2:
			c.Assignments = append(c.Assignments, a)
		}
	}
	return c
}

// S1, S3, S7: random writes, failing ones among them, reads and restarts give
// what a plain map gives.
func TestTheStoreIsAPlainMap(t *testing.T) {
	for _, hot := range []int64{-1, 32 << 20} {
		t.Run(fmt.Sprintf("hot=%d", hot), func(outer *testing.T) {
			rapid.Check(outer, func(t *rapid.T) {
				h := openHouse(outer, func(c *Config) { c.HotBytes = hot })
				defer h.stop()
				twin := plain{}
				log := 0
				t.Repeat(map[string]func(*rapid.T){
					"append": func(t *rapid.T) {
						var w Write
						for range rapid.IntRange(1, 4).Draw(t, "changes") {
							w.Changes = append(w.Changes, drawChange(t))
						}
						w.LogOnly = rapid.IntRange(0, 9).Draw(t, "log only") == 0
						r, err := h.Append(context.Background(), w)
						if err != nil && !errors.Is(err, feature.ErrCounterOverflow) {
							t.Fatalf("Append: %v", err)
						}
						twin.join(h, log)
						before := log
						log = len(h.entries(shardA))
						if err != nil && log != before {
							t.Fatalf("a failed write logged %d entries", log-before)
						}
						if err == nil && !h.Progress(shardA).CoversPosition(r.Positions[0].Position) {
							t.Fatalf("progress %v does not cover %v", h.Progress(shardA), r.Positions)
						}
					},
					"restart": func(t *rapid.T) {
						if rapid.IntRange(0, 9).Draw(t, "really") == 0 {
							h.restart()
						}
					},
					"": func(t *rapid.T) {
						var b Batch
						for id := range int64(10) {
							b.Add(shardA, 1, entity(id))
						}
						if err := h.Read(context.Background(), &b); err != nil {
							t.Fatalf("Read: %v", err)
						}
						for id := range int64(10) {
							want, there := twin[string(entity(id))]
							if got := b.Row(int(id)); (got != nil) != (there && !want.IsEmpty()) || got != nil && !slices.Equal(got, feature.AppendRow(nil, want)) {
								t.Fatalf("row %d is %x, want %+v", id, got, want)
							}
						}
					},
				})
			})
		})
	}
}

// S1, S3, S5: concurrent writers over few rows; afterwards the rows are the
// join of the log, and each writer's counter is what it was told.
func TestRowsAreTheJoinOfTheLogUnderConcurrentWriters(t *testing.T) {
	h := openHouse(t)
	const writers, writes = 8, 100
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range writes {
				h.append(write(
					change(int64(w), int64(n), addTrips(1)),
					change(100+rand.Int64N(5), rand.Int64N(50), setRate(rand.Float64()), addTrips(1), addTags(fmt.Sprint(w))),
				))
			}
		})
	}
	wg.Wait()
	for w := range writers {
		if got := read(h.row(shardA, 1, entity(int64(w))), trips); got != feature.OfInt64(writes) {
			t.Errorf("writer %d's trips = %v, want %d", w, got, writes)
		}
	}
	for _, when := range []string{"now", "after a restart"} {
		twin := plain{}
		twin.join(h, 0)
		t.Log(when)
		compareWithTwin(t, h.Store, twin)
		h.restart()
	}
}
