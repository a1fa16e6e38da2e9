package replication

import (
	"time"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication/oplog"
)

// retiring is what a removed store has still to do before it begins anew: to
// hand over what it wrote beyond its seal. That part of its log is not of the
// deployment any more, though clients may have been told "local".
type retiring struct {
	shards map[feature.Shard]*tail
	done   bool
	kept   []feature.Shard // of these nobody can take the tail over
}

// tail is the part of the own log in one shard that lies beyond the seal. It is
// handed over piece by piece, all to one peer.
type tail struct {
	from    hlc.Timestamp // the seal beyond which it lies
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

// retire hands the tails over, shard by shard, and then ends this life.
func (c *Core) retire() {
	if c.membership == nil || c.retiring.done {
		return
	}
	x, ok := c.membership.Member(c.cfg.Self.Store)
	seal, sealed := c.membership.Sealed(c.cfg.Self.Origin)
	if !sealed {
		c.retiring = retiring{} // what sealed it is void
	}
	if !ok || !sealed || x.State != meta.Removed && x.Origin == c.cfg.Self.Origin || c.writing.allowed || c.writing.pending {
		return
	}
	if c.retiring.shards == nil {
		c.retiring.shards = map[feature.Shard]*tail{}
		for _, id := range c.order {
			c.retiring.shards[id] = &tail{from: seal.Final[id], settled: c.cfg.Faults.Has(fault.WipeBeforeSalvage)}
		}
	}
	open, offers := false, 0
	for _, id := range c.order {
		t := c.retiring.shards[id]
		if final := seal.Final[id]; t != nil && !t.busy && final < t.from {
			*t = tail{from: final} // the seal was lowered: there is more to hand over
		}
		if t == nil || t.settled {
			continue
		}
		if t.taken.As.At > 0 {
			if _, noted := seal.Salvage[id]; noted {
				t.settled = true
				continue
			}
			c.tellTaken(t)
		} else if c.isNobodys(id, t) {
			t.settled = true
			if c.cfg.Local.Heads(id)[c.cfg.Self.Origin] > t.from {
				c.retiring.kept = append(c.retiring.kept, id)
			}
			continue
		} else if offers < maxOffers {
			c.offer(id, t)
			if t.asked > 0 {
				offers++
			}
		}
		open = true
	}
	if !open {
		c.retiring.done = true
		c.emit(Retired{Drained: x.Drained, Kept: c.retiring.kept})
	}
}

func (c *Core) offer(id feature.Shard, t *tail) {
	if t.busy || t.asked > 0 && c.now.Mono-t.asked < c.patience(t) {
		return
	}
	if t.asked > 0 {
		t.late++
	}
	if !c.canTake(id, t.to) || t.asked > 0 { // from the beginning, to somebody else
		last := t.to
		t.to, t.after, t.holed = "", t.from, false
		for _, x := range c.membership.Members {
			if c.canTake(id, x.Store) && (t.to == "" || t.to == last) {
				t.to = x.Store
			}
		}
	}
	if t.to == "" {
		return
	}
	t.asked, t.busy = max(1, c.now.Mono), true
	c.emit(Salvage{To: t.to, Shard: id, After: t.after})
}

// isNobodys reports whether no member holds a shard, or will, by definitions as
// new as any: to wait for one that takes its tail would be to wait for ever.
func (c *Core) isNobodys(id feature.Shard, t *tail) bool {
	return !t.busy && !c.isElsewhere(id, meta.Joining, meta.Active, meta.Leaving, meta.Fenced) && c.hasDefinitionsOfAll()
}

// canTake reports whether a peer could take over a tail.
func (c *Core) canTake(id feature.Shard, store meta.StoreID) bool {
	x, ok := c.membership.Member(store)
	p := c.peers[store]
	return ok && x.State == meta.Active && p != nil && p.dialed && p.isLive(c.now.Mono, c.cfg.Stall) && c.holds(id)(x)
}

// salvaged says that a tail was sent, or that there was none.
func (c *Core) salvaged(in Salvaged) {
	t := c.retiring.shards[in.Shard]
	if t == nil {
		return
	}
	t.busy = false
	t.settled = t.settled || in.Empty
	if in.Floor > t.after { // what lies before is gone
		t.after, t.holed = in.Floor, true
	}
}

// relogged takes the answer to a piece of the tail. When there is no more, the
// home is told, and the seal says where the tail stands now; not so when there is
// a hole in it, for a session that names its end may have seen what was in the
// hole. What was refused is kept in the old directory.
func (c *Core) relogged(from *peer, m Relogged) {
	t := c.retiring.shards[m.Shard]
	if t == nil || t.to != from.id || c.isMember() {
		// A removed store tells its home.
		c.noteSalvage(from.hello.Member.Origin, m)
		return
	}
	if m.After > t.after || m.UpTo <= t.after {
		return // it answers what was offered before
	}
	t.after, t.asked, t.late = m.UpTo, 0, 0
	t.holed = t.holed || m.As.At == 0
	switch more := c.cfg.Local.Heads(m.Shard)[c.cfg.Self.Origin] > m.UpTo; {
	case more:
	case t.holed:
		t.settled = true
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
	c.emit(Send{To: c.membership.Home, Message: t.taken})
}

func (c *Core) noteSalvage(o hlc.Origin, m Relogged) {
	seal, sealed := c.membership.Sealed(o)
	if !c.isHome() || c.keeping != nil || m.As.At == 0 || !sealed || m.After > seal.Final[m.Shard] {
		return // not all beyond a seal that was lowered meanwhile: it is handed over anew
	}
	next, err := c.membership.AddSalvage(o, map[feature.Shard]meta.Salvage{m.Shard: {UpTo: m.UpTo, As: m.As}})
	if err == nil {
		c.keep(next)
	}
}

// receiveRelog takes over the tail of a removed store, if nothing in it is so
// old that its tombstone may be gone (I6).
func (c *Core) receiveRelog(p *peer, m Relog) {
	seal, sealed := c.membership.Sealed(p.hello.Member.Origin)
	if !sealed || len(m.Entries) == 0 || c.shards[m.Shard] == nil || c.self().State != meta.Active || !c.isWhole() {
		return
	}
	if !c.canFollow(m, seal) {
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
// seal, and what its entries depend on (I13). What nobody has keeps nothing back.
func (c *Core) canFollow(m Relog, seal meta.Seal) bool {
	if !c.isHere(m.Shard, hlc.Position{Origin: seal.Origin, At: seal.Final[m.Shard]}) {
		return false
	}
	for i := range m.Entries {
		for _, d := range m.Entries[i].Deps {
			if d.Origin == seal.Origin || c.isComing(m.Shard, d) {
				continue
			}
			other, ended := c.membership.Sealed(d.Origin)
			if !ended || d.At <= other.Final[m.Shard] || other.Salvage[m.Shard].Has(d.At) {
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
