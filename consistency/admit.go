package consistency

import (
	"context"
	"errors"
	"time"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// Met is what a read got.
type Met struct {
	Asked    Alternative
	Met      Alternative
	Degraded bool
	// Members is how many members were read at level quorum, of how many active
	// ones; zero at others.
	Members, Of int
	Waited      time.Duration
	// Lags bound, for each other region that holds what was read, how far the
	// answer may lag it; Lag is the greatest. They may be UnknownLag. The own
	// region is among them while writes of a store that was here before are on
	// their way. Lags belong to the Read, until it is used again.
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
	r.Joined, r.vectors = nil, nil
	if c.unmet(best, c.tokenOf(r), targets) != nil {
		return met, false
	}
	if !c.isAlone {
		c.tellLags(&met, r, targets)
	}
	if best.Level == Quorum { // of one member
		met.Members, met.Of = 1, 1
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
		var err error
		switch {
		case c.isSpread(a, targets) && c.cfg.Rows != nil && len(r.Keys) > 0:
			err = c.readLeaders(ctx, a, r, targets)
		case c.isShared(a, targets):
			err = c.readQuorum(ctx, a, r, targets, &met)
		default:
			err = c.await(ctx, a, c.tokenOf(r), targets, budget)
		}
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
		for _, a := range r.Alternatives {
			if to := forwards(w, a, c.tokenOf(r), targets); len(to) > 0 {
				return met, &ForwardError{To: to, Alternative: a, Waited: met.Waited, Unmet: c.waited(first, met)}
			}
		}
		// Where the rows are not held, who holds them waits instead: what is told of
		// its progress is older than what it has.
		best := r.Alternatives[0]
		if errors.Is(first, ErrElsewhere) || best.Level == Quorum && errors.Is(first, ErrNotActive) {
			if to := forwards(w, Alternative{Level: Eventual}, &noToken, targets); len(to) > 0 {
				return met, &ForwardError{To: to, Alternative: best, Waited: met.Waited, Unmet: c.waited(first, met)}
			}
		}
	}
	return c.lessThanAsked(r, targets, met, first)
}

// maySendOn reports whether another store may be asked. Rows that are not held
// here, or not yet, are had elsewhere only, so those reads need not allow it.
func (c *Coordinator) maySendOn(r *Read, unmet error) bool {
	if c.isAlone || r.Forwarded || isFinal(unmet) {
		return false
	}
	return r.Fallback.Forward || errors.Is(unmet, ErrElsewhere) || errors.Is(unmet, ErrNotActive) || errors.Is(unmet, ErrNotLeader)
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
		to := r.Fallback.Degraded()
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
	var short *QuorumError
	if errors.As(err, &short) {
		short.Waited = met.Waited
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
		case errors.Is(err, ErrNoLeader):
			if none := c.awaitLeader(ctx, targets, budget, c.leaderUnmet); none != nil {
				return none
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
		if err := c.Serves(); err != nil {
			return err
		}
		if err := c.elsewhere(targets); err != nil {
			return err
		}
	}
	if a.Level == Eventual {
		return nil
	}
	if c.isShared(a, targets) || c.isSpread(a, targets) {
		return errShared
	}
	floors, bounded := t.hasFloors(), a.Level == Bounded
	var w world
	var closed hlc.Timestamp
	if floors || bounded {
		w = c.world()
	}
	if floors {
		closed = c.cfg.Store.Closed()
	}
	var membership *meta.Membership
	if !c.isAlone {
		membership = c.Membership()
	}
	for _, target := range targets {
		if a.Level == Leader && c.isLed(target) {
			if err := c.leaderUnmet(target); err != nil {
				return err
			}
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
			r.Lag = worst(w, target.Shard, r.Progress, r.Origins.Self)
		}
		if err := a.unmet(t, target, r); err != nil {
			return err
		}
	}
	return nil
}

// Serves refuses reads while the store copies what it does not have yet, and
// after it was put out of the deployment: with a NotActiveError.
func (c *Coordinator) Serves() error {
	if s := c.state(); s == meta.Joining || s == meta.Removed {
		return &NotActiveError{Store: c.cfg.Self.Store, State: s}
	}
	return nil
}

// state is that of this store; one that nobody knows is about to join, and so is one
// in whose name an earlier life takes part, whose rows and definitions it has not.
func (c *Coordinator) state() meta.State {
	self, members := c.cfg.Self, c.Membership().Members
	for i := range members {
		if members[i].Store == self.Store && (self.Origin == 0 || members[i].Origin == self.Origin) {
			return members[i].State
		}
	}
	return meta.Joining
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

// tellLags notes how far the answer may lag the other regions, and its own where
// writes of a store that was before this one are still on their way. Progress is read
// before the data is, so that the data lags no more.
func (c *Coordinator) tellLags(met *Met, r *Read, targets []Target) {
	if c.isAlone {
		return
	}
	w := c.world()
	r.lags = r.lags[:0]
	for _, target := range targets {
		have := c.cfg.Store.Replica(target.Shard)
		if r.vectors != nil {
			have.Progress = r.vectors[target.Shard]
		}
		lags(w, target.Shard, have.Progress, have.Origins.Self, func(l Lag) {
			if l.Region == c.cfg.Self.Region && l.Time == 0 {
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
