package online

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// Nobody runs the store in these tests: the queue fills.
func idleStore(t *testing.T, edit func(*Config)) *Store {
	t.Helper()
	cfg := testConfig(t.TempDir())
	edit(&cfg)
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestAFullQueueAnswersOverloadedWhenTheContextEnds(t *testing.T) {
	w := write(change(1, 1, addTrips(1)), change(2, 1, addTrips(1)))
	for name, edit := range map[string]func(*Config){
		"number": func(c *Config) { c.QueuedWrites = 2 },
		"bytes":  func(c *Config) { c.QueuedBytes = int64(2 * w.sizeBytes()) },
	} {
		t.Run(name, func(t *testing.T) {
			s := idleStore(t, edit)
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			var errs [5]error
			for i := range errs {
				wg.Go(func() { _, errs[i] = s.Append(ctx, w) })
			}
			waitFor(t, func() bool { return s.queue.length.Load() == 2 })
			cancel()
			wg.Wait()
			for i, err := range errs {
				if !errors.Is(err, ErrOverloaded) || !errors.Is(err, context.Canceled) {
					t.Errorf("write %d: %v, want %v because of %v", i, err, ErrOverloaded, context.Canceled)
				}
			}
			// They gave up: the committer, when it comes, writes none of them.
			h := &house{TB: t}
			h.runs(s)
			h.append(write(change(1, 1, addTrips(1))))
			if n := len(h.entries(shardA)); n != 1 {
				t.Errorf("%d entries, want only the write that did not give up", n)
			}
			h.stop()
		})
	}
}

func TestAWriteLargerThanTheQueueStillPasses(t *testing.T) {
	h := openHouse(t, func(c *Config) { c.QueuedBytes = 100 })
	h.append(write(change(1, 1, addTrips(1)), change(2, 1, addTrips(1))))
}

func TestCloseAnswersWhoWaits(t *testing.T) {
	s := idleStore(t, func(c *Config) { c.QueuedWrites = 2 })
	var wg sync.WaitGroup
	var errs [6]error
	for i := range errs {
		wg.Go(func() { _, errs[i] = s.Append(t.Context(), write(change(1, 1, addTrips(1)))) })
	}
	waitFor(t, func() bool { return s.queue.length.Load() == 2 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	for i, err := range errs {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("write %d: %v, want %v", i, err, ErrClosed)
		}
	}
}

// What was accepted is finished when Run's context ends.
func TestRunFinishesWhatWasAccepted(t *testing.T) {
	s := idleStore(t, func(*Config) {})
	var wg sync.WaitGroup
	var errs [20]error
	for i := range errs {
		wg.Go(func() { _, errs[i] = s.Append(context.Background(), write(change(int64(i), 1, addTrips(1)))) })
	}
	waitFor(t, func() bool { return s.queue.length.Load() == int64(len(errs)) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if _, err := s.Append(t.Context(), write(change(1, 1, addTrips(1)))); !errors.Is(err, ErrClosed) {
		t.Errorf("after Run: %v, want %v", err, ErrClosed)
	}
}
