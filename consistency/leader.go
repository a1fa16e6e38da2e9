package consistency

import (
	"context"
	"errors"
	"fmt"
	"time"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// Errors about leaders of leader groups. Nothing was read or written.
var (
	// ErrNotLeader reports a shard that another store leads.
	ErrNotLeader = errors.New("another store leads")
	// ErrNoLeader reports a shard that nobody leads just now, or whose leader
	// cannot be certain of it.
	ErrNoLeader = errors.New("nobody leads just now")
)

// NotLeaderError names the leader. It matches ErrNotLeader.
type NotLeaderError struct {
	Group  string
	Shard  feature.Shard
	Leader meta.Member
}

// Error implements error.
func (e *NotLeaderError) Error() string {
	return fmt.Sprintf("%v: partition %d of group %s is led by store %s in region %s", ErrNotLeader, e.Shard.Partition, e.Group, e.Leader.Store, e.Leader.Region)
}

// Is matches ErrNotLeader.
func (e *NotLeaderError) Is(target error) bool { return target == ErrNotLeader }

// NoLeaderError says why nobody leads. It matches ErrNoLeader.
type NoLeaderError struct {
	Group  string
	Shard  feature.Shard
	Why    string
	Waited time.Duration
}

// Error implements error.
func (e *NoLeaderError) Error() string {
	return fmt.Sprintf("%v: partition %d of group %s: %s, after waiting %v", ErrNoLeader, e.Shard.Partition, e.Group, e.Why, e.Waited)
}

// Is matches ErrNoLeader.
func (e *NoLeaderError) Is(target error) bool { return target == ErrNoLeader }

// isLed reports whether one store writes a shard.
func (c *Coordinator) isLed(target Target) bool {
	return !c.isAlone && target.Placement == feature.Leader
}

// leads returns nil when this store leads a shard: a NotLeaderError or
// NoLeaderError otherwise.
func (c *Coordinator) leads(target Target) error {
	if _, leads := c.peers.Leads(target.Shard); leads {
		return nil
	}
	name := fmt.Sprint(target.Shard.Group)
	if c.cfg.Group != nil {
		if g := c.cfg.Group(target.Shard.Group); g != nil {
			name = g.Name
		}
	}
	m := c.Membership()
	t, known := m.Term(target.Shard)
	switch {
	case !known:
		return &NoLeaderError{Group: name, Shard: target.Shard, Why: "its first leader is being chosen"}
	case t.State != meta.Open:
		return &NoLeaderError{Group: name, Shard: target.Shard, Why: fmt.Sprintf("store %s takes over from store %s", t.Next, t.Leader)}
	case t.Leader == c.cfg.Self.Store:
		return &NoLeaderError{Group: name, Shard: target.Shard, Why: fmt.Sprintf("store %s is about to lead, and lacks some of the terms before", t.Leader)}
	}
	x, _ := m.Member(t.Leader)
	return &NotLeaderError{Group: name, Shard: target.Shard, Leader: x}
}

// leaderUnmet returns nil when a read at level leader may go on here: this store
// leads, nobody else can, and all that is readable here would survive it.
func (c *Coordinator) leaderUnmet(target Target) error {
	if err := c.leads(target); err != nil {
		return err
	}
	if !c.isCommitted(target.Shard) {
		return &NoLeaderError{Group: fmt.Sprint(target.Shard.Group), Shard: target.Shard, Why: "too few members have its last writes"}
	}
	if !c.peers.HasLease(target.Shard) && !c.cfg.Faults.Has(fault.SkipLease) {
		return &NoLeaderError{Group: fmt.Sprint(target.Shard.Group), Shard: target.Shard, Why: "too few members have promised to follow no other"}
	}
	return nil
}

// isCommitted reports whether all that is readable here of a shard that this
// store leads is at as many members as the group's durability names (I12). What
// earlier terms wrote comes before the first entry of this one.
func (c *Coordinator) isCommitted(shard feature.Shard) bool {
	if c.cfg.Faults.Has(fault.SkipCommitGate) {
		return true
	}
	from, leads := c.peers.Leads(shard)
	if !leads {
		return false
	}
	w := c.world()
	members := w.members(shard)
	need := 1
	if g := w.group(shard.Group); g != nil {
		need = Distinct(g, members)
	}
	if need == 1 {
		return true
	}
	from.At = max(from.At, c.cfg.Store.Heads(shard)[from.Origin])
	have := 0
	for _, x := range members {
		if x.State == meta.Active && (x.Store == c.cfg.Self.Store || w.peers.Acked(x.Store, shard).CoversPosition(from)) {
			have++
		}
	}
	return have >= need
}

// StandsNow reports whether what was just read here stands, without waiting: it is
// what Confirm begins with, for callers to whom a context that may be waited on is
// an expense.
func (c *Coordinator) StandsNow(r *Read, met Met, targets []Target) bool {
	if met.Met.Level != Leader || c.isAlone || r.Joined != nil { // who led it has said so
		return true
	}
	for _, target := range targets {
		if c.isLed(target) && c.leaderUnmet(target) != nil {
			return false
		}
	}
	return true
}

// Confirm returns once what was just read here at level leader stands: it was all
// committed, and nobody else led meanwhile. It is asked after the rows were read,
// for what is committed and who leads may change while they are. Otherwise it
// returns what the read gets instead, as AdmitRead does.
func (c *Coordinator) Confirm(ctx context.Context, r *Read, targets []Target, met Met) (Met, error) {
	if c.StandsNow(r, met, targets) {
		return met, nil
	}
	begun := c.cfg.Now()
	budget := met.Met.Within
	if budget == 0 {
		budget = max(r.Fallback.Wait, DefaultConcernTimeout)
	}
	err := c.awaitLeader(ctx, targets, budget, c.leaderUnmet)
	met.Waited += time.Duration(c.cfg.Now() - begun)
	if err == nil {
		return met, nil
	}
	return c.lessThanAsked(r, targets, Met{Asked: met.Asked, Waited: met.Waited}, err)
}

// awaitLeader waits at most budget until a condition holds for every shard that is
// led; it fails at once where another store leads.
func (c *Coordinator) awaitLeader(ctx context.Context, targets []Target, budget time.Duration, unmet func(Target) error) error {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	begun := c.cfg.Now()
	for {
		changed := c.peers.Changed() // before looking, so that no change is missed
		var err error
		for _, target := range targets {
			if c.isLed(target) {
				if err = unmet(target); err != nil {
					break
				}
			}
		}
		var none *NoLeaderError
		if !errors.As(err, &none) {
			return err
		}
		select {
		case <-changed:
		case <-time.After(membershipInterval):
		case <-ctx.Done():
			none.Waited = time.Duration(c.cfg.Now() - begun)
			return none
		}
	}
}

// leaderToAsk is who leads all targets that are led, when it is one store, another
// one, and in reach.
func leaderToAsk(w world, targets []Target) meta.Members {
	var leader meta.StoreID
	for _, target := range targets {
		if target.Placement != feature.Leader {
			continue
		}
		t, ok := w.membership.Term(target.Shard)
		if !ok || t.State != meta.Open || leader != "" && t.Leader != leader {
			return nil
		}
		leader = t.Leader
	}
	x, ok := w.membership.Member(leader)
	if _, live := w.peers.Reach(leader); !ok || !live || leader == w.self.Store || x.URL == "" {
		return nil
	}
	return meta.Members{x}
}

// OwnLog returns the origin under which this store writes a target: that of
// its term where the shard is led.
func (c *Coordinator) OwnLog(target Target) hlc.Origin {
	if c.isLed(target) {
		from, _ := c.peers.Leads(target.Shard)
		return from.Origin
	}
	return c.cfg.Store.Replica(target.Shard).Origins.Self
}

// LedElsewhere returns the store that leads a shard, when it is another one that
// may be asked; false when the shard is written here, or nobody leads just now.
func (c *Coordinator) LedElsewhere(target Target) (leader meta.Member, elsewhere bool) {
	if !c.isLed(target) {
		return meta.Member{}, false
	}
	var not *NotLeaderError
	if err := c.leads(target); errors.As(err, &not) && not.Leader.URL != "" {
		return not.Leader, true
	}
	return meta.Member{}, false
}
