package consistency

import (
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// world is what decisions about several stores are made from, at one moment.
type world struct {
	self       meta.Member
	membership *meta.Membership
	peers      Peers
	groups     func(feature.GroupID) *feature.Group
}

func (w world) group(id feature.GroupID) *feature.Group {
	if w.groups == nil {
		return nil
	}
	return w.groups(id)
}

// members are the stores that hold a shard.
func (w world) members(shard feature.Shard) meta.Members {
	return w.membership.Members.Of(w.group(shard.Group))
}

// acked reports whether a store has told that it has position p of a shard; the
// store here has everything that is acknowledged here.
func (w world) acked(store meta.StoreID, shard feature.Shard, p hlc.Position) bool {
	if store == w.self.Store {
		return true
	}
	c, _ := CoveredPosition(w.peers.Acked(store, shard), Origins{Membership: w.membership}, shard, p)
	return c == Covered
}

// safeTime is up to when nothing of any origin is missing in a shard for a
// replica with this progress, whose own log is complete up to closed.
func (w world) safeTime(shard feature.Shard, progress hlc.Vector, own hlc.Origin, closed hlc.Timestamp) hlc.Timestamp {
	if t, led := w.membership.Term(shard); led {
		own = 0
		if t.Leader == w.self.Store && t.State == meta.Open {
			own = t.Origin
		}
	}
	if own != 0 && closed > progress[own] {
		progress = progress.Clone()
		progress[own] = closed
	}
	g := w.group(shard.Group)
	led := g != nil && g.Placement == feature.Leader
	return w.membership.SafeTime(shard, led, progress, func(m meta.Member) bool { return holds(g, m.Region) })
}
