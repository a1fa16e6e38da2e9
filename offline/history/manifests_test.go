package history

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"featurestore/feature"
)

func TestWhichManifestsAreSuperfluous(t *testing.T) {
	// Whole are 1, 4 and 7; each is made at ten times its number.
	var all []stamp
	for n := uint64(1); n <= 8; n++ {
		all = append(all, stamp{n, int64(10 * n), n%3 == 1})
	}
	for _, c := range []struct {
		claim  string
		since  uint64
		after  int64
		pinned uint64
		want   []uint64
	}{
		{"all but the latest and its whole one", 8, 1000, 0, []uint64{1, 2, 3, 4, 5, 6}},
		{"the whole one before it is kept for who reads now", 4, 1000, 0, []uint64{1, 2, 3}},
		{"a pinned one and what it goes back to", 7, 1000, 5, []uint64{1, 2, 3, 6}},
		{"a pinned one that is whole", 7, 1000, 4, []uint64{1, 2, 3, 5, 6}},
		{"one that was the latest until after the time", 7, 59, 0, []uint64{1, 2, 3}},
		{"until the time, and no longer", 7, 70, 0, []uint64{1, 2, 3, 4, 5, 6}},
		{"none", 1, 0, 0, nil},
	} {
		got := superfluous(all, c.since, c.after, func(n uint64) bool { return n == c.pinned })
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.claim, got, c.want)
		}
	}
	all[5].atMillis = 0
	if got, want := superfluous(all, 7, 69, func(uint64) bool { return false }), []uint64{1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("before one that cannot be read: got %v, want %v", got, want)
	}
	if got := superfluous(nil, 0, 0, nil); got != nil {
		t.Errorf("got %v of none", got)
	}
}

// Z10: however many commits came after it, a commit is there for who has it, and for
// Keep, in another life as well; then it goes.
func TestAnEarlierCommitStaysByTimeAndReaders(t *testing.T) {
	ctx := context.Background()
	d := newTestDisk(t)
	now := time.Now()
	wall := func(c *Config) { c.Wall = func() time.Time { return now } }
	h := open(t, d, wall)
	commits := func(n int) {
		t.Helper()
		for range n {
			if err := h.commit(ctx, func(*state) (*Manifest, error) { return &Manifest{}, nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	collect := func() {
		t.Helper()
		if err := upkeep(t, h, feature.NewRegistry).Collect(ctx); err != nil {
			t.Fatal(err)
		}
	}
	want := func(number uint64, is error) {
		t.Helper()
		r, err := h.ReaderAt(ctx, number)
		if !errors.Is(err, is) {
			t.Fatalf("commit %d: got %v, want %v", number, err, is)
		}
		if err == nil {
			r.Close()
		}
	}
	commits(1)
	r := h.Reader() // of commit 2
	commits(2*DefaultWholeEvery + 2)
	collect()
	want(2, nil)
	want(3, nil)

	now = now.Add(2 * h.cfg.Keep) // nothing came meanwhile: the latest is old, and may be asked for
	latest := h.state().number
	commits(2*DefaultWholeEvery + 2)
	collect()
	want(2, nil)
	want(3, ErrGone)
	want(latest, nil)
	r.Close()
	collect()
	want(2, ErrGone)

	h.Close()
	h = open(t, d, wall)
	commits(2*DefaultWholeEvery + 2)
	now = now.Add(h.cfg.Keep / 2)
	collect()
	want(latest, nil)
	now = now.Add(h.cfg.Keep)
	commits(2*DefaultWholeEvery + 2)
	collect()
	want(latest, ErrGone)
	if n := len(names(t, d, commitsFolder)); n > 4*DefaultWholeEvery || n != len(h.mu.stamps) {
		t.Errorf("%d manifests are left, and %d known", n, len(h.mu.stamps))
	}
}
