package replication

import (
	"maps"
	"slices"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication/oplog"
)

// shard is what the core knows of one shard here.
type shard struct {
	// pending is progress, including what was handed to the store and is not
	// published yet: what follows is judged against it. Intervals land in order.
	pending hlc.Vector
	// flight counts what was handed over, by origin, and handed is how far it
	// goes; claims wait for it to land.
	flight map[hlc.Origin]int
	handed hlc.Vector
	claims hlc.Vector
	// held are origins whose next entry waits for a position of another.
	held map[hlc.Origin]hlc.Position
	// received is what came, joined or not; only a planted fault looks at it.
	received hlc.Vector
	// dirty says that entries were joined that others were not told of.
	dirty bool
	// rebuild is under way when not nil; begun says that there was one while
	// this store was joining.
	rebuild *rebuild
	begun   bool
}

// verdict is what to do with an interval.
type verdict struct {
	join  oplog.Interval // entries to join, none if there are none
	claim hlc.Timestamp  // where progress gets after them; zero: nowhere
	gap   bool           // what lies before it is missing here
	waits hlc.Position   // what the first entry left out depends on
}

// judge decides what of an interval may be joined after pending: a pure
// function. Limit is the seal of the origin; covered tells whether a position
// is here or will be before what is handed over now (I2, I8, I13).
//
// An entry that waits for another origin's does not keep back what lies before
// it: two origins whose entries wait for each other's closed positions would
// stand still for ever.
func judge(pending, limit hlc.Timestamp, iv oplog.Interval, covered func(hlc.Position) bool) verdict {
	iv = iv.Cut(limit)
	switch {
	case iv.After > pending:
		return verdict{gap: true}
	case iv.Through <= pending:
		return verdict{}
	}
	iv = iv.Trim(pending)
	if len(iv.Entries) > 0 && iv.Entries[0].Prev > pending {
		return verdict{gap: true}
	}
	for i := range iv.Entries {
		for _, d := range iv.Entries[i].Deps {
			if covered(d) {
				continue
			}
			v := verdict{join: iv.Cut(iv.Entries[i].At - 1), waits: d}
			if v.join.Through > pending {
				v.claim = v.join.Through
			}
			return v
		}
	}
	return verdict{join: iv, claim: iv.Through}
}

// receiveInterval takes a stretch of a log.
func (c *Core) receiveInterval(from *peer, iv oplog.Interval) {
	s := c.shards[iv.Shard]
	if s == nil || c.writesLog(iv.Shard, iv.Origin) || s.isCopying() && c.self().State == meta.Joining {
		return
	}
	limit, fenced := c.membership.Limit(iv.Shard, iv.Origin)
	if !c.isKnown(iv.Shard, iv.Origin) {
		return // nobody's origin yet: the membership that names it is on its way
	}
	if fenced {
		if !c.cfg.Faults.Has(fault.AdvancePastFence) {
			return
		}
		limit = ^hlc.Timestamp(0)
	}
	if from != nil && c.hasEnded(iv.Shard, iv.Origin) && c.isFenced(from.id) {
		return // what it alone has is being given up (M6)
	}
	if c.cfg.Faults.Has(fault.AckOnReceipt) {
		s.received = s.received.Merge(hlc.Vector{iv.Origin: iv.Through})
		s.dirty = true
	}
	if c.cfg.Faults.Has(fault.AcceptGap) && len(iv.Entries) > 0 {
		iv.After = min(iv.After, s.pending[iv.Origin])
		s.pending[iv.Origin] = max(s.pending[iv.Origin], iv.Entries[0].Prev)
	}
	v := judge(s.pending[iv.Origin], limit, iv, func(p hlc.Position) bool { return c.isComing(iv.Shard, p) })
	if v.gap {
		c.counts.Gaps++
	}
	if f := c.following[iv.Origin]; f != nil && from != nil && f.peer == from.id {
		f.gap, c.unfollowed = f.gap || v.gap, c.unfollowed || v.gap
		if v.claim > 0 {
			f.moved = c.now.Mono
		}
	}
	if v.waits.At > 0 {
		c.counts.Held++
		s.held[iv.Origin] = v.waits
	} else if v.claim > 0 {
		delete(s.held, iv.Origin)
	}
	if v.claim == 0 {
		return
	}
	s.pending[iv.Origin] = v.claim
	if len(v.join.Entries) > 0 {
		c.hand(s, v.join)
		return
	}
	c.claim(iv.Shard, s, hlc.Position{Origin: iv.Origin, At: v.claim})
}

// hand gives entries to the store, which takes only what follows what it has:
// a claim that waits to be made between these entries and those in flight goes
// with them.
func (c *Core) hand(s *shard, iv oplog.Interval) {
	o := iv.Origin
	if at := s.claims[o]; at > 0 && at == iv.After {
		delete(s.claims, o)
		iv.After = s.handed[o]
	}
	s.flight[o]++
	s.handed[o] = iv.Through
	c.emit(Join{Interval: iv})
}

// claim publishes progress without entries, once the entries before it landed.
func (c *Core) claim(id feature.Shard, s *shard, p hlc.Position) {
	if s.flight[p.Origin] > 0 {
		s.claims[p.Origin] = max(s.claims[p.Origin], p.At)
		return
	}
	c.emit(Claim{Shard: id, Position: p})
}

// receiveClosed takes an interval without entries for many shards.
func (c *Core) receiveClosed(from *peer, m Closed) {
	for _, id := range slices.SortedFunc(maps.Keys(m.After), feature.Shard.Compare) {
		if after := m.After[id]; after < m.Through {
			c.receiveInterval(from, oplog.Interval{Shard: id, Origin: m.Origin, After: after, Through: m.Through})
		}
	}
}

// joined takes what became of entries that were handed to the store.
func (c *Core) joined(in Joined) {
	s := c.shards[in.Shard]
	o := in.Position.Origin
	s.flight[o]--
	if in.Err != nil {
		// Back to what is really here; the next heartbeat shows the gap.
		s.pending[o] = c.cfg.Local.Progress(in.Shard)[o]
		delete(s.claims, o)
		return
	}
	s.dirty = true
	c.counts.Intervals++
	c.counts.Entries += uint64(in.Entries)
	if at := s.claims[o]; at > 0 && s.flight[o] == 0 {
		delete(s.claims, o)
		c.claim(in.Shard, s, hlc.Position{Origin: o, At: at})
	}
}

// isComing reports whether a position is joined, or will be before what is
// handed to the store from now on (I13). For one in the tail of an origin that
// ended, what was logged again stands, together with all of the ended log:
// sessions name the tail, and so do the writes that follow them. Any other
// beyond the end names an entry that nobody has; what depends on it was never
// joined anywhere.
func (c *Core) isComing(id feature.Shard, p hlc.Position) bool {
	if c.cfg.Faults.Has(fault.DropDependency) {
		return true
	}
	here := func(p hlc.Position) bool { return c.isHere(id, p) }
	if here(p) {
		return true
	}
	stands, ok := c.membership.Follow(id, p, here)
	return ok && here(stands)
}

func (c *Core) isHere(id feature.Shard, p hlc.Position) bool {
	return c.shards[id].pending[p.Origin] >= p.At || c.cfg.Local.Progress(id)[p.Origin] >= p.At
}

func (c *Core) isFenced(id meta.StoreID) bool {
	x, ok := c.membership.Member(id)
	return ok && x.State == meta.Fenced
}

func (c *Core) hasEnded(id feature.Shard, o hlc.Origin) bool {
	_, ok := c.membership.End(id, o)
	return ok
}

// isKnown reports whether the membership names an origin that writes a shard.
func (c *Core) isKnown(id feature.Shard, o hlc.Origin) bool {
	if t, led := c.membership.Term(id); led && t.Origin == o {
		return true
	}
	_, known := c.membership.ByOrigin(o)
	return known || c.hasEnded(id, o)
}
