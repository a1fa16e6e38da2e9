package replication

import (
	"iter"
	"maps"
	"slices"
	"time"

	"featurestore/hlc"
)

// How stale a replica is cannot be told from timestamps: the clocks that made
// them may be ahead, step, or run on after they were set back. So it is told
// from time that passed here. A store notes when it sent each Status; a peer
// that took it answers with up to where its log is complete by then. Whatever
// was accepted there before the Status was sent lies before that: an echo, as
// in the round trips of Cristian's clocks, but of positions instead of times.
//
// Facts are passed on. Who heard one from a store that is out of another's reach
// adds for how long it has had it, and durations mean the same everywhere.

// fact is a Fact on this store's own time: what was accepted before asOf is
// stamped at or before through.
type fact struct {
	through hlc.Timestamp
	asOf    time.Duration
}

// keptFacts bounds the facts of one origin: those of the last seconds, for
// progress that lags behind what was told.
const keptFacts = 256

// keptEchoes bounds the Statuses whose sending is remembered.
const keptEchoes = 256

// echoes remember when Statuses were sent to one peer.
type echoes struct {
	last uint64
	sent [keptEchoes]time.Duration
}

// next numbers a Status that is sent now.
func (e *echoes) next(now time.Duration) uint64 {
	e.last++
	e.sent[e.last%keptEchoes] = now
	return e.last
}

// sentAt returns when a Status was sent; false when that is forgotten.
func (e *echoes) sentAt(id uint64) (time.Duration, bool) {
	if id == 0 || id > e.last || e.last-id >= keptEchoes {
		return 0, false
	}
	return e.sent[id%keptEchoes], true
}

// addFact returns facts with f, in which both through and asOf rise: a pure
// function that leaves the slice given as it is.
func addFact(facts []fact, f fact) []fact {
	i, _ := slices.BinarySearchFunc(facts, f, func(a, b fact) int {
		if a.through < b.through {
			return -1
		}
		return 1
	})
	if i > 0 && facts[i-1].asOf >= f.asOf || i < len(facts) && facts[i].through == f.through && facts[i].asOf >= f.asOf {
		return facts // known, or worth less than what is known
	}
	j := i
	for j < len(facts) && facts[j].asOf <= f.asOf {
		j++ // it says more than these
	}
	out := make([]fact, 0, len(facts)+1)
	out = append(append(append(out, facts[:i]...), f), facts[j:]...)
	if len(out) > keptFacts {
		// Every other one of the older half: what is far behind needs no fine steps.
		kept := out[:0:0]
		for k, x := range out {
			if k%2 == 0 || k > keptFacts/2 {
				kept = append(kept, x)
			}
		}
		out = kept
	}
	return out
}

// asOf returns since when it is certain that everything accepted is stamped at
// or before at.
func asOf(facts []fact, at hlc.Timestamp) (time.Duration, bool) {
	i, found := slices.BinarySearchFunc(facts, at, func(f fact, at hlc.Timestamp) int {
		switch {
		case f.through < at:
			return -1
		case f.through > at:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	if i < 0 {
		return 0, false
	}
	return facts[i].asOf, true
}

// learn adds facts. The map is replaced, never changed: others read it.
func (c *Core) learn(told iter.Seq2[hlc.Origin, fact]) {
	known, copied := c.facts, false
	for o, f := range told {
		if c.isOver(o) {
			continue
		}
		old := known[o]
		next := addFact(old, f)
		if len(next) == len(old) && (len(old) == 0 || &next[0] == &old[0]) {
			continue
		}
		if !copied {
			if known, copied = maps.Clone(known), true; known == nil {
				known = map[hlc.Origin][]fact{}
			}
		}
		known[o] = next
	}
	c.facts = known
}

// isOver reports whether a log has ended and all that counts of it is here: it
// makes no answer stale any more.
func (c *Core) isOver(o hlc.Origin) bool {
	if c.membership == nil {
		return false
	}
	if t, ofTerm := c.term(o); ofTerm {
		end, ended := c.membership.End(t.shard, o)
		return ended && c.shards[t.shard] != nil && c.isHere(t.shard, hlc.Position{Origin: o, At: end.Final})
	}
	seal, ended := c.membership.Sealed(o)
	return ended && c.isComplete(seal)
}

// forget drops the facts of logs that are over: members come and go for years.
func (c *Core) forget() {
	for o := range c.facts {
		if c.isOver(o) {
			c.facts = maps.Clone(c.facts)
			delete(c.facts, o)
		}
	}
}

// receiveFresh takes what a peer tells on the strength of a Status that it got.
func (c *Core) receiveFresh(p *peer, m Fresh) {
	sent, ok := p.echoes.sentAt(m.Echo)
	if !ok {
		return
	}
	c.takePromise(p, sent, m.Membership)
	c.learn(func(yield func(hlc.Origin, fact) bool) {
		for _, f := range m.Facts {
			if f.Origin != c.cfg.Self.Origin && !yield(f.Origin, fact{through: f.Through, asOf: sent - f.Age}) {
				return
			}
		}
	})
}

// tellFresh answers the last Status of a peer. The own log was closed after it
// came.
func (c *Core) tellFresh(p *peer) {
	if p.echo == 0 {
		return
	}
	m := Fresh{Echo: p.echo, Membership: c.membership.Version()}
	c.promise(p)
	for _, o := range slices.Sorted(maps.Keys(c.facts)) {
		facts := c.facts[o]
		last := facts[len(facts)-1]
		m.Facts = append(m.Facts, Fact{Origin: o, Through: last.through, Age: max(0, c.now.Mono-last.asOf)})
	}
	c.emit(Send{To: p.id, Serving: true, Message: m})
}
