package replication

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// A cursor is how far one follower was sent one origin's log in a shard.
type cursor struct {
	at      hlc.Timestamp
	reading bool          // a read is under way
	rests   time.Duration // until when nothing is read, after there was nothing
}

// maxReads bounds the reads of one Serve.
const maxReads = 32

// receiveFollow begins to serve an origin's log. Shards that the follower's
// region may not hold are left out: residency is the sender's duty.
func (c *Core) receiveFollow(p *peer, m Follow) {
	x, ok := c.membership.Member(p.id)
	if !ok || x.State == meta.Removed {
		return
	}
	old := p.cursors[m.Origin]
	held := c.cfg.Local.Shards(x.Region)
	cursors := make(map[feature.Shard]*cursor, len(m.After))
	delete(p.early, m.Origin)
	for id, after := range m.After {
		if o := m.Origin; o == c.cfg.Self.Origin || o == c.leading.terms[id].Origin {
			c.recall(after)
		}
		if c.shards[id] == nil {
			p.ahead(m.Origin, id, after)
			continue
		}
		if !slices.Contains(held, id) {
			continue
		}
		cursors[id] = &cursor{at: after}
		if o := old[id]; o != nil {
			cursors[id].reading = o.reading
		}
	}
	p.cursors[m.Origin] = cursors
}

// ahead notes that a follower asked for a shard that is not known here yet: it
// has newer definitions.
func (p *peer) ahead(o hlc.Origin, id feature.Shard, after hlc.Timestamp) {
	if p.early == nil {
		p.early = map[hlc.Origin]map[feature.Shard]hlc.Timestamp{}
	}
	if p.early[o] == nil {
		p.early[o] = map[feature.Shard]hlc.Timestamp{}
	}
	p.early[o][id] = after
}

// readmit goes by new definitions in what is served: no longer what the
// follower's region may not hold any more, and what was asked for before the
// definitions that name it were here. Its follower would ask again only after a
// stall.
func (c *Core) readmit() {
	for _, p := range c.peers {
		x, ok := c.membership.Member(p.id)
		if !ok || x.State == meta.Removed {
			continue
		}
		held := c.cfg.Local.Shards(x.Region)
		for _, cursors := range p.cursors {
			maps.DeleteFunc(cursors, func(id feature.Shard, _ *cursor) bool { return !slices.Contains(held, id) })
		}
		for o, early := range p.early {
			for id, after := range early {
				if c.shards[id] == nil {
					continue
				}
				delete(early, id)
				if slices.Contains(held, id) && p.cursors[o] != nil && p.cursors[o][id] == nil {
					p.cursors[o][id] = &cursor{at: after}
				}
			}
		}
	}
}

// serve starts reading for every peer that waits for something.
func (c *Core) serve() {
	for _, id := range slices.Sorted(maps.Keys(c.peers)) {
		p := c.peers[id]
		if p.serving && !p.busy {
			c.serveNext(p)
		}
	}
}

// serveNext reads on where the last Serve ended: a log that is written to all
// the time keeps no other waiting.
func (c *Core) serveNext(p *peer) {
	var due []LogRead
	from := 0
	for _, o := range slices.Sorted(maps.Keys(p.cursors)) {
		for _, id := range c.orderOf(p.cursors[o]) {
			k := p.cursors[o][id]
			if k == nil || c.shards[id] == nil || c.now.Mono < k.rests || c.cfg.Local.Heads(id)[o] <= k.at {
				continue
			}
			due = append(due, LogRead{Shard: id, Origin: o, After: k.at})
			if cmp.Or(cmp.Compare(o, p.lastRead.Origin), id.Compare(p.lastRead.Shard)) <= 0 {
				from = len(due)
			}
		}
	}
	if len(due) == 0 {
		return
	}
	reads := append(due[from:len(due):len(due)], due[:from]...)
	reads = reads[:min(len(reads), maxReads)]
	for _, r := range reads {
		p.cursors[r.Origin][r.Shard].reading = true
	}
	p.busy, p.lastRead = true, reads[len(reads)-1]
	c.emit(Serve{To: p.id, Reads: reads})
}

// orderOf are the shards of cursors, in order: the logs of terms have one each.
func (c *Core) orderOf(cursors map[feature.Shard]*cursor) []feature.Shard {
	if len(cursors) == 1 {
		for id := range cursors {
			return []feature.Shard{id}
		}
	}
	return c.order
}

// served takes how far a read was sent.
func (c *Core) served(in Served) {
	p := c.peers[in.To]
	if p == nil {
		return
	}
	k := p.cursors[in.Read.Origin][in.Read.Shard]
	if k == nil {
		return
	}
	begun := k.reading // by this cursor, not by one of a conversation before
	k.reading = false
	switch {
	case in.Err != nil && begun:
		k.rests = c.now.Mono + c.cfg.Stall // a log that cannot be read now cannot in a moment
		if in.Unreadable {
			c.emit(Send{To: p.id, Serving: true, Message: Refused{Shard: in.Read.Shard, Origin: in.Read.Origin}})
		}
	case in.Err != nil:
	case k.at != in.Read.After:
		// It was asked for anew meanwhile.
	case in.Floor > in.Read.After:
		delete(p.cursors[in.Read.Origin], in.Read.Shard)
		c.emit(Send{To: p.id, Serving: true, Message: Truncated{Shard: in.Read.Shard, Origin: in.Read.Origin, Floor: in.Floor}})
	case in.Through <= in.Read.After:
		k.rests = c.now.Mono + c.cfg.Heartbeat // reading on would find nothing again
	default:
		k.at = max(k.at, in.Through)
	}
}

// closeLogs tells followers that nothing lies between what they were sent and
// now. What is being read for them is left to a later heartbeat.
func (c *Core) closeLogs(p *peer) {
	for _, o := range slices.Sorted(maps.Keys(p.cursors)) {
		through := map[hlc.Timestamp]map[feature.Shard]hlc.Timestamp{}
		for id, k := range p.cursors[o] {
			at := c.closedThrough(id, o)
			if k.reading || at <= k.at || c.cfg.Local.Heads(id)[o] > k.at {
				continue
			}
			if through[at] == nil {
				through[at] = map[feature.Shard]hlc.Timestamp{}
			}
			through[at][id] = k.at
			k.at = at
		}
		for _, at := range slices.Sorted(maps.Keys(through)) {
			c.emit(Send{To: p.id, Serving: true, Message: Closed{Origin: o, Through: at, After: through[at]}})
		}
	}
}

// closedThrough is up to when a log is known to be complete here.
func (c *Core) closedThrough(id feature.Shard, o hlc.Origin) hlc.Timestamp {
	if o == c.ownLog(id) {
		return c.closed
	}
	return c.cfg.Local.Progress(id)[o]
}
