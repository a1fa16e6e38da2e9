package history

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"featurestore/feature"
)

// What was begun with a commit goes on with it in another life of the process, though
// files were compacted meanwhile; once they are collected it is told that they are gone.
func TestAnEarlierCommitIsReadAsItWas(t *testing.T) {
	ctx := context.Background()
	s, d := openStore(t, "eu-1"), newTestDisk(t)
	now := time.Now()
	wall := func(c *Config) { c.Wall = func() time.Time { return now } }
	h := manyFiles(t, s, d, wall)
	first := h.Reader()
	number, want := first.Number(), kept(t, first)
	if at := first.CommittedAt(); at.UnixMilli() != now.UnixMilli() {
		t.Errorf("it was committed at %v, want %v", at, now)
	}
	first.Close()
	s.write(3, "driver_stats")
	mustCatchUp(t, ingester(t, s, h))
	if _, err := upkeep(t, h, s.Registry).Compact(ctx); err != nil {
		t.Fatal(err)
	}
	h.Close()

	h = open(t, d, wall, func(c *Config) { c.CompactFiles = 3 })
	r, err := h.ReaderAt(ctx, number)
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * h.cfg.Keep)
	u := upkeep(t, h, s.Registry)
	if err := u.Collect(ctx); err != nil {
		t.Fatal(err)
	}
	if d := difference(kept(t, r), want); d != "" {
		t.Fatal(d)
	}
	r.Close()
	if err := u.Collect(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ReaderAt(ctx, number); !errors.Is(err, ErrGone) {
		t.Errorf("got %v, want %v", err, ErrGone)
	}
	for _, n := range []uint64{0, h.state().number + 1} {
		if _, err := h.ReaderAt(ctx, n); !errors.Is(err, ErrGone) {
			t.Errorf("commit %d: got %v, want %v", n, err, ErrGone)
		}
	}
	if len(h.mu.pins) > 0 {
		t.Errorf("commits %v are pinned by nobody", h.mu.pins)
	}
}

// Who cannot wait until a commit is due says so, and is told when it is there.
func TestACommitCanBeHurried(t *testing.T) {
	s := openStore(t, "eu-1")
	h := open(t, newTestDisk(t))
	in := ingester(t, s, h, func(c *IngestConfig) { c.MaxAge, c.Poll = time.Hour, time.Hour })
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	for range 3 {
		s.write(2, "driver_stats")
		for behind := true; behind; {
			committed := h.Committed()
			in.Hurry()
			behind = false
			for _, shard := range s.Shards("eu") {
				behind = behind || !h.Progress(shard).Covers(s.Heads(shard))
			}
			if behind {
				select {
				case <-committed:
				case <-time.After(time.Minute):
					t.Fatal("nothing is committed for a minute")
				}
			}
		}
	}
}

// A commit whose files of steps are gone is gone, though all its rows are there.
func TestACommitWithoutItsStepsIsGone(t *testing.T) {
	ctx := context.Background()
	h := open(t, newTestDisk(t))
	for _, m := range []*Manifest{
		{Steps: []StepFile{{Name: "_steps/1.steps"}}},
		{Removed: []Removal{{Name: "_steps/1.steps"}}},
	} {
		if err := h.commit(ctx, func(*state) (*Manifest, error) { return m, nil }); err != nil {
			t.Fatal(err)
		}
	}
	number := h.state().number - 1
	r, err := h.ReaderAt(ctx, number)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if _, err := upkeep(t, h, feature.NewRegistry).collect(ctx, func(Removal) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ReaderAt(ctx, number); !errors.Is(err, ErrGone) {
		t.Errorf("got %v, want %v", err, ErrGone)
	}
}

// Who asks for an earlier commit while files are collected has all of them until it
// lets go, or is told that they are gone.
func TestACommitIsAskedForWhileFilesAreCollected(t *testing.T) {
	ctx := context.Background()
	d := newTestDisk(t)
	h := open(t, d)
	a, b := DataFile{Name: "p/v/event_date=1970-01-01/a.parquet", View: 1}, DataFile{Name: "p/v/event_date=1970-01-01/b.parquet", View: 1}
	for _, m := range []*Manifest{
		{Added: []DataFile{a, b}}, {Removed: []Removal{{Name: a.Name}}}, {Removed: []Removal{{Name: b.Name}}},
	} {
		if err := h.commit(ctx, func(*state) (*Manifest, error) { return m, nil }); err != nil {
			t.Fatal(err)
		}
	}
	both, withB := h.state().number-2, h.state().number-1
	var removed []string
	var had *Reader
	d.before = func(step, name string) error {
		if step != "remove" {
			return nil
		}
		removed = append(removed, name)
		if had != nil {
			return nil
		}
		if _, err := h.ReaderAt(ctx, both); !errors.Is(err, ErrGone) {
			t.Errorf("while %s is removed: got %v, want %v", name, err, ErrGone)
		}
		var err error
		if had, err = h.ReaderAt(ctx, withB); err != nil {
			t.Fatal(err)
		}
		return nil
	}
	u := upkeep(t, h, feature.NewRegistry)
	all := func(Removal) bool { return true }
	if pinned, err := u.collect(ctx, all); err != nil || pinned != 1 || !slices.Equal(removed, []string{a.Name}) {
		t.Fatalf("removed %q and left %d, %v, want %s removed", removed, pinned, err, a.Name)
	}
	had.Close()
	boom := errors.New("boom")
	d.before = func(string, string) error { return boom }
	if _, err := u.collect(ctx, all); !errors.Is(err, boom) {
		t.Fatalf("got %v, want %v", err, boom)
	}
	d.before = func(string, string) error { return nil }
	if _, err := h.ReaderAt(ctx, withB); !errors.Is(err, ErrGone) {
		t.Errorf("a file that may be gone: got %v, want %v", err, ErrGone)
	}
	if _, err := u.collect(ctx, all); err != nil || len(h.state().removed) > 0 || len(h.mu.collecting) > 0 {
		t.Errorf("%v, %v are left, of them %v in hand", err, h.state().removed, h.mu.collecting)
	}
}
