package replication

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication/oplog"
)

// tailID names what lies beyond the end of a log in one shard.
type tailID struct {
	shard  feature.Shard
	origin hlc.Origin
}

func (a tailID) compare(b tailID) int {
	return cmp.Or(a.shard.Compare(b.shard), cmp.Compare(a.origin, b.origin))
}

// tail is handed over piece by piece, all to one peer: to any member that holds
// the shard, to its leader where it is led.
type tail struct {
	from    hlc.Timestamp // the end beyond which it lies
	to      meta.StoreID  // who is offered it
	after   hlc.Timestamp // what that peer has been sent and has answered
	asked   time.Duration
	late    int // how often no answer came in time
	busy    bool
	settled bool
	holed   bool // some of it is gone, or was refused
	// taken is what stands for the tail now. The home has to note it in the
	// seal before this life ends: who names the tail would be told it was lost.
	taken Relogged
}

// maxOffers bounds the tails that are offered at once, and maxLate how often the
// time for an answer doubles: on a slow way every piece would come too late, and
// be logged again by one peer after the other.
const (
	maxOffers = 4
	maxLate   = 4
)

// patience is how long the answer to a piece may take.
func (c *Core) patience(t *tail) time.Duration { return 4 * c.cfg.Stall << min(t.late, maxLate) }

// findTails notes which tails there are: of the own log where this life ends, and
// of any term that has ended, whoever wrote it.
func (c *Core) findTails(retiring, drained bool) {
	for id, t := range c.tails {
		end, ended := c.membership.End(id.shard, id.origin)
		switch {
		case !ended: // what sealed it is void
			delete(c.tails, id)
		case !t.busy && end.Final < t.from:
			*t = tail{from: end.Final} // the end was lowered: there is more to hand over
		case id.origin != c.cfg.Self.Origin && t.settled && !t.holed && c.cfg.Local.Heads(id.shard)[id.origin] <= end.Final:
			delete(c.tails, id) // it was cut off
		}
	}
	for _, shard := range c.order {
		if id := (tailID{shard, c.cfg.Self.Origin}); retiring && c.tails[id] == nil {
			c.addTail(id, drained) // who left in order has none
		}
		t, led := c.membership.Term(shard)
		if !led {
			continue
		}
		heads := c.cfg.Local.Heads(shard)
		for _, e := range t.Ended {
			if id := (tailID{shard, e.Origin}); heads[e.Origin] > e.Final && c.tails[id] == nil {
				c.addTail(id, false)
			}
		}
	}
}

func (c *Core) addTail(id tailID, settled bool) {
	end, _ := c.membership.End(id.shard, id.origin)
	if c.tails == nil {
		c.tails = map[tailID]*tail{}
	}
	c.tails[id] = &tail{from: end.Final, settled: settled || c.cfg.Faults.Has(fault.WipeBeforeSalvage)}
}

// hasTail reports whether a shard holds what lies beyond the end of a term.
func (c *Core) hasTail(shard feature.Shard) bool {
	for id := range c.tails {
		if id.shard == shard && id.origin != c.cfg.Self.Origin {
			return true
		}
	}
	return false
}

// handOver brings every tail on its way, and reports whether any is on it still.
func (c *Core) handOver(retiring bool) (open bool) {
	offers := 0
	for _, id := range slices.SortedFunc(maps.Keys(c.tails), tailID.compare) {
		t := c.tails[id]
		if t.settled {
			continue
		}
		end, _ := c.membership.End(id.shard, id.origin)
		switch noted := end.Salvage.As.Origin != 0; {
		case noted && (t.taken.As.At > 0 || end.Salvage.Has(c.cfg.Local.Heads(id.shard)[id.origin])):
			switch {
			case retiring || c.isComing(id.shard, end.Salvage.As):
				c.settle(id, t, retiring)
			case c.isLost(id.shard, end.Salvage.As): // who took it has lost it since
				*t = tail{from: end.Final}
			}
		case t.taken.As.At > 0:
			c.tellTaken(t)
		case c.isNobodys(id.shard, t):
			t.settled = true
			if c.cfg.Local.Heads(id.shard)[id.origin] > t.from {
				c.orphaned = append(c.orphaned, id.shard)
			}
		case offers < maxOffers:
			c.offer(id, t)
			if t.asked > 0 {
				offers++
			}
		}
		open = open || !t.settled
	}
	return open
}

// settle ends the hand-over of a tail. The log of a term is cut, for this store
// goes on; what was refused of it is in its rows, and in no log: it has to be
// built anew.
func (c *Core) settle(id tailID, t *tail, retiring bool) {
	t.settled = true
	if retiring || id.origin == c.cfg.Self.Origin {
		return
	}
	if t.holed {
		c.outdated = fmt.Sprintf("what it has of an ended term of shard %d/%d is too old, or gone, to be taken over; evict the store, so that it is built anew: featurestore members evict %s --yes",
			id.shard.Group, id.shard.Partition, c.cfg.Self.Store)
		return
	}
	c.emit(Cut{Shard: id.shard, End: hlc.Position{Origin: id.origin, At: t.from}})
}

// isLost reports whether nobody has a position any more, nor what stands for it.
func (c *Core) isLost(shard feature.Shard, p hlc.Position) bool {
	_, ok := c.membership.Follow(shard, p, func(p hlc.Position) bool { return c.isHere(shard, p) })
	return !ok
}

func (c *Core) offer(id tailID, t *tail) {
	if t.busy || t.asked > 0 && c.now.Mono-t.asked < c.patience(t) {
		return
	}
	if t.asked > 0 {
		t.late++
	}
	if !c.canTake(id.shard, t.to) || t.asked > 0 { // from the beginning, to somebody else
		last := t.to
		t.to, t.after, t.holed = "", t.from, false
		if c.leading.terms[id.shard].Origin != 0 {
			t.to = c.cfg.Self.Store
		}
		for _, x := range c.membership.Members {
			if c.canTake(id.shard, x.Store) && (t.to == "" || t.to == last) {
				t.to = x.Store
			}
		}
	}
	if t.to == "" {
		return
	}
	t.asked, t.busy = max(1, c.now.Mono), true
	c.emit(Salvage{To: t.to, Shard: id.shard, After: hlc.Position{Origin: id.origin, At: t.after}})
}

// isNobodys reports whether no member holds a shard, or will, by definitions as
// new as any: to wait for one that takes its tail would be to wait for ever.
func (c *Core) isNobodys(id feature.Shard, t *tail) bool {
	return !t.busy && !c.isElsewhere(id, meta.Joining, meta.Active, meta.Leaving, meta.Fenced) && c.hasDefinitionsOfAll()
}

// canTake reports whether a peer could take over a tail.
func (c *Core) canTake(id feature.Shard, store meta.StoreID) bool {
	if store == c.cfg.Self.Store {
		return c.leading.terms[id].Origin != 0
	}
	x, ok := c.membership.Member(store)
	p := c.peers[store]
	if c.isLed(id) {
		t, led := c.membership.Term(id)
		ok = ok && led && t.Leader == store && t.State == meta.Open
	}
	return ok && x.State == meta.Active && p != nil && p.dialed && p.isLive(c.now.Mono, c.cfg.Stall) && c.holds(id)(x)
}

// salvaged says that a tail was sent, or that there was none.
func (c *Core) salvaged(in Salvaged) {
	t := c.tails[tailID{in.Shard, in.Origin}]
	if t == nil {
		return
	}
	t.busy = false
	if in.Floor > t.after { // what lies before is gone
		t.after, t.holed = in.Floor, true
	}
	if in.Empty && !t.settled {
		retiring, _ := c.isRetiring()
		c.settle(tailID{in.Shard, in.Origin}, t, retiring)
	}
}

// relogged takes the answer to a piece of a tail. When there is no more, the
// home is told, and the seal says where the tail stands now; not so when there is
// a hole in it, for a session that names its end may have seen what was in the
// hole. What was refused is kept in the old directory.
func (c *Core) relogged(from meta.StoreID, m Relogged) {
	id := tailID{m.Shard, m.Origin}
	t := c.tails[id]
	if t == nil || t.to != from || t.taken.As.At > 0 {
		c.noteSalvage(m) // told by who handed it over
		return
	}
	if m.After > t.after || m.UpTo <= t.after {
		return // it answers what was offered before
	}
	t.after, t.asked, t.late = m.UpTo, 0, 0
	t.holed = t.holed || m.As.At == 0
	switch more := c.cfg.Local.Heads(m.Shard)[m.Origin] > m.UpTo; {
	case more:
	case t.holed:
		retiring, _ := c.isRetiring()
		c.settle(id, t, retiring)
	default:
		t.taken = m
		t.taken.After = t.from
	}
}

// tellTaken tells the home, again until the seal says so.
func (c *Core) tellTaken(t *tail) {
	if t.asked > 0 && c.now.Mono-t.asked < c.cfg.Stall {
		return
	}
	t.asked = max(1, c.now.Mono)
	if c.isHome() {
		c.noteSalvage(t.taken)
		return
	}
	c.emit(Send{To: c.membership.Home, Message: t.taken})
}

func (c *Core) noteSalvage(m Relogged) {
	end, ended := c.membership.End(m.Shard, m.Origin)
	if !c.isHome() || c.keeping != nil || m.As.At == 0 || !ended || m.After > end.Final {
		return // not all beyond an end that was lowered meanwhile: it is handed over anew
	}
	salvage := meta.Salvage{UpTo: m.UpTo, As: m.As}
	var next *meta.Membership
	var err error
	if _, sealed := c.membership.Sealed(m.Origin); sealed {
		next, err = c.membership.AddSalvage(m.Origin, map[feature.Shard]meta.Salvage{m.Shard: salvage})
	} else {
		next, err = c.membership.AddTermSalvage(m.Shard, m.Origin, salvage)
	}
	if err == nil && next != c.membership {
		c.keep(next)
	}
}

// receiveRelog takes over a tail, if nothing in it is so old that its tombstone
// may be gone (I6). Of a shard that is led only the leader does.
func (c *Core) receiveRelog(p *peer, m Relog) {
	if len(m.Entries) == 0 || c.shards[m.Shard] == nil || c.self().State != meta.Active || !c.isWhole() {
		return
	}
	o := m.Entries[0].Origin
	end, ended := c.membership.End(m.Shard, o)
	if !ended || c.ownLog(m.Shard) == 0 || !c.isLed(m.Shard) && o != p.hello.Member.Origin {
		return
	}
	if !c.canFollow(m, hlc.Position{Origin: o, At: end.Final}) {
		return // it is offered again
	}
	takes := RelogFor{To: p.id, Shard: m.Shard, Entries: m.Entries}
	if oldest(m.Entries) <= hlc.New(c.now.Wall.UnixMilli()-c.cfg.Grace.Milliseconds(), 0) {
		c.counts.Refused += uint64(len(m.Entries))
		c.emit(Send{To: p.id, Serving: true, Message: takes.answer(hlc.Position{})})
		return
	}
	if p.relogs[m.Shard] || len(p.relogs) >= maxOffers {
		return // the disk is slow: it is offered again
	}
	p.relogs[m.Shard] = true
	c.counts.Salvaged += uint64(len(m.Entries))
	c.emit(takes)
}

// canFollow reports whether what a tail comes after is here: the log up to its
// end, and what its entries depend on (I13). What nobody has keeps nothing back.
func (c *Core) canFollow(m Relog, end hlc.Position) bool {
	if !c.isHere(m.Shard, end) {
		return false
	}
	for i := range m.Entries {
		for _, d := range m.Entries[i].Deps {
			if d.Origin != end.Origin && !c.isComing(m.Shard, d) && !c.isLost(m.Shard, d) {
				return false
			}
		}
	}
	return true
}

// oldest is the least timestamp of anything that entries bring.
func oldest(entries []oplog.Logged) hlc.Timestamp {
	at := entries[0].At
	for i := range entries {
		for _, r := range entries[i].Rows {
			for _, cell := range r.Delta.Cells {
				at = min(at, cell.Version.At)
			}
			if t := r.Delta.Tombstone; !t.IsZero() {
				at = min(at, t.ByEvent.At, t.ByWrite.At)
			}
		}
	}
	return at
}
