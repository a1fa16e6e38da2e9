package consistency

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// Store is the replica in this process, as reads and writes see it.
type Store interface {
	// Replica returns what is known of the shard now: progress, published after
	// it was durable, so that data read afterwards holds it (C2). Only Progress,
	// Origins.Self and Origins.SelfAt are set. Progress is read after SelfAt, so
	// that a position that this store gave is never taken for one it did not.
	Replica(shard feature.Shard) Replica
	// Closed is up to when the own log is complete in every shard. It may cost
	// more than Replica, and is asked for where it matters.
	Closed() hlc.Timestamp
	// Wait returns nil once the shard's progress covers the vector, or ctx's
	// error.
	Wait(ctx context.Context, shard feature.Shard, v hlc.Vector) error
}

// Config assembles a Coordinator. Store, Self and Now are required.
type Config struct {
	Store Store
	// Self is the store in this process.
	Self meta.Member
	// Peers are the other members; nil: this store is alone.
	Peers Peers
	// Group returns the group of an id; nil, or a nil answer: one that every
	// region holds. It is asked on every read where there are peers.
	Group func(feature.GroupID) *feature.Group
	// NotWriting returns why the store takes no writes just now, "" while it
	// does; nil: it always does.
	NotWriting func() string
	// Now is the wall clock, in nanoseconds since the Unix epoch.
	Now func() int64
	// MaxAhead is how far ahead of Now a token's positions may be and still be
	// waited for; 0 is DefaultMaxAhead.
	MaxAhead time.Duration
	// Waiters bounds the writes that wait for acknowledgements; 0 is 4096.
	Waiters int
	// Faults are planted by tests.
	Faults fault.Set
}

// DefaultMaxAhead is what clocks may differ by, 500 ms, and the second by which
// a restarted store's clock may begin ahead of the wall (hlc.Config.Window).
const DefaultMaxAhead = 1500 * time.Millisecond

// Coordinator admits reads and writes. It is safe for concurrent use and starts
// no goroutine.
type Coordinator struct {
	cfg   Config
	peers Peers
	// isAlone: nothing of other members needs a look.
	isAlone bool
	// selfOnly is what most writes are told: that this store has them.
	selfOnly []meta.Region
	waiting  atomic.Int64 // writes that wait for acknowledgements
}

// NewCoordinator returns a coordinator, or an error naming what is missing.
func NewCoordinator(cfg Config) (*Coordinator, error) {
	var faults []error
	if cfg.Store == nil {
		faults = append(faults, errors.New("coordinator: Store is missing"))
	}
	if cfg.Now == nil {
		faults = append(faults, errors.New("coordinator: Now is missing"))
	}
	if cfg.Self.Store == "" || cfg.Self.Region == "" {
		faults = append(faults, errors.New("coordinator: Self needs a store and a region"))
	}
	if cfg.MaxAhead < 0 || cfg.Waiters < 0 {
		faults = append(faults, errors.New("coordinator: MaxAhead and Waiters are positive, or 0 for the default"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if cfg.MaxAhead == 0 {
		cfg.MaxAhead = DefaultMaxAhead
	}
	if cfg.Waiters == 0 {
		cfg.Waiters = 4096
	}
	c := &Coordinator{cfg: cfg, peers: cfg.Peers, isAlone: cfg.Peers == nil, selfOnly: []meta.Region{cfg.Self.Region}}
	if c.isAlone {
		self := cfg.Self
		self.Origin = cfg.Store.Replica(feature.Shard{}).Origins.Self
		c.peers = alone(self)
	}
	return c, nil
}

// Membership returns who takes part, as this store knows it. It is never nil.
func (c *Coordinator) Membership() *meta.Membership {
	if m := c.peers.Membership(); m != nil {
		return m
	}
	return nobody
}

// nobody is the membership before any is known: this store is no member then.
var nobody = &meta.Membership{}

// Members returns the members of a shard.
func (c *Coordinator) Members(shard feature.Shard) meta.Members { return c.world().members(shard) }

// world is what is known now. Now is left out, because few need it.
func (c *Coordinator) world() world {
	return world{
		self: c.cfg.Self, membership: c.Membership(), peers: c.peers, groups: c.cfg.Group, faults: c.cfg.Faults,
	}
}

// Met is what a read got.
type Met struct {
	Asked    Alternative
	Met      Alternative
	Degraded bool
	Waited   time.Duration
	// Lags bound, for each other region that holds what was read, how far the
	// answer may lag it; Lag is the greatest. They may be UnknownLag. Lags belong
	// to the Read, until it is used again.
	Lags []Lag
	Lag  time.Duration
}

// AdmitRead returns once the store may answer the read for every target, having
// tried the alternatives in order. The caller opens its snapshot afterwards
// (C2). Errors: *ForwardError when others meet the read; else ErrBehind,
// ErrTooStale, ErrSessionLost, ErrTokenInvalid, ErrLevelNotOffered,
// ErrElsewhere, or ctx's.
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
	met := Met{Asked: best, Met: best}
	if c.unmet(best, c.tokenOf(r), targets) != nil {
		return met, false
	}
	if !c.isAlone {
		c.tellLags(&met, r, targets)
	}
	return met, true
}

var noToken Token

// tokenOf is what the read must see.
func (c *Coordinator) tokenOf(r *Read) *Token {
	if c.cfg.Faults.Has(fault.SkipSessionWait) {
		return &noToken
	}
	return &r.Token
}

func (c *Coordinator) admitSlowly(ctx context.Context, r *Read, targets []Target, met Met) (Met, error) {
	start := c.cfg.Now()
	if err := c.checkAhead(c.tokenOf(r), targets, start); err != nil {
		return met, err
	}
	var first error
	for _, a := range r.Alternatives {
		budget := a.Within
		if budget == 0 {
			budget = r.Fallback.Wait
		}
		err := c.await(ctx, a, c.tokenOf(r), targets, budget)
		met.Waited = time.Duration(c.cfg.Now() - start)
		if err == nil {
			met.Met = a
			c.tellLags(&met, r, targets)
			return met, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	if c.maySendOn(r, first) {
		w := c.world()
		w.now = c.cfg.Now()
		for _, a := range r.Alternatives {
			if to := forwards(w, a, c.tokenOf(r), targets); len(to) > 0 {
				return met, &ForwardError{To: to, Alternative: a, Waited: met.Waited, Unmet: c.waited(first, met)}
			}
		}
	}
	return c.lessThanAsked(r, targets, met, first)
}

// maySendOn reports whether another store may be asked. Rows that are not held
// here are nowhere else to be had, so those reads do not need to allow it.
func (c *Coordinator) maySendOn(r *Read, unmet error) bool {
	if c.isAlone || r.Forwarded || isFinal(unmet) {
		return false
	}
	return r.Fallback.Forward || errors.Is(unmet, ErrElsewhere)
}

// isFinal reports whether neither time, nor another store, nor a weaker level
// helps.
func isFinal(err error) bool {
	return errors.Is(err, ErrSessionLost) || errors.Is(err, ErrLevelNotOffered)
}

// NotForwarded returns what a read gets here after nobody took it that f names:
// what its fallback allows, or why it is not met.
func (c *Coordinator) NotForwarded(r *Read, targets []Target, f *ForwardError) (Met, error) {
	return c.lessThanAsked(r, targets, Met{Asked: r.Alternatives[0], Waited: f.Waited}, f.Unmet)
}

// lessThanAsked answers at the level that the fallback names, or fails (C6).
func (c *Coordinator) lessThanAsked(r *Read, targets []Target, met Met, unmet error) (Met, error) {
	if r.Fallback.Unmet == Degrade && !isFinal(unmet) {
		to := Alternative{Level: max(r.Fallback.To, Eventual)}
		if c.unmet(to, c.tokenOf(r), targets) == nil {
			met.Met, met.Degraded = to, true
			c.tellLags(&met, r, targets)
			return met, nil
		}
	}
	return met, c.waited(unmet, met)
}

// waited notes in an error how long was waited.
func (c *Coordinator) waited(err error, met Met) error {
	var behind *BehindError
	if errors.As(err, &behind) {
		behind.Waited = met.Waited
	}
	return err
}

// checkAhead refuses a token that is behind and that nobody could have made by
// now: it would be waited for in vain.
func (c *Coordinator) checkAhead(t *Token, targets []Target, now int64) error {
	latest := t.Latest()
	ahead := time.Duration(latest.Millis()*int64(time.Millisecond) - now)
	if ahead <= c.cfg.MaxAhead || !errors.Is(c.unmet(Alternative{Level: Session}, t, targets), ErrBehind) {
		return nil
	}
	return invalidToken("it names a write at %v, %v ahead of this store's clock; one of the two stores' clocks is off, by more than %v", latest, ahead, c.cfg.MaxAhead)
}

// How long a wait goes on without a look at what nobody wakes it for: the safe
// time moves by itself, and a membership says that what it waits for is lost.
const (
	safeTimeInterval   = 5 * time.Millisecond
	membershipInterval = 100 * time.Millisecond
)

// await tries one alternative for at most budget (C5).
func (c *Coordinator) await(ctx context.Context, a Alternative, t *Token, targets []Target, budget time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	for {
		err := c.unmet(a, t, targets)
		var behind *BehindError
		switch {
		case ctx.Err() != nil:
			return err
		case errors.As(err, &behind) && behind.Want.Origin != 0:
			if !c.waitFor(ctx, behind) {
				return err
			}
		case errors.As(err, &behind), errors.Is(err, ErrTooStale):
			pause(ctx, safeTimeInterval)
		default:
			return err
		}
	}
}

// waitFor waits a while for what is missing and reports whether to look again.
func (c *Coordinator) waitFor(ctx context.Context, behind *BehindError) bool {
	ctx, cancel := context.WithTimeout(ctx, membershipInterval)
	defer cancel()
	err := c.cfg.Store.Wait(ctx, behind.Shard, hlc.Vector{behind.Want.Origin: behind.Want.At})
	return err == nil || ctx.Err() != nil
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// unmet returns nil when the store may answer the alternative for all targets.
func (c *Coordinator) unmet(a Alternative, t *Token, targets []Target) error {
	if !c.isAlone {
		if err := c.elsewhere(targets); err != nil {
			return err
		}
	}
	if a.Level == Eventual {
		return nil
	}
	floors, bounded := t.hasFloors(), a.Level == Bounded
	var w world
	var closed hlc.Timestamp
	if floors || bounded {
		w = c.world()
		w.now, closed = c.cfg.Now(), c.cfg.Store.Closed()
	}
	var membership *meta.Membership
	if !c.isAlone {
		membership = c.Membership()
	}
	for _, target := range targets {
		if a.Level == Quorum && !c.isAlone && len(c.Members(target.Shard).Active()) > 1 {
			return fmt.Errorf("%w: quorum, of several members; ask for session, and write with concern quorum", ErrLevelNotOffered)
		}
		var r Replica
		if bounded || !t.IsEmpty() {
			r = c.cfg.Store.Replica(target.Shard)
			r.Origins.Membership = membership
		}
		if floors {
			r.SafeTime = w.safeTime(target.Shard, r.Progress, r.Origins.Self, closed)
		}
		if bounded && !c.cfg.Faults.Has(fault.TellNoStaleness) {
			r.Lag = worst(w, target.Shard, r.Progress, r.Origins.Self, closed)
		}
		if err := a.unmet(t, target, r); err != nil {
			return err
		}
	}
	return nil
}

// elsewhere refuses groups whose rows this store does not hold.
func (c *Coordinator) elsewhere(targets []Target) error {
	last := feature.GroupID(0)
	for _, target := range targets {
		id := target.Shard.Group
		if id == last || c.cfg.Group == nil {
			continue
		}
		last = id
		if g := c.cfg.Group(id); !holds(g, c.cfg.Self.Region) {
			return &ElsewhereError{Group: g.Name, Regions: g.Regions}
		}
	}
	return nil
}

// tellLags notes how far the answer may lag the other regions. Progress is read
// before the data is, so that the data lags no more.
func (c *Coordinator) tellLags(met *Met, r *Read, targets []Target) {
	if c.isAlone {
		return
	}
	w := c.world()
	w.now = c.cfg.Now()
	r.lags = r.lags[:0]
	for _, target := range targets {
		have := c.cfg.Store.Replica(target.Shard)
		lags(w, target.Shard, have.Progress, have.Origins.Self, 0, func(l Lag) {
			if l.Region == c.cfg.Self.Region {
				return
			}
			if c.cfg.Faults.Has(fault.TellNoStaleness) {
				l.Time = 0
			}
			r.lags = joinLag(r.lags, l)
		})
	}
	met.Lags = r.lags
	for i := range r.lags {
		met.Lag = max(met.Lag, r.lags[i].Time)
	}
}

// SafeTime returns up to when nothing of any store is missing here in a shard,
// zero while one of them was never heard of. It may wait for the disk about
// once a second.
func (c *Coordinator) SafeTime(shard feature.Shard) hlc.Timestamp {
	here := c.cfg.Store.Replica(shard)
	return c.world().safeTime(shard, here.Progress, here.Origins.Self, c.cfg.Store.Closed())
}
