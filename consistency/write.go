package consistency

import (
	"context"
	"errors"
	"slices"
	"time"

	"featurestore/feature"
	"featurestore/meta"
)

// Write is what a request asks of a write.
type Write struct {
	Concern Concern
	// RequireLive refuses the write when too few other members keep up.
	RequireLive feature.RequireLive
	// Token is what the session has seen: the write is ordered after it.
	Token Token
	// Wait bounds the wait for what the token names.
	Wait time.Duration
	// Timeout bounds the wait for acknowledgements; 0 is DefaultConcernTimeout.
	Timeout time.Duration
}

// DefaultConcernTimeout is how long a write waits for acknowledgements that
// names no time: a few round trips around the world.
const DefaultConcernTimeout = 500 * time.Millisecond

// AdmitWrite returns once the write may be made: the store takes writes, the
// members could meet its concern, enough of them keep up, and what its session
// has seen is here (monotonic writes, writes follow reads). Errors:
// ErrNotActive, ErrElsewhere, ErrNotLeader, ErrNoLeader, ErrNotEnoughLive, ErrOverloaded, ErrTokenInvalid,
// ErrDependencyUnavailable, ErrSessionLost, or ctx's. Nothing is written.
func (c *Coordinator) AdmitWrite(ctx context.Context, w *Write, targets []Target) error {
	at, begun := c.world(), c.cfg.Now()
	var why error
	if c.cfg.Writable != nil {
		why = c.cfg.Writable()
	}
	if state := c.state(); state != meta.Active || why != nil {
		return &NotActiveError{Store: c.cfg.Self.Store, State: state, Why: why}
	}
	if !c.isAlone {
		if err := c.elsewhere(targets); err != nil {
			return err
		}
	}
	if err := c.awaitLeader(ctx, targets, w.timeout(ctx), c.leads); err != nil {
		return err
	}
	for _, target := range targets {
		if err := at.enoughLive(w, target.Shard, c.cfg.Store); err != nil {
			return err
		}
	}
	if w.Concern.Kind != Local && !c.isAlone && c.waiting.Load() >= int64(c.cfg.Waiters) {
		return ErrOverloaded
	}
	if w.Token.IsEmpty() {
		return nil
	}
	if err := c.checkAhead(&w.Token, targets, begun); err != nil {
		return err
	}
	err := c.await(ctx, Alternative{Level: Session}, &w.Token, targets, max(w.Wait, time.Millisecond))
	var behind *BehindError
	if errors.As(err, &behind) {
		behind.Waited = time.Duration(c.cfg.Now() - begun)
		return &DependencyError{Missing: *behind}
	}
	return err
}

// others are the active ones of members without the store that accepts.
func (w world) others(members meta.Members) meta.Members {
	return slices.DeleteFunc(slices.Clone(members.Active()), func(m meta.Member) bool { return m.Store == w.self.Store })
}

// enoughLive returns nil when the members of a shard could meet the write's
// concern, and enough others keep up.
func (w world) enoughLive(write *Write, shard feature.Shard, store Store) error {
	if write.Concern.Kind == Local && write.RequireLive.Members == 0 {
		return nil
	}
	members := w.members(shard)
	if !write.Concern.Possible(members, w.self) {
		return &NotEnoughLiveError{Concern: write.Concern, Others: w.others(members)}
	}
	need := write.RequireLive
	if need.Members == 0 {
		return nil
	}
	here := store.Replica(shard)
	live := 0
	for _, m := range members {
		if m.Store != w.self.Store && m.State == meta.Active && w.keepsUp(m, shard, here, need.MaxLag) {
			live++
		}
	}
	if live < need.Members {
		return &NotEnoughLiveError{Concern: write.Concern, Others: w.others(members), Live: live, Require: need}
	}
	return nil
}

// keepsUp reports whether a member is in reach, and lacks nothing that was
// written here longer ago than a lag.
func (w world) keepsUp(m meta.Member, shard feature.Shard, here Replica, maxLag time.Duration) bool {
	if _, live := w.peers.Reach(m.Store); !live {
		return false
	}
	own := here.Origins.Self
	if from, leads := w.peers.Leads(shard); leads { // then it writes a log of its own
		own = from.Origin
	}
	has, wrote := w.peers.Acked(m.Store, shard)[own], here.Progress[own]
	return has >= wrote || w.lagOf(own, has) <= maxLag
}

// Acknowledged is what is known of a write's concern.
type Acknowledged struct {
	Concern Concern
	Met     bool
	Acks    Acks
}

// Acknowledge waits until the concern holds for a write that this store has
// just applied and synced at these positions, or its time is up, and tells who
// has it. A concern that is not met is no error: Met says so. It fails only
// when ctx was canceled.
func (c *Coordinator) Acknowledge(ctx context.Context, w *Write, positions []ShardPosition) (Acknowledged, error) {
	if out, met := c.metAtOnce(w, positions); met {
		return out, nil
	}
	changed := c.peers.Changed() // before counting, so that no change is missed
	out := c.count(w, positions)
	if out.Met || c.isAlone {
		return out, nil
	}
	defer c.waiting.Add(-1)
	if c.waiting.Add(1) > int64(c.cfg.Waiters) {
		return out, nil // it does not get to wait; AdmitWrite refuses most of those
	}
	timer := time.NewTimer(w.timeout(ctx))
	defer timer.Stop()
	for !out.Met {
		select {
		case <-changed:
		case <-timer.C:
			return out, nil
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return out, nil
			}
			return out, ctx.Err()
		}
		changed = c.peers.Changed()
		out = c.count(w, positions)
	}
	return out, nil
}

// timeout is how long to wait: a tenth of the request's time is left for the
// answer, which names the positions.
func (w *Write) timeout(ctx context.Context) time.Duration {
	limit := w.Timeout
	if limit <= 0 {
		limit = DefaultConcernTimeout
	}
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		limit = min(limit, left-left/10)
	}
	return max(limit, 0)
}

// metAtOnce answers for writes that need nobody else, without allocating.
func (c *Coordinator) metAtOnce(w *Write, positions []ShardPosition) (Acknowledged, bool) {
	out := Acknowledged{Concern: w.Concern, Met: true}
	if len(positions) == 0 {
		return out, true
	}
	out.Acks = Acks{Stores: 1, Regions: c.selfOnly}
	if w.Concern.Kind == Local || c.isAlone && len(c.Membership().Members) == 1 && w.Concern.Kind != Any && w.Concern.Kind != Regions {
		return out, true
	}
	if w.Concern.Kind != RegionQuorum {
		return out, false
	}
	// One store a region is the rule, and it is the majority of its region.
	for _, m := range c.Membership().Members {
		if m.Region == c.cfg.Self.Region && m.Store != c.cfg.Self.Store && m.State == meta.Active {
			return out, false
		}
	}
	return out, true
}

// count tells who has all positions of a write now.
func (c *Coordinator) count(w *Write, positions []ShardPosition) Acknowledged {
	out := Acknowledged{Concern: w.Concern, Met: true}
	at := c.world()
	for i, p := range positions {
		acks, met := w.Concern.Count(at.members(p.Shard), c.cfg.Self, func(s meta.StoreID) bool {
			return at.acked(s, p.Shard, p.Position)
		})
		out.Met = out.Met && met
		if i == 0 || acks.Stores < out.Acks.Stores {
			out.Acks = acks
		}
	}
	return out
}
