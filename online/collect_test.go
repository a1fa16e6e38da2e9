package online

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/hlc"
)

// collecting applies three views: 1 under event_time with bounded lateness and
// write_time, 2 with a counter beside, 3 under event_time for ever. Their ids
// are given in that order.
func collecting(t testing.TB, h *house) {
	t.Helper()
	text := `project: rides
entities:
  - {name: driver, join_keys: [{name: driver_id, type: int64}]}
views:
  - {name: a, entity: driver, max_lateness: 1h, features: [{name: rate, type: float64}, {name: note, type: string, conflict: write_time}]}
  - {name: b, entity: driver, max_lateness: 1h, features: [{name: rate, type: float64}, {name: trips, type: int64, conflict: counter}]}
  - {name: c, entity: driver, features: [{name: rate, type: float64}]}
`
	d, err := definition.Parse("test.yaml", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Apply(t.Context(), d, nil); err != nil {
		t.Fatal(err)
	}
	catalog, _ := h.Registry().Catalog("rides")
	for i, v := range catalog.Views() {
		if v.ID != feature.ViewID(i+1) {
			t.Fatalf("view %s has id %d, want %d", v.Name, v.ID, i+1)
		}
	}
}

// in puts a change into another view.
func in(view feature.ViewID, c Placed) Placed {
	c.View = view
	return c
}

func deletion(id, event int64) Placed {
	c := change(id, event)
	c.Delete = true
	return c
}

// S18: a tombstone goes when no write can hide behind it any more; the row goes
// with it when nothing is left; everything else stays.
func TestCollectTakesWhatIsBelowTheHorizon(t *testing.T) {
	for _, hot := range []int64{-1, 32 << 20} {
		t.Run(fmt.Sprintf("hot=%d", hot), func(t *testing.T) {
			h := openHouse(t, func(c *Config) { c.HotBytes = hot })
			collecting(t, h)
			now := h.Now()
			old := now.Add(-2 * time.Hour).UnixNano()
			var w Write
			for id := range int64(600) {
				w.Changes = append(w.Changes, deletion(1000+id, old))
			}
			w.Changes = append(w.Changes,
				deletion(1, old), deletion(2, now.UnixNano()), deletion(3, old), change(3, old+1, setRate(1)),
				in(2, deletion(1, old)), in(3, deletion(1, old)), in(9, deletion(1, old)))
			h.append(w)
			horizon := h.own(shardA) + 1
			h.append(write(deletion(4, old)))
			before := h.entries(shardA)
			if err := h.Collect(t.Context(), shardA, horizon); err != nil {
				t.Fatal(err)
			}
			for _, when := range []string{"now", "after a restart"} {
				for _, tc := range []struct {
					view feature.ViewID
					id   int64
					name string
					want bool
				}{
					{1, 1, "old", false}, {1, 1000, "old", false}, {1, 1599, "old", false},
					{1, 2, "an event that may still come", true}, {1, 4, "above the horizon", true},
					{2, 1, "beside a counter", true}, {3, 1, "of a view without bounds", true}, {9, 1, "of an unknown view", true},
				} {
					if got := !h.row(shardA, tc.view, entity(tc.id)).Tombstone.IsZero(); got != tc.want {
						t.Errorf("%s the tombstone of %d in view %d, %s, is there: %v", when, tc.id, tc.view, tc.name, got)
					}
				}
				left := h.row(shardA, 1, entity(3))
				if !left.Tombstone.IsZero() || read(left, rate) != feature.OfFloat64(1) {
					t.Errorf("%s the row with a cell is %+v", when, left)
				}
				rows := 0
				for _, err := range h.Scan(context.Background(), shardA, 1) {
					if err != nil {
						t.Fatal(err)
					}
					rows++
				}
				if rows != 3 {
					t.Errorf("%s view 1 has %d rows, want 3", when, rows)
				}
				if c, err := h.ReadChunk(t.Context(), shardA, nil, 1); err != nil || c.Horizon != horizon {
					t.Errorf("%s the horizon is %v, %v, want %v", when, c.Horizon, err, horizon)
				}
				h.restart()
			}
			if after := h.entries(shardA); len(after) != len(before) {
				t.Errorf("the log had %d entries and has %d", len(before), len(after))
			}
			// Nothing that was hidden comes back, and new writes count.
			h.append(write(change(1, now.UnixNano(), setRate(7))))
			if got := read(h.row(shardA, 1, entity(1)), rate); got != feature.OfFloat64(7) {
				t.Errorf("a write after collecting reads %v", got)
			}
			if err := h.Collect(t.Context(), shardA, horizon-1); err != nil {
				t.Fatal(err)
			}
			if c, err := h.ReadChunk(t.Context(), shardA, nil, 1); err != nil || c.Horizon != horizon {
				t.Errorf("a lower horizon made it %v, %v", c.Horizon, err)
			}
		})
	}
}

type seen struct {
	hash   uint64
	newest hlc.Timestamp
}

func (h *house) digest(shard feature.Shard, below hlc.Timestamp) (map[string]seen, hlc.Vector, hlc.Timestamp) {
	h.Helper()
	out := map[string]seen{}
	progress, horizon, err := h.Digest(context.Background(), shard, below, func(view feature.ViewID, key feature.Key, hash uint64, newest hlc.Timestamp) bool {
		out[fmt.Sprintf("%d/%x", view, []byte(key))] = seen{hash, newest}
		return true
	})
	if err != nil {
		h.Fatalf("Digest: %v", err)
	}
	return out, progress, horizon
}

// S18: stores that joined the same entries in another order, one of which has
// collected its tombstones and the other only raised its horizon, see the same.
func TestDigestsOfStoresThatHoldTheSameAreEqual(t *testing.T) {
	one, other := openHouse(t), openHouse(t)
	collecting(t, one)
	collecting(t, other)
	a, b := newRemote(101), newRemote(102)
	start := one.Now().Add(-3 * time.Hour)
	old := start.UnixNano()
	for i := range hlc.Timestamp(40) {
		at := hlc.FromTime(start) + 10*i
		c := change(int64(i%8), old+int64(i), setRate(float64(i)), setNote(fmt.Sprint(i)))
		if i%5 == 0 {
			c = deletion(int64(i%8), old+int64(i))
		}
		a.write(t, at, false, c)
		b.write(t, at+1, false, in(2, change(int64(i%8), old, setRate(float64(i)), addTrips(1))))
	}
	one.mustJoin(a.after(0), b.after(0))
	for _, e := range b.after(0).Entries {
		other.mustJoin(b.after(e.Prev).Cut(e.At))
	}
	for _, e := range a.after(0).Entries {
		other.mustJoin(a.after(e.Prev).Cut(e.At))
	}
	below := hlc.Timestamp(0)
	check := func(step string) {
		t.Helper()
		x, progress, horizon := one.digest(shardA, below)
		y, progress2, horizon2 := other.digest(shardA, below)
		if !progress.Equal(progress2) || horizon != horizon2 || len(x) == 0 || len(x) != len(y) {
			t.Fatalf("%s: %d rows at %v, %v; %d at %v, %v", step, len(x), progress, horizon, len(y), progress2, horizon2)
		}
		for key, s := range x {
			if y[key] != s {
				t.Errorf("%s: row %s is %+v in one, %+v in the other", step, key, s, y[key])
			}
		}
	}
	check("joined")
	horizon := max(a.head(), b.head()) + 1
	if err := one.Collect(t.Context(), shardA, horizon); err != nil {
		t.Fatal(err)
	}
	err := other.queue.run(t.Context(), 0, func(ctx context.Context, c *committer) error { return c.raiseHorizon(ctx, shardA, horizon) })
	if err != nil {
		t.Fatal(err)
	}
	below = horizon
	check("collected")
	other.append(write(deletion(1, 1), in(2, change(7, old+99, setRate(3)))))
	rows, _, _ := other.digest(shardA, below)
	before, _, _ := one.digest(shardA, below)
	differ := 0
	for key, s := range rows {
		if before[key] != s {
			differ++
			if s.newest != other.own(shardA) {
				t.Errorf("row %s is newest at %v, want %v", key, s.newest, other.own(shardA))
			}
		}
	}
	if differ != 2 {
		t.Errorf("%d rows differ after two writes", differ)
	}
	visits := 0
	if _, _, err := one.Digest(t.Context(), shardA, below, func(feature.ViewID, feature.Key, uint64, hlc.Timestamp) bool {
		visits++
		return false
	}); err != nil || visits != 1 {
		t.Errorf("%d visits after false, %v", visits, err)
	}
}
