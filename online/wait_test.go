package online

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
	"featurestore/hlc"
)

// waitAll starts a waiter for each vector and returns their answers.
func waitAll(ctx context.Context, p *progress, vectors ...hlc.Vector) []chan error {
	out := make([]chan error, len(vectors))
	for i, v := range vectors {
		out[i] = make(chan error, 1)
		go func() { out[i] <- p.wait(ctx, shardA, v) }()
	}
	synctest.Wait()
	return out
}

// answered returns the error of a waiter that is done, and whether it is.
func answered(c chan error) (error, bool) {
	synctest.Wait()
	select {
	case err := <-c:
		return err, true
	default:
		return nil, false
	}
}

func TestWaitersAreWokenByWhatTheyLack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgress(10)
		p.publish(shardA, hlc.Position{Origin: 1, At: 10}, 0)
		waits := waitAll(t.Context(), p, hlc.Vector{1: 10}, hlc.Vector{1: 11}, hlc.Vector{1: 12, 2: 5}, hlc.Vector{3: 1}, nil)
		check := func(step string, want ...bool) {
			t.Helper()
			for i, w := range want {
				err, done := answered(waits[i])
				if done != w || err != nil {
					t.Errorf("%s: waiter %d is done: %v, %v, want %v", step, i, done, err, w)
				}
			}
		}
		check("at first", true, false, false, false, true)
		p.publish(shardB, hlc.Position{Origin: 1, At: 99}, 0)
		check("another shard", false, false, false, false, false)
		p.publish(shardA, hlc.Position{Origin: 1, At: 11}, 0)
		check("o1@11", false, true, false, false)
		p.publish(shardA, hlc.Position{Origin: 2, At: 7}, 0)
		check("o2@7", false, false, false, false)
		p.publish(shardA, hlc.Position{Origin: 1, At: 12}, 0)
		check("o1@12", false, false, true, false)
		p.publish(shardA, hlc.Position{Origin: 1, At: 3}, 0) // never back
		if got := p.vector(shardA); !got.Equal(hlc.Vector{1: 12, 2: 7}) {
			t.Errorf("progress %v", got)
		}
		if n := p.waiters(); n != 1 {
			t.Errorf("%d wait, want 1", n)
		}
		p.close()
		if err, done := answered(waits[3]); !done || !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v, %v", err, done)
		}
		if n := p.waiters(); n != 0 {
			t.Errorf("%d wait, want none", n)
		}
	})
}

func TestWaitEndsWithItsContextAndWithinItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgress(2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		waits := waitAll(ctx, p, hlc.Vector{1: 1}, hlc.Vector{1: 2, 2: 2})
		if err := p.wait(ctx, shardA, hlc.Vector{1: 1}); !errors.Is(err, ErrOverloaded) {
			t.Errorf("one too many: %v, want %v", err, ErrOverloaded)
		}
		<-ctx.Done()
		for i, w := range waits {
			if err, done := answered(w); !done || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("waiter %d: %v, %v, want its deadline", i, err, done)
			}
		}
		if n := p.waiters(); n != 0 {
			t.Errorf("%d wait, want none", n)
		}
		if sp := (*p.shards.Load())[shardA]; len(sp.waiting) != 0 {
			t.Errorf("%d origins are waited for, want none", len(sp.waiting))
		}
	})
}

// The heaps against the plain rule: a waiter is done when progress covers it.
func TestWaitersFollowThePlainRule(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			p := newProgress(1000)
			draw := func() hlc.Vector {
				v := hlc.Vector{}
				for range 1 + rng.IntN(4) {
					v[hlc.Origin(1+rng.IntN(4))] = hlc.Timestamp(1 + rng.IntN(20))
				}
				return v
			}
			needs := make([]hlc.Vector, 60)
			for i := range needs {
				needs[i] = draw()
			}
			ctx, cancel := context.WithCancel(t.Context())
			waits := waitAll(ctx, p, needs...)
			done := make([]bool, len(needs))
			for range 60 {
				p.publish(shardA, hlc.Position{Origin: hlc.Origin(1 + rng.IntN(4)), At: hlc.Timestamp(1 + rng.IntN(18))}, 0)
				for i, w := range waits {
					if !done[i] {
						_, done[i] = answered(w)
					}
					if want := p.vector(shardA).Covers(needs[i]); done[i] != want {
						t.Fatalf("seed %d: waiter for %v at %v is done: %v", seed, needs[i], p.vector(shardA), done[i])
					}
				}
			}
			cancel()
			synctest.Wait()
			if n := p.waiters(); n != 0 {
				t.Errorf("%d wait, want none", n)
			}
		})
	}
}

// S4: whoever waited for a position reads what it brought.
func TestAWaiterReadsWhatItWaitedFor(t *testing.T) {
	h := openHouse(t)
	origin := h.Identity().Origin
	now, err := h.Clock().Now()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := h.Wait(t.Context(), shardA, hlc.Vector{origin: now + 1}); err != nil {
				t.Error(err)
			}
			if got := read(h.row(shardA, 1, entity(1)), trips); got == (feature.Value{}) {
				t.Error("the row is not there after the wait")
			}
		})
	}
	h.append(write(change(1, 1, addTrips(1))))
	wg.Wait()
}

// S4, S5: what Closed says is never overtaken by a later entry.
func TestClosedIsNotOvertaken(t *testing.T) {
	h := openHouse(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				closed, err := h.Closed()
				if err != nil {
					t.Error(err)
					return
				}
				seen := h.own(shardA)
				at := h.append(write(change(1, 1, addTrips(1)))).Positions[0].Position.At
				if at <= closed {
					t.Errorf("entry at %v after the log was closed up to %v", at, closed)
				}
				for e := range h.Entries(t.Context(), shardA, h.Identity().Origin, seen) {
					if e.At <= closed && e.At > seen {
						t.Errorf("entry at %v was not published when the log was closed up to %v", e.At, closed)
					}
				}
			}
		})
	}
	wg.Wait()
	before := hlc.FromTime(h.Now())
	if closed, err := h.Closed(); err != nil || closed < before {
		t.Errorf("an idle store is closed up to %v, %v, want the present %v", closed, err, before)
	}
}

// A commit under way, or a neighbour who asks, does not make an idle store look
// as old as its last write.
func TestClosedDuringACommitIsWhenItBegan(t *testing.T) {
	var ahead atomic.Int64
	start := time.Now()
	h := openHouse(t, func(c *Config) {
		c.Wall = func() time.Time { return start.Add(time.Duration(ahead.Load())) }
	})
	h.append(write(change(1, 1, addTrips(1))))
	ahead.Store(int64(10 * time.Second))
	if _, err := h.clock.Now(); err != nil { // the clock's limit is behind us
		t.Fatal(err)
	}
	commit := h.disk.commit
	began, release := make(chan struct{}), make(chan struct{})
	h.disk.commit = func(txn *badger.Txn, at uint64) error {
		close(began)
		<-release
		return commit(txn, at)
	}
	var wg sync.WaitGroup
	wg.Go(func() { h.append(write(change(1, 1, addTrips(1)))) })
	<-began
	if closed, err := h.Closed(); err != nil || closed < hlc.FromTime(h.Now()) {
		t.Errorf("closed up to %v, %v, want the beginning of the commit, %v", closed, err, h.Now())
	}
	close(release)
	wg.Wait()
	h.disk.commit = commit
}
