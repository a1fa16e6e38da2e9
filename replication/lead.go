package replication

import (
	"maps"
	"math"
	"slices"
	"time"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// leading is what this store leads of leader groups.
type leading struct {
	// terms are those that the store leads, as it confirmed last: from which
	// position on, by shard. The map is replaced, never changed.
	terms map[feature.Shard]hlc.Position
	// open are those that the store may answer for: it has nothing beyond the ends
	// of terms. The map is replaced, never changed; changed says that it was.
	open    map[feature.Shard]hlc.Position
	changed bool
	// asked is what it was told last; pending says that it has not confirmed it.
	asked   map[feature.Shard]hlc.Origin
	pending bool
	begun   bool          // it was told once
	again   time.Duration // when it is told again, after it failed
	// settled is the membership under which it leads all that it is to lead.
	settled *meta.Membership
	// bound is until when this store is bound by what it promised leaders which are
	// deposed now, by shard.
	bound map[feature.Shard]time.Duration
	// unassigned is since when shards have waited for a first leader.
	unassigned time.Duration
}

// isLed reports whether a shard is written by one leader.
func (c *Core) isLed(id feature.Shard) bool {
	g := c.cfg.Local.Group(id.Group)
	return g != nil && g.Placement == feature.Leader
}

// ownLog is the origin under which this store writes a shard now, zero for none.
func (c *Core) ownLog(id feature.Shard) hlc.Origin {
	if c.isLed(id) {
		return c.leading.terms[id].Origin
	}
	return c.cfg.Self.Origin
}

// writesLog reports whether a log is this store's: nobody has more of it. Terms
// that have ended may have been an earlier life's.
func (c *Core) writesLog(id feature.Shard, o hlc.Origin) bool {
	if o == c.cfg.Self.Origin {
		return true
	}
	t, led := c.membership.Term(id)
	return led && t.Origin == o && t.Leader == c.cfg.Self.Store
}

// termIndex finds what terms there are by their origins: there are as many as
// partitions, and more that have ended.
type termIndex struct {
	of    *meta.Membership // what it was made of
	terms map[hlc.Origin]termEntry
}

type termEntry struct {
	shard  feature.Shard
	leader meta.StoreID // "" of one that has ended
}

// term finds the term that writes, or wrote, an origin.
func (c *Core) term(o hlc.Origin) (termEntry, bool) {
	if c.index.of != c.membership {
		c.index = termIndex{of: c.membership, terms: map[hlc.Origin]termEntry{}}
		for i := range c.membership.Terms {
			t := &c.membership.Terms[i]
			c.index.terms[t.Origin] = termEntry{t.Shard, t.Leader}
			for _, e := range t.Ended {
				c.index.terms[e.Origin] = termEntry{shard: t.Shard}
			}
		}
	}
	e, ok := c.index.terms[o]
	return e, ok
}

// setLeading tells the store what it leads, where that has changed.
func (c *Core) setLeading() {
	if c.leading.pending || c.now.Mono < c.leading.again || !c.leading.begun && !slices.ContainsFunc(c.order, c.isLed) {
		return
	}
	if c.leading.settled == c.membership && c.isMember() {
		return
	}
	leads, settled := map[feature.Shard]hlc.Origin{}, c.isMember()
	for i := range c.membership.Terms {
		t := &c.membership.Terms[i]
		open := t.State == meta.Open || c.leading.terms[t.Shard].Origin == t.Origin && c.cfg.Faults.Has(fault.WriteAfterEnd)
		if t.Leader == c.cfg.Self.Store && open && c.isMember() && c.mayLead(t) {
			leads[t.Shard] = t.Origin
		} else if t.Leader == c.cfg.Self.Store && t.State == meta.Open {
			settled = false // it may, later
		}
	}
	if c.leading.begun && maps.Equal(leads, c.leading.asked) {
		if settled {
			c.leading.settled = c.membership
		}
		return
	}
	c.leading.asked, c.leading.pending, c.leading.begun = leads, true, true
	c.emit(SetLeading{Origins: leads})
}

// mayLead reports whether this store may begin, or go on, to lead: it has all of
// the terms before (I10).
func (c *Core) mayLead(t *meta.Term) bool {
	if c.leading.terms[t.Shard].Origin == t.Origin || c.cfg.Faults.Has(fault.LeadUncovered) {
		return true
	}
	s := c.shards[t.Shard]
	if s == nil || s.rebuild != nil {
		return false
	}
	have := c.cfg.Local.Progress(t.Shard)
	return !slices.ContainsFunc(t.Ended, func(e meta.TermEnd) bool { return have[e.Origin] < e.Final })
}

// openTerms lets the store answer for what it leads once it has logged again what
// it had beyond the ends of terms: until then its rows show what no log names.
func (c *Core) openTerms() {
	same := func(a, b hlc.Position) bool { return a.Origin == b.Origin }
	if maps.EqualFunc(c.leading.terms, c.leading.open, same) {
		return
	}
	open := make(map[feature.Shard]hlc.Position, len(c.leading.terms))
	for id, from := range c.leading.terms {
		was, is := c.leading.open[id]
		switch {
		case is && was.Origin == from.Origin:
			open[id] = was
		case !c.hasTail(id) || c.cfg.Faults.Has(fault.LeadWithTail):
			open[id] = hlc.Position{Origin: from.Origin, At: c.cfg.Local.Heads(id)[from.Origin]}
		}
	}
	if !maps.Equal(open, c.leading.open) {
		c.leading.open, c.leading.changed = open, true
	}
}

// leadingSet takes what the store confirmed.
func (c *Core) leadingSet(in LeadingSet) {
	c.leading.pending = false
	if in.Err != nil {
		c.leading.asked, c.leading.again = nil, c.now.Mono+c.cfg.Stall
		return
	}
	terms := make(map[feature.Shard]hlc.Position, len(in.Origins))
	for id, o := range in.Origins {
		terms[id] = c.leading.terms[id]
		if terms[id].Origin != o {
			terms[id] = hlc.Position{Origin: o, At: c.cfg.Local.Heads(id)[o]}
		}
	}
	c.leading.terms = terms
	c.openTerms()
}

// obeysTerms reports whether this store does what the terms in force say: it
// writes no log of a term that is to end, has joined what it took of a deposed
// leader's log, and has let pass what it promised that leader.
func (c *Core) obeysTerms() bool {
	if c.leading.pending {
		return false
	}
	for i := range c.membership.Terms {
		t := &c.membership.Terms[i]
		switch {
		case t.State == meta.Open:
			continue
		case t.Leader == c.cfg.Self.Store:
			if c.leading.terms[t.Shard].Origin == t.Origin && !c.cfg.Faults.Has(fault.WriteAfterEnd) {
				return false
			}
		case t.State == meta.Deposed:
			if s := c.shards[t.Shard]; s != nil && s.flight[t.Origin] > 0 {
				return false
			}
			if c.now.Mono < c.leading.bound[t.Shard] && !c.cfg.Faults.Has(fault.ObeyAtOnce) {
				return false
			}
		}
	}
	return true
}

// A leader reads what it wrote for as long as it is certain that nobody else can
// lead: members promise, with each answer to its Status, to obey no document for
// a while in which it is deposed. Nobody compares clocks: the promise lasts from
// when it is given, and counts from when it was asked for (Gray and Cheriton,
// "Leases", 1989). One that was given under a newer document than the leader's
// says nothing: in that it may be deposed.

// drift is what a second on one monotonic clock may differ by on another: leases
// are counted shorter by it than they are kept.
const drift = 50 // one fiftieth

// promise notes what a Fresh to a peer promises.
func (c *Core) promise(p *peer) { p.promised = c.now.Mono }

// bind notes until when this store is bound by promises to leaders that the
// document which comes into force deposes. What is promised from then on says
// nothing of them. Of promises of the life before nothing is known but that they
// were given before this one.
func (c *Core) bind(before *meta.Membership) {
	bound := map[feature.Shard]time.Duration{}
	for i := range c.membership.Terms {
		t := &c.membership.Terms[i]
		if t.State != meta.Deposed {
			continue
		}
		if before != nil {
			if old, led := before.Term(t.Shard); led && old.State == meta.Deposed && old.Origin == t.Origin {
				bound[t.Shard] = c.leading.bound[t.Shard]
				continue
			}
		}
		bound[t.Shard] = c.cfg.Lease
		if p := c.peers[t.Leader]; p != nil {
			bound[t.Shard] += p.promised
		}
	}
	c.leading.bound = bound
}

// takePromise notes what a Fresh that was asked for at a time promises.
func (c *Core) takePromise(p *peer, asked time.Duration, under meta.Version) {
	if c.membership != nil && under.Compare(c.membership.Version()) <= 0 {
		p.lease = max(p.lease, asked+c.cfg.Lease-c.cfg.Lease/drift)
	}
}

// leaseUntil is until when nobody else can lead a shard that this store leads:
// those who have promised by then, and those whose word decides about an end, have
// one in common. Members that join count, for others may count them already.
func (c *Core) leaseUntil(id feature.Shard) time.Duration {
	g := c.cfg.Local.Group(id.Group)
	if g == nil || c.membership == nil {
		return 0
	}
	holding := c.membership.Members.Of(g)
	members := 1
	var promised []time.Duration
	for _, x := range holding {
		if x.Store == c.cfg.Self.Store || x.State != meta.Active && x.State != meta.Joining && x.State != meta.Leaving {
			continue
		}
		members++
		if p := c.peers[x.Store]; p != nil {
			promised = append(promised, p.lease)
		}
	}
	votes := min(meta.SealQuorum(members, c.cfg.Distinct(g, holding)), members-1) // of others
	need := members - votes
	switch {
	case members == 1:
		return math.MaxInt64
	case len(promised) < need:
		return 0
	}
	slices.Sort(promised)
	return promised[len(promised)-need]
}

// hasLease reports whether nobody else can lead a shard that this store leads.
func (c *Core) hasLease(id feature.Shard, now time.Duration) bool { return now < c.leaseUntil(id) }

// ownFacts are how recent the logs are that this store writes: its own, and those
// that it leads, up to when it is certain that nobody else wrote the shard.
// Whatever was accepted by then is in them.
func (c *Core) ownFacts(yield func(hlc.Origin, fact) bool) {
	if !yield(c.cfg.Self.Origin, fact{through: c.closed, asOf: c.now.Mono}) {
		return
	}
	for id, from := range c.leading.open {
		if !yield(from.Origin, fact{through: c.closed, asOf: min(c.now.Mono, c.leaseUntil(id))}) {
			return
		}
	}
}

// rules are what transitions of the membership go by.
func (c *Core) rules() meta.Rules {
	r := meta.Rules{Groups: c.cfg.Local.Groups(), Distinct: c.cfg.Distinct, Draw: c.cfg.Draw}
	if c.cfg.Faults.Has(fault.SealBySome) {
		r.Quorum = func(int, int) int { return 1 }
	}
	return r
}

// firstLeaders gives shards that nobody leads yet their first leaders. It waits a
// while for stores that are about to join: they may be preferred.
func (c *Core) firstLeaders() *meta.Membership {
	next := c.membership.Lead(c.rules())
	if next == c.membership {
		c.leading.unassigned = 0
		return next
	}
	if c.leading.unassigned == 0 {
		c.leading.unassigned = max(1, c.now.Mono)
	}
	for _, x := range c.membership.Members {
		if x.State == meta.Joining && c.now.Mono-c.leading.unassigned < joinPatience {
			return c.membership
		}
	}
	return next
}

// joinPatience is how long a first leader is waited for.
const joinPatience = 10 * time.Second
