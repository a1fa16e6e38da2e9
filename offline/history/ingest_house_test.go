package history

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"featurestore/feature"
	"featurestore/online"
)

// storeHouse is a real store that runs, with the definitions of rides.
type storeHouse struct {
	testing.TB
	*online.Store
	writes int
	stop   func()
}

func openStore(t testing.TB, name string) *storeHouse {
	t.Helper()
	s, err := online.Open(online.Config{
		Dir: t.TempDir(), Store: name, Region: "eu", Deployment: "test", HotBytes: -1, MemTableBytes: 8 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &storeHouse{TB: t, Store: s}
	h.runs()
	if _, err := s.Apply(context.Background(), rides(), nil); err != nil {
		t.Fatal(err)
	}
	return h
}

// runs runs the store until stop is called, or the test ends.
func (h *storeHouse) runs() {
	h.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	stopped := false
	h.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-ended, h.Close()); err != nil {
			h.Error(err)
		}
	}
	h.Cleanup(h.stop)
}

// write appends drawn changes of a view, always the same.
func (h *storeHouse) write(n int, views ...string) {
	h.Helper()
	for range n {
		h.writes++
		v := view(h, h.Registry(), views[h.writes%len(views)])
		var changes []online.Placed
		for _, c := range rapid.Custom(func(t *rapid.T) []feature.Change {
			out := make([]feature.Change, rapid.IntRange(1, 4).Draw(t, "changes"))
			for i := range out {
				out[i] = drawChange(t, v)
			}
			return out
		}).Example(h.writes) {
			changes = append(changes, online.Placed{Change: c, Shard: v.Shard(c.Key)})
		}
		_, err := h.Append(context.Background(), online.Write{Changes: changes, LogOnly: h.writes%5 == 0})
		if err != nil && !errors.Is(err, feature.ErrCounterOverflow) {
			h.Fatal(err)
		}
	}
}

// follow joins all that another store's own log has.
func (h *storeHouse) follow(from *storeHouse) {
	h.Helper()
	for _, shard := range from.Shards("eu") {
		after := h.Heads(shard)[from.Origin()]
		iv, _, err := from.ReadLog(context.Background(), shard, from.Origin(), after, 1<<30)
		if err != nil {
			h.Fatal(err)
		}
		if len(iv.Entries) == 0 {
			continue
		}
		joined := make(chan error, 1)
		h.Join(iv, func(err error) { joined <- err })
		if err := <-joined; err != nil {
			h.Fatal(err)
		}
	}
}

// fact prints a row so that equal rows, and only they, print alike.
func fact(view feature.ViewID, r *Row) string {
	return fmt.Sprintf("view %d key %x log %v version %v generation %d log_only %v delta %x",
		view, []byte(r.Key), r.Log, r.Version, r.Version.Generation, r.LogOnly, feature.AppendRow(nil, r.Delta))
}

// logged counts the rows of a store's log, but for views that are not for history.
func (h *storeHouse) logged() map[string]int {
	h.Helper()
	facts := map[string]int{}
	views := viewsOf(h.Registry())
	for _, shard := range h.Shards("eu") {
		for origin := range h.Heads(shard) {
			for e, err := range h.Entries(context.Background(), shard, origin, 0) {
				if err != nil {
					h.Fatal(err)
				}
				for i := range e.Rows {
					view := e.Rows[i].View
					if p := views[view]; p.view != nil && !p.view.Offline {
						continue
					}
					if err := split(&e, &e.Rows[i], func(r Row) error { facts[fact(view, &r)]++; return nil }); err != nil {
						h.Fatal(err)
					}
				}
			}
		}
	}
	return facts
}

// kept counts the rows of a history, and checks what its manifest says of files.
func kept(t testing.TB, r *Reader) map[string]int {
	t.Helper()
	facts := map[string]int{}
	for _, view := range r.Views() {
		for _, f := range r.Files(view, AllTime) {
			var bounds Bounds
			var last *Row
			for row, err := range r.Rows(context.Background(), f) {
				if err != nil {
					t.Fatal(err)
				}
				if DayOf(row.Version.EventTime) != f.Day {
					t.Fatalf("%s has a row of %s", f.Name, DayOf(row.Version.EventTime))
				}
				if last != nil && compareRows(last, &row) >= 0 {
					t.Fatalf("%s is out of order at %s", f.Name, fact(view, &row))
				}
				last = &row
				bounds.include(&row)
				facts[fact(view, &row)]++
			}
			if bounds != f.Bounds {
				t.Fatalf("%s has rows within %+v, its manifest says %+v", f.Name, bounds, f.Bounds)
			}
		}
	}
	return facts
}

// difference tells rows that are in one of two and not in the other, or not as
// often; "" for none.
func difference(got, want map[string]int) string {
	for _, f := range slices.Sorted(maps.Keys(want)) {
		if got[f] != want[f] {
			return fmt.Sprintf("history has %d times, the log %d times: %s", got[f], want[f], f)
		}
	}
	for _, f := range slices.Sorted(maps.Keys(got)) {
		if want[f] == 0 {
			return "history has, and the log has not: " + f
		}
	}
	return ""
}

// ingester returns one that commits every time it is asked to.
func ingester(t testing.TB, log Log, h *History, edit ...func(*IngestConfig)) *Ingester {
	t.Helper()
	cfg := IngestConfig{Log: log, History: h, Region: "eu", MaxAge: time.Nanosecond, MaxBytes: 64 << 10}
	for _, e := range edit {
		e(&cfg)
	}
	in, err := NewIngester(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// catchUp takes turns until the history has all of the log, or one fails.
func catchUp(ctx context.Context, in *Ingester) error {
	for range 10_000 {
		in.watch.look()
		full, err := in.turn(ctx, false)
		if err != nil {
			return err
		}
		if !full && in.began.IsZero() {
			return nil
		}
	}
	return errors.New("it does not end")
}

func mustCatchUp(t testing.TB, in *Ingester) {
	t.Helper()
	if err := catchUp(context.Background(), in); err != nil {
		t.Fatal(err)
	}
}

func wantLog(t testing.TB, s *storeHouse, r *Reader) {
	t.Helper()
	if d := difference(kept(t, r), s.logged()); d != "" {
		t.Fatal(d)
	}
	for shard, v := range r.Progress() {
		if !v.Equal(s.Heads(shard)) {
			t.Fatalf("shard %v: history has come to %v, the log to %v", shard, v, s.Heads(shard))
		}
	}
	if g := r.Gaps(); len(g) > 0 {
		t.Fatalf("gaps %v", g)
	}
}
