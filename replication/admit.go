package replication

import (
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// A member that joins counts in majorities from then on, so it must have what any
// majority of the members before it had, the store whose place it takes among
// them. What those who remain have told covers that: of each majority one remains,
// or all of the majority left and was sealed. So the home notes once what all of
// them have, and lets the member serve when it has as much.

// admission is what a joining member has to have.
type admission struct {
	since  uint64 // of the member's state
	needed map[feature.Shard]hlc.Vector
}

// admits reports whether a joining member has what others had since they count it.
func (c *Core) admits(x meta.Member, p *peer) bool {
	a := c.admissions[x.Store]
	if a == nil || a.since != x.Since {
		if a = c.admission(x); a == nil {
			return false
		}
		if c.admissions == nil {
			c.admissions = map[meta.StoreID]*admission{}
		}
		c.admissions[x.Store] = a
	}
	for id, needed := range a.needed {
		counted, _ := c.upToSeals(id, needed)
		if !p.progress[id].Covers(counted) {
			return false
		}
	}
	return true
}

// admission notes what all who serve have, once each of them has told that it
// knows of the member; nil before.
func (c *Core) admission(x meta.Member) *admission {
	a := &admission{since: x.Since, needed: map[feature.Shard]hlc.Vector{}}
	for _, y := range c.membership.Members {
		if y.State != meta.Active && y.State != meta.Leaving {
			continue
		}
		p := c.peers[y.Store]
		if y.Store != c.cfg.Self.Store && (p == nil || !p.statusSeen || !p.membership.IsOfLine(c.membership.Version()) || p.membership.Revision < x.Since) {
			return nil
		}
		for _, id := range c.cfg.Local.Shards(x.Region) {
			if !c.holds(id)(y) {
				continue
			}
			has := c.cfg.Local.Progress(id)
			if y.Store != c.cfg.Self.Store {
				has = p.progress[id]
			}
			a.needed[id] = a.needed[id].Merge(has)
		}
	}
	return a
}
