package replication

import (
	"maps"
	"slices"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// following is where one origin's log comes from.
type following struct {
	peer  meta.StoreID
	asked time.Duration // when Follow was sent last
	moved time.Duration // when it brought something last
	// gap says that something was lost on the way, or waited for another log:
	// it must be asked for again.
	gap    bool
	shards int // how many it was asked for
}

// source is one peer that could be followed for an origin.
type source struct {
	id        meta.StoreID
	owner     bool // it writes the origin
	ahead     bool // it has something of it that is not here, and can read it
	roundTrip time.Duration
}

// chooseSource picks the peer to follow an origin at, out of those in reach,
// purely: its own store, else the one in use while it is ahead, else the
// nearest that is ahead, else whoever is in use or the first.
func chooseSource(current meta.StoreID, live []source) meta.StoreID {
	var best *source
	better := func(a, b *source) bool {
		switch {
		case b == nil:
			return true
		case a.owner != b.owner:
			return a.owner
		case a.ahead != b.ahead:
			return a.ahead
		case (a.id == current) != (b.id == current):
			return a.id == current
		case a.roundTrip != b.roundTrip:
			return a.roundTrip < b.roundTrip
		}
		return a.id < b.id
	}
	for i := range live {
		if better(&live[i], best) {
			best = &live[i]
		}
	}
	if best == nil {
		return ""
	}
	return best.id
}

// wanted are the origins whose logs are not complete here, in order, each once.
func (c *Core) wanted() []hlc.Origin {
	var out []hlc.Origin
	for _, x := range c.membership.Members {
		if x.Origin != 0 && x.Origin != c.cfg.Self.Origin && x.State != meta.Removed {
			out = append(out, x.Origin)
		}
	}
	for _, s := range c.membership.Seals {
		if s.Origin != c.cfg.Self.Origin && !c.isComplete(s) {
			out = append(out, s.Origin)
		}
	}
	for i := range c.membership.Terms {
		t := &c.membership.Terms[i]
		if c.shards[t.Shard] == nil {
			continue
		}
		if t.Leader != c.cfg.Self.Store {
			out = append(out, t.Origin)
		}
		for _, e := range t.Ended {
			if !c.isHere(t.Shard, hlc.Position{Origin: e.Origin, At: e.Final}) {
				out = append(out, e.Origin)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// writtenByStores are the shards that nobody leads.
func (c *Core) writtenByStores(shards []feature.Shard) []feature.Shard {
	return slices.DeleteFunc(slices.Clone(shards), c.isLed)
}

// isComplete reports whether all that counts of a sealed origin is here.
func (c *Core) isComplete(seal meta.Seal) bool {
	for _, id := range c.order {
		if c.shards[id].pending[seal.Origin] < seal.Final[id] {
			return false
		}
	}
	return true
}

// followSoon notes that an input may change who is followed. Most bring entries of
// logs that are followed already, and there may be many logs.
func (c *Core) followSoon(in Input) {
	switch in := in.(type) {
	case Joined:
		c.unfollowed = c.unfollowed || in.Err != nil
	case Received:
		switch in.Message.(type) {
		case Interval, Closed, Fresh, Ping, Pong: // a gap says so itself
		default:
			c.unfollowed = true
		}
	default:
		c.unfollowed = true
	}
}

// followNow follows where that may have to change.
func (c *Core) followNow() {
	if c.unfollowed {
		c.unfollowed = false
		c.follow()
	}
}

// follow asks for every log that is wanted, at the best source for it.
func (c *Core) follow() {
	if !c.isMember() {
		return
	}
	wanted := c.wanted()
	for o := range c.following {
		if _, found := slices.BinarySearch(wanted, o); !found {
			delete(c.following, o)
		}
	}
	live := c.inReach()
	for _, o := range wanted {
		c.followOrigin(o, live)
	}
}

// followOrigin asks for one log at the best source of those in reach.
func (c *Core) followOrigin(o hlc.Origin, live []reached) {
	f := c.following[o]
	if f == nil {
		f = &following{}
		c.following[o] = f
	}
	at := chooseSource(f.peer, c.sources(o, live))
	if at == "" {
		return
	}
	var ready []feature.Shard
	if t, ofTerm := c.term(o); !ofTerm {
		ready = c.writtenByStores(c.readyShards())
	} else if c.isReady(t.shard) {
		ready = []feature.Shard{t.shard}
	}
	moved := at != f.peer
	if !moved && c.isAhead(at, o) && c.now.Mono-max(f.moved, f.asked) > c.cfg.Stall {
		f.gap = true // what it was asked, or what it said, was lost
	}
	// Asking again costs the source a look into its log: not more than twice a
	// heartbeat.
	again := f.gap && c.now.Mono-f.asked >= c.cfg.Heartbeat/2 || f.shards != len(ready)
	if !moved && !again {
		return
	}
	if moved && f.peer != "" {
		c.emit(Send{To: f.peer, Message: Unfollow{Origin: o}})
	}
	after := make(map[feature.Shard]hlc.Timestamp, len(ready))
	for _, id := range ready {
		after[id] = c.shards[id].pending[o]
	}
	*f = following{peer: at, asked: c.now.Mono, moved: c.now.Mono, shards: len(ready)}
	c.emit(Send{To: at, Message: Follow{Origin: o, After: after}})
}

// readyShards are those whose logs can be joined.
func (c *Core) readyShards() []feature.Shard {
	return slices.DeleteFunc(slices.Clone(c.order), func(id feature.Shard) bool { return !c.isReady(id) })
}

func (c *Core) isReady(id feature.Shard) bool {
	s := c.shards[id]
	return s != nil && !(s.isCopying() && c.self().State == meta.Joining)
}

// reached is a member that can be asked for logs.
type reached struct {
	peer   *peer
	member meta.Member
}

// inReach are the members that can be asked for logs now, in order.
func (c *Core) inReach() []reached {
	var live []reached
	for _, id := range slices.Sorted(maps.Keys(c.peers)) {
		p := c.peers[id]
		if x, ok := c.membership.Member(id); ok && x.State != meta.Removed && p.isReached(c.now.Mono, c.cfg.Stall) {
			live = append(live, reached{p, x})
		}
	}
	return live
}

// sources are those in reach that may have an origin's log.
func (c *Core) sources(o hlc.Origin, live []reached) []source {
	out := make([]source, 0, len(live))
	for _, r := range live {
		if r.member.State == meta.Fenced && c.hasStopped(o) {
			continue
		}
		s := source{id: r.peer.id, roundTrip: r.peer.clock.roundTrip}
		if c.now.Mono >= r.peer.unreadable[o] {
			s.owner, s.ahead = c.isWriter(r.member, o), c.isAhead(r.peer.id, o)
		}
		out = append(out, s)
	}
	return out
}

// refusalStalls is for how many stalls a log that a source cannot read is followed
// elsewhere, where somebody is ahead; then it is asked again.
const refusalStalls = 20

// refuses notes that a peer cannot read a log. What it has of it counts for nothing
// meanwhile: its rotten part is in a relay's log, if anywhere.
func (p *peer) refuses(o hlc.Origin, until time.Duration) {
	if p.unreadable == nil {
		p.unreadable = map[hlc.Origin]time.Duration{}
	}
	p.unreadable[o] = until
}

// isWriter reports whether a member writes an origin now.
func (c *Core) isWriter(x meta.Member, o hlc.Origin) bool {
	t, ofTerm := c.term(o)
	return x.Origin == o || ofTerm && t.leader == x.Store
}

// hasStopped reports whether an origin writes nothing any more.
func (c *Core) hasStopped(o hlc.Origin) bool {
	if t, ofTerm := c.term(o); ofTerm {
		return t.leader == ""
	}
	_, sealed := c.membership.Sealed(o)
	return sealed
}

// isAhead reports whether a peer has told to have something of an origin that
// is not here.
func (c *Core) isAhead(id meta.StoreID, o hlc.Origin) bool {
	p := c.peers[id]
	if t, ofTerm := c.term(o); ofTerm {
		s := c.shards[t.shard]
		return s != nil && p.progress[t.shard][o] > s.pending[o]
	}
	return slices.ContainsFunc(c.order, func(s feature.Shard) bool { return p.progress[s][o] > c.shards[s].pending[o] })
}

// release asks again for logs that waited for positions which are here now.
func (c *Core) release() {
	for _, id := range c.order {
		s := c.shards[id]
		for o, p := range s.held {
			if c.isComing(id, p) {
				delete(s.held, o)
				if f := c.following[o]; f != nil {
					f.gap, c.unfollowed = true, true
					f.asked = c.now.Mono - c.cfg.Heartbeat // at once
				}
			}
		}
	}
}
