package meta

import (
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
)

// Term is the time for which one store leads a shard of a leader group. The
// leader writes the shard under an origin of the term, so that a store that
// leads again writes another log, and a log that has ended stays ended.
type Term struct {
	Shard  feature.Shard
	Number uint64 // one more than that of the term before
	Leader StoreID
	Origin hlc.Origin
	State  TermState
	// Next is who leads when this term has ended, "" while it is open.
	Next StoreID
	// Lossy says of a deposed term that its end may be decided by those who
	// remain, though its leader alone may have what was acknowledged.
	Lossy bool
	// Since is the document's revision at which the term came to its state.
	Since uint64
	// Ended are the ends of the terms before, the oldest first.
	Ended []TermEnd
}

// TermState is what the leader of a term may do. The numbers are stored: never
// renumber.
type TermState uint8

// The states of a term, in the order in which it passes through them.
const (
	Open     TermState = iota // its leader writes
	Stopping                  // its leader writes no more, so that Next can take over all of it
	Deposed                   // the others take no more of its log: its leader is away

	termStateEnd
)

var termStateNames = [termStateEnd]string{"open", "stopping", "deposed"}

// String returns the state's word, such as "open".
func (s TermState) String() string {
	if s < termStateEnd {
		return termStateNames[s]
	}
	return "unknown"
}

// TermEnd is the end of a term's log: nothing of it counts after Final.
type TermEnd struct {
	Origin  hlc.Origin
	Leader  StoreID
	Final   hlc.Timestamp
	Salvage Salvage // where what came after Final was logged again; zero: nowhere
}

// End is where a log ends in one shard.
type End struct {
	// Final is the last position that counts, zero when none does.
	Final hlc.Timestamp
	// Salvage says where the entries after it were logged again.
	Salvage Salvage
}

// Term returns the present term of a shard; false for a shard that nobody leads,
// or not yet.
func (m *Membership) Term(shard feature.Shard) (*Term, bool) {
	i, ok := m.findTerm(shard)
	if !ok {
		return nil, false
	}
	return &m.Terms[i], true
}

func (m *Membership) findTerm(shard feature.Shard) (int, bool) {
	return slices.BinarySearchFunc(m.Terms, shard, func(t Term, s feature.Shard) int { return t.Shard.Compare(s) })
}

// TermOf returns the present term that writes an origin.
func (m *Membership) TermOf(o hlc.Origin) (*Term, bool) {
	i := slices.IndexFunc(m.Terms, func(t Term) bool { return t.Origin == o })
	if i < 0 {
		return nil, false
	}
	return &m.Terms[i], true
}

// End returns where the log of an origin ends in a shard; false for one that goes
// on, or that is not known.
func (m *Membership) End(shard feature.Shard, o hlc.Origin) (End, bool) {
	if t, led := m.Term(shard); led {
		for i := len(t.Ended) - 1; i >= 0; i-- {
			if e := &t.Ended[i]; e.Origin == o {
				return End{Final: e.Final, Salvage: e.Salvage}, true
			}
		}
	}
	if s, ended := m.Sealed(o); ended {
		return End{Final: s.Final[shard], Salvage: s.Salvage[shard]}, true
	}
	return End{}, false
}

// HasEnds reports whether any log has ended in a shard.
func (m *Membership) HasEnds(shard feature.Shard) bool {
	if len(m.Seals) > 0 {
		return true
	}
	t, led := m.Term(shard)
	return led && len(t.Ended) > 0
}

// Ends calls visit for every log that has ended in a shard, with the store that
// wrote it, until it returns false.
func (m *Membership) Ends(shard feature.Shard, visit func(o hlc.Origin, writer StoreID, e End) bool) {
	for i := range m.Seals {
		s := &m.Seals[i]
		if !visit(s.Origin, s.Store, End{Final: s.Final[shard], Salvage: s.Salvage[shard]}) {
			return
		}
	}
	t, led := m.Term(shard)
	if !led {
		return
	}
	for i := range t.Ended {
		if e := &t.Ended[i]; !visit(e.Origin, e.Leader, End{Final: e.Final, Salvage: e.Salvage}) {
			return
		}
	}
}

// maxEnds is how many ends one shard's terms may have: each step of a chain of
// salvages leads to a later one.
func (m *Membership) maxEnds(shard feature.Shard) int {
	n := len(m.Seals)
	if t, led := m.Term(shard); led {
		n += len(t.Ended)
	}
	return n
}

// Follow returns the position that stands for p of a shard: p itself, unless it
// lies in a tail that was logged again. Here tells what is here. It returns false
// when p names what nobody has any more, and waits for what is not here before it
// looks at what stands for it: a tail counts together with all of its log.
func (m *Membership) Follow(shard feature.Shard, p hlc.Position, here func(hlc.Position) bool) (stands hlc.Position, ok bool) {
	for range m.maxEnds(shard) + 1 {
		end, ended := m.End(shard, p.Origin)
		switch {
		case !ended || p.At <= end.Final || here(p):
			return p, true
		case !end.Salvage.Has(p.At):
			return p, false
		case end.Final > 0 && !here(hlc.Position{Origin: p.Origin, At: end.Final}):
			return hlc.Position{Origin: p.Origin, At: end.Final}, true
		}
		p = end.Salvage.As
	}
	return p, false
}

// putTerm replaces or adds a term.
func (m *Membership) putTerm(t Term) {
	if i, ok := m.findTerm(t.Shard); ok {
		m.Terms[i] = t
	} else {
		m.Terms = slices.Insert(m.Terms, i, t)
	}
}

// isUsed reports whether an origin writes, or wrote, any log.
func (m *Membership) isUsed(o hlc.Origin) bool {
	if _, ok := m.ByOrigin(o); ok {
		return true
	}
	if _, ok := m.Sealed(o); ok {
		return true
	}
	return slices.ContainsFunc(m.Terms, func(t Term) bool {
		return t.Origin == o || slices.ContainsFunc(t.Ended, func(e TermEnd) bool { return e.Origin == o })
	})
}

// unused draws an origin that writes nothing yet (M1).
func (m *Membership) unused(draw func() hlc.Origin) hlc.Origin {
	for {
		if o := draw(); o != 0 && !m.isUsed(o) {
			return o
		}
	}
}

// ShardOf returns the shard that an origin writes, or wrote, as a term's; false
// for the origin of a store.
func (m *Membership) ShardOf(o hlc.Origin) (feature.Shard, bool) {
	for i := range m.Terms {
		t := &m.Terms[i]
		if t.Origin == o || slices.ContainsFunc(t.Ended, func(e TermEnd) bool { return e.Origin == o }) {
			return t.Shard, true
		}
	}
	return feature.Shard{}, false
}

// WriterOf returns the store that writes an origin, or wrote it.
func (m *Membership) WriterOf(o hlc.Origin) (StoreID, bool) {
	if x, ok := m.ByOrigin(o); ok {
		return x.Store, true
	}
	if s, ok := m.Sealed(o); ok {
		return s.Store, true
	}
	for i := range m.Terms {
		t := &m.Terms[i]
		if t.Origin == o {
			return t.Leader, true
		}
		for _, e := range t.Ended {
			if e.Origin == o {
				return e.Leader, true
			}
		}
	}
	return "", false
}

// IsEnded reports whether an origin writes nothing any more.
func (m *Membership) IsEnded(o hlc.Origin) bool {
	if _, sealed := m.Sealed(o); sealed {
		return true
	}
	shard, ofTerm := m.ShardOf(o)
	if !ofTerm {
		return false
	}
	_, ended := m.End(shard, o)
	return ended
}
