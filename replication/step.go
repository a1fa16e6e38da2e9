package replication

import (
	"maps"
	"slices"
	"time"

	"featurestore/hlc"
	"featurestore/meta"
)

// Step takes one input and returns what must be done because of it.
func (c *Core) Step(now Instant, in Input) []Output {
	c.now = now
	c.followSoon(in)
	switch in := in.(type) {
	case Opened:
		c.opened(in)
	case Ended:
		c.ended(in)
	case Received:
		c.receive(in)
	case Joined:
		c.joined(in)
	case Served:
		c.served(in)
	case ServeEnded:
		if p := c.peers[in.To]; p != nil {
			p.busy = false
		}
	case ChunkServed:
		if p := c.peers[in.To]; p != nil {
			delete(p.chunks, in.Shard)
		}
	case Tick:
		c.tick(in)
	case Closing:
		c.close(in.Closed)
	case Adopted:
		c.adopting = false
	case RegistrySent:
		if p := c.peers[in.To]; p != nil {
			p.defining = false
		}
	case RelogEnded:
		if p := c.peers[in.To]; p != nil {
			delete(p.relogs, in.Shard)
		}
	case Diverged:
		c.diverged(in)
	case Kept:
		c.kept(in)
	case WritingSet:
		c.writing.pending = false
		c.writing.allowed = in.Allowed
	case LeadingSet:
		c.leadingSet(in)
	case ChunkJoined:
		c.chunkJoined(in)
	case BeyondRelogged:
		c.beyondRelogged(in)
	case Salvaged:
		c.salvaged(in)
	case OwnTailTaken:
		c.relogged(c.cfg.Self.Store, in.Relogged)
	}
	return c.take()
}

// Settle returns what may be done now. It is called after one or several Steps.
func (c *Core) Settle(now Instant) []Output {
	c.now = now
	c.found()
	if c.membership == nil {
		return c.take()
	}
	c.refreshShards()
	if c.isMember() && c.self().State == meta.Joining {
		c.copyAll()
	}
	c.release()
	c.followNow()
	c.serve()
	for _, id := range slices.Sorted(maps.Keys(c.peers)) {
		if p := c.peers[id]; p.dialed {
			c.tellStatus(p, false)
		}
	}
	for _, s := range c.shards {
		s.dirty = false
	}
	c.copyShards()
	c.obey()
	c.lead()
	c.retire()
	return c.take()
}

// receive takes a peer's message. What was said by somebody who is no member,
// or by another life of one, counts only where it is news, or a farewell.
func (c *Core) receive(in Received) {
	p := c.peers[in.From]
	if p == nil {
		return
	}
	p.heard, p.ever = c.now.Mono, true
	switch m := in.Message.(type) {
	case MembershipNews:
		c.hear(m.Membership)
		return
	case Ping:
		c.emit(Send{To: p.id, Serving: true, Message: Pong{ID: m.ID, Wall: c.now.Wall}})
		return
	case Pong:
		c.pong(p, m)
		return
	}
	if c.membership == nil {
		if m, ok := in.Message.(Status); ok {
			c.receiveStatus(p, m)
		}
		return
	}
	switch m := in.Message.(type) {
	case Status:
		c.receiveStatus(p, m)
	case RegistryNews:
		c.receiveRegistry(p, m)
	case Relog:
		c.receiveRelog(p, m)
	case Relogged:
		c.relogged(p.id, m)
	}
	if !c.isPeer(p) || !c.isMember() {
		return
	}
	if _, ok := in.Message.(Status); ok && p.serving && c.now.Mono >= p.nextFresh {
		p.nextFresh = c.now.Mono + c.cfg.Heartbeat/2
		c.tellFresh(p)
	}
	switch m := in.Message.(type) {
	case Follow:
		c.receiveFollow(p, m)
	case Unfollow:
		delete(p.cursors, m.Origin)
		delete(p.early, m.Origin)
	case Interval:
		c.receiveInterval(p, m.Interval)
	case Closed:
		c.receiveClosed(p, m)
	case Fresh:
		c.receiveFresh(p, m)
	case Truncated:
		if s := c.shards[m.Shard]; s != nil && m.Floor > s.pending[m.Origin] {
			c.counts.Truncated++
			c.begin(m.Shard, hlc.Vector{m.Origin: m.Floor})
		}
	case Fetch:
		c.receiveFetch(p, m)
	case Chunk:
		c.receiveChunk(p, m.Chunk)
	case Refused:
		if m.Origin != 0 {
			p.refuses(m.Origin, c.now.Mono+refusalStalls*c.cfg.Stall)
		} else {
			c.refused(p, m.Shard)
		}
	case Audit:
		if x, _ := c.membership.Member(p.id); c.shards[m.Shard] != nil && c.holds(m.Shard)(x) {
			c.emit(ServeAudit{To: p.id, Ask: m})
		}
	}
}

// isPeer reports whether a store takes part, under the origin that it said.
func (c *Core) isPeer(p *peer) bool {
	if c.membership == nil {
		return false
	}
	x, ok := c.membership.Member(p.id)
	return ok && x.Origin == p.hello.Member.Origin && x.State != meta.Removed
}

// close notes up to when the own log is complete; zero says that this is not
// known now, so that what was known before is of before.
func (c *Core) close(closed hlc.Timestamp) {
	if closed == 0 {
		return
	}
	if c.first == 0 {
		c.first = closed
	}
	c.closed = max(c.closed, closed)
	c.learn(c.ownFacts)
}

// tick does what is done every heartbeat.
func (c *Core) tick(in Tick) {
	c.close(in.Closed)
	for _, id := range slices.Sorted(maps.Keys(c.peers)) {
		p := c.peers[id]
		if p.serving && c.isPeer(p) {
			c.closeLogs(p)
		}
		if p.dialed {
			if due(&p.nextAll, c.now.Mono, 10*c.cfg.Heartbeat) {
				clear(p.told) // a Status may have been lost, and nothing changed since
			}
			c.tellStatus(p, true)
		} else {
			c.tellEnded(p)
		}
	}
	if c.membership == nil {
		return
	}
	c.tellNews()
	if due(&c.nextPing, c.now.Mono, c.cfg.Ping) {
		c.ping()
		c.fenceClock()
	}
	if due(&c.nextUpkeep, c.now.Mono, c.cfg.Upkeep) && c.isMember() {
		c.truncate()
		c.forget()
	}
	if due(&c.nextCollect, c.now.Mono, c.cfg.Collect) && c.isMember() {
		c.collect()
	}
}

// due reports whether the time for something has come, and sets the next.
func due(next *time.Duration, now, every time.Duration) bool {
	if now < *next {
		return false
	}
	*next = now + every
	return true
}
