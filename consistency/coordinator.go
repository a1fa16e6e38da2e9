package consistency

import (
	"context"
	"errors"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// Store is the replica in this process, as reads and writes see it.
type Store interface {
	// Replica returns what is known of the shard now: progress, published after
	// it was durable, so that data read afterwards holds it (C2). Its SafeTime
	// may be left zero.
	Replica(shard feature.Shard) Replica
	// SafeTime returns up to when nothing of any origin is missing in the
	// shard. It may cost more than Replica, and is asked for where it matters.
	SafeTime(shard feature.Shard) hlc.Timestamp
	// Wait returns nil once the shard's progress covers the vector, or ctx's
	// error.
	Wait(ctx context.Context, shard feature.Shard, v hlc.Vector) error
}

// Config assembles a Coordinator. All fields are required.
type Config struct {
	Store Store
	// Self is the store in this process.
	Self meta.Member
	// Members returns the members of a shard.
	Members func(feature.Shard) meta.Members
	// Now is the wall clock, in nanoseconds since the Unix epoch.
	Now func() int64
}

// Coordinator admits reads and writes. It is safe for concurrent use and starts
// no goroutine.
type Coordinator struct{ cfg Config }

// NewCoordinator returns a coordinator, or an error naming what is missing.
func NewCoordinator(cfg Config) (*Coordinator, error) {
	var faults []error
	if cfg.Store == nil {
		faults = append(faults, errors.New("coordinator: Store is missing"))
	}
	if cfg.Members == nil {
		faults = append(faults, errors.New("coordinator: Members is missing"))
	}
	if cfg.Now == nil {
		faults = append(faults, errors.New("coordinator: Now is missing"))
	}
	if cfg.Self.Store == "" || cfg.Self.Region == "" {
		faults = append(faults, errors.New("coordinator: Self needs a store and a region"))
	}
	return &Coordinator{cfg: cfg}, errors.Join(faults...)
}

// Met is what a read got.
type Met struct {
	Asked    Alternative
	Met      Alternative
	Degraded bool
	Waited   time.Duration
}

// AdmitRead returns once the store may answer the read for every target, having
// tried the alternatives in order. The caller opens its snapshot afterwards
// (C2). Errors: ErrBehind, ErrTooStale, ErrSessionLost, ErrLevelNotOffered, or
// ctx's.
func (c *Coordinator) AdmitRead(ctx context.Context, r *Read, targets []Target) (Met, error) {
	if met, ok := c.MeetsNow(r, targets); ok {
		return met, nil
	}
	return c.admitSlowly(ctx, r, targets, Met{Asked: r.Alternatives[0]})
}

// MeetsNow reports whether the store may answer the read as it would like best,
// without waiting. It is what AdmitRead begins with, for callers to whom a
// context that may be waited on is an expense.
func (c *Coordinator) MeetsNow(r *Read, targets []Target) (Met, bool) {
	best := r.Alternatives[0]
	return Met{Asked: best, Met: best}, c.unmet(best, &r.Token, targets) == nil
}

func (c *Coordinator) admitSlowly(ctx context.Context, r *Read, targets []Target, met Met) (Met, error) {
	start := c.cfg.Now()
	waited := func() time.Duration { return time.Duration(c.cfg.Now() - start) }
	var first error
	for _, a := range r.Alternatives {
		budget := a.Within
		if budget == 0 {
			budget = r.Fallback.Wait
		}
		err := c.await(ctx, a, &r.Token, targets, budget)
		met.Waited = waited()
		if err == nil {
			met.Met = a
			return met, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	lost := errors.Is(first, ErrSessionLost) || errors.Is(first, ErrLevelNotOffered)
	if r.Fallback.Unmet == Degrade && !lost {
		met.Met, met.Degraded = Alternative{Level: Eventual}, true
		return met, nil
	}
	var behind *BehindError
	if errors.As(first, &behind) {
		behind.Waited = met.Waited
	}
	return met, first
}

// await tries one alternative for at most budget (C5).
func (c *Coordinator) await(ctx context.Context, a Alternative, t *Token, targets []Target, budget time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	for {
		err := c.unmet(a, t, targets)
		var behind *BehindError
		switch {
		case errors.As(err, &behind) && behind.Want.Origin != 0:
			want := hlc.Vector{behind.Want.Origin: behind.Want.At}
			if c.cfg.Store.Wait(ctx, behind.Shard, want) != nil {
				return err
			}
		case errors.As(err, &behind), errors.Is(err, ErrTooStale):
			if !pause(ctx, safeTimeInterval) {
				return err
			}
		default:
			return err
		}
	}
}

// safeTimeInterval is how often a wait for the safe time looks. It moves by
// itself, with nobody to wake those who wait for it.
const safeTimeInterval = 5 * time.Millisecond

// pause waits for d and returns true, or false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *Coordinator) unmet(a Alternative, t *Token, targets []Target) error {
	timed := a.Level == Bounded || t.hasFloors()
	now := int64(0)
	if timed {
		now = c.cfg.Now()
	}
	for _, target := range targets {
		var r Replica
		if timed || !t.IsEmpty() {
			r = c.cfg.Store.Replica(target.Shard)
		}
		if timed {
			r.SafeTime = c.cfg.Store.SafeTime(target.Shard)
		}
		if err := a.unmet(t, target.Shard, target.Placement, r, now); err != nil {
			return err
		}
	}
	return nil
}

// Write is what a request asks of a write.
type Write struct {
	Concern Concern
	// Token is what the session has seen: the write is ordered after it.
	Token Token
	// Wait bounds the wait for what the token names.
	Wait time.Duration
}

// AdmitWrite returns once the write may be made: its concern can be met by the
// members, and what its session has seen is here (monotonic writes, writes
// follow reads). Errors: ErrNotEnoughLive, ErrDependencyUnavailable,
// ErrSessionLost, or ctx's. Nothing is written.
func (c *Coordinator) AdmitWrite(ctx context.Context, w *Write, targets []Target) error {
	for _, target := range targets {
		if !w.Concern.Possible(c.cfg.Members(target.Shard), c.cfg.Self) {
			return &NotEnoughLiveError{Concern: w.Concern, Members: c.cfg.Members(target.Shard).Active()}
		}
	}
	if w.Token.IsEmpty() {
		return nil
	}
	err := c.await(ctx, Alternative{Level: Session}, &w.Token, targets, max(w.Wait, time.Millisecond))
	var behind *BehindError
	if errors.As(err, &behind) {
		return &DependencyError{Missing: *behind}
	}
	return err
}

// Acknowledged is what is known of a write's concern.
type Acknowledged struct {
	Concern Concern
	Met     bool
	Acks    Acks
}

// Acknowledge reports who has a write that this store has just applied and
// synced. With one store a shard, that is this store.
func (c *Coordinator) Acknowledge(w *Write, targets []Target) Acknowledged {
	out := Acknowledged{Concern: w.Concern, Met: true}
	for i, target := range targets {
		acks, met := w.Concern.Count(c.cfg.Members(target.Shard), c.cfg.Self, func(s meta.StoreID) bool {
			return s == c.cfg.Self.Store
		})
		out.Met = out.Met && met
		if i == 0 || acks.Stores < out.Acks.Stores {
			out.Acks = acks
		}
	}
	return out
}
