package consistency

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// A poll is one round of a read at level quorum: whom it may ask, what they
// answered, and what that comes to. Its methods decide and do not wait; it
// belongs to one goroutine.
type poll struct {
	world  world
	keys   []feature.RowKey
	groups []electorate
	others []elector // that are not asked yet, the nearest first
	asked  int       // of others, that have not answered
	live   bool      // enough members are in reach

	answers []returned
	joined  [][]byte // by key
	vectors map[feature.Shard]hlc.Vector
	silent  map[meta.StoreID]error // why nobody counts on them any more
}

// electorate is a group that is read, and who of its members counts.
type electorate struct {
	name   string
	id     feature.GroupID
	active meta.Members
	need   int
	asked  int // have not answered
	heard  int
}

// elector is a member that may be asked.
type elector struct {
	meta.Member
	trip time.Duration
	live bool
	// at are the indexes of the keys that it holds; nil: it holds all.
	at []int
}

// returned is what a member answered.
type returned struct {
	elector
	progress map[feature.Shard]hlc.Vector
	rows     [][]byte
}

// majority is the least number that any two of have a member in common with.
func majority(members int) int { return members/2 + 1 }

// newPoll returns a round that has asked nobody yet.
func newPoll(w world, a Alternative, keys []feature.RowKey, targets []Target, faults fault.Set) (*poll, error) {
	p := &poll{
		world: w, keys: keys, live: true, joined: make([][]byte, len(keys)), vectors: map[feature.Shard]hlc.Vector{}, silent: map[meta.StoreID]error{},
	}
	for _, t := range targets {
		if slices.ContainsFunc(p.groups, func(e electorate) bool { return e.id == t.Shard.Group }) {
			continue
		}
		e := electorate{id: t.Shard.Group, active: w.members(t.Shard).Active(), name: fmt.Sprint(t.Shard.Group)}
		if g := w.group(e.id); g != nil {
			e.name = g.Name
		}
		e.need = majority(len(e.active))
		if faults.Has(fault.MinorityQuorum) {
			e.need = max(1, e.need-1)
		}
		if a.Members > len(e.active) {
			return nil, fmt.Errorf("%w: %v asks for more members than the %d active ones of group %s", ErrLevelNotOffered, a, len(e.active), e.name)
		}
		if a.Members > 0 {
			e.need = a.Members
		}
		p.groups = append(p.groups, e)
	}
	p.findOthers()
	p.count(w.self.Store, 1, 0)
	return p, nil
}

// findOthers lists whom to ask: those in reach first, the nearest of them first.
func (p *poll) findOthers() {
	for _, x := range p.world.membership.Members {
		if x.Store == p.world.self.Store || x.State != meta.Active {
			continue
		}
		e := elector{Member: x}
		some, all := false, true
		for i := range p.groups {
			in := p.groups[i].has(x.Store)
			some, all = some || in, all && in
		}
		if !some {
			continue
		}
		e.trip, e.live = p.world.peers.Reach(x.Store)
		if !all {
			e.at = p.heldBy(x.Store)
		}
		p.others = append(p.others, e)
	}
	slices.SortStableFunc(p.others, func(a, b elector) int {
		if a.live != b.live {
			if a.live {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.trip, b.trip)
	})
	for i := range p.groups {
		reached := 0
		for _, x := range p.groups[i].active {
			if x.Store == p.world.self.Store || slices.ContainsFunc(p.others, func(e elector) bool { return e.Store == x.Store && e.live }) {
				reached++
			}
		}
		p.live = p.live && reached >= p.groups[i].need
	}
}

func (e *electorate) has(store meta.StoreID) bool {
	return slices.ContainsFunc(e.active, func(m meta.Member) bool { return m.Store == store })
}

func (p *poll) group(id feature.GroupID) *electorate {
	for i := range p.groups {
		if p.groups[i].id == id {
			return &p.groups[i]
		}
	}
	return nil
}

// heldBy are the indexes of the keys that a member holds.
func (p *poll) heldBy(store meta.StoreID) []int {
	out := []int{}
	for i := range p.keys {
		if p.group(p.keys[i].Shard.Group).has(store) {
			out = append(out, i)
		}
	}
	return out
}

// keysOf are the keys to ask a member for.
func (p *poll) keysOf(e elector) []feature.RowKey {
	if e.at == nil {
		return p.keys
	}
	out := make([]feature.RowKey, len(e.at))
	for i, at := range e.at {
		out[i] = p.keys[at]
	}
	return out
}

// count notes that a member was asked, or has answered or failed.
func (p *poll) count(store meta.StoreID, asked, heard int) {
	for i := range p.groups {
		if g := &p.groups[i]; g.has(store) {
			g.asked, g.heard = g.asked+asked, g.heard+heard
		}
	}
}

// A reason to ask one more member.
type reason func(*electorate) bool

// The reasons.
func isShort(g *electorate) bool     { return g.heard+g.asked < g.need } // too few were asked
func isUndecided(g *electorate) bool { return g.heard < g.need }         // they take long
func isAny(*electorate) bool         { return true }                     // they have too little

// next returns the nearest member that was not asked and is in a group for which
// there is a reason to, and counts it as asked.
func (p *poll) next(why reason) (elector, bool) {
	for i, e := range p.others {
		for j := range p.groups {
			if g := &p.groups[j]; why(g) && g.has(e.Store) {
				p.others = slices.Delete(p.others, i, i+1)
				p.asked++
				p.count(e.Store, 1, 0)
				return e, true
			}
		}
	}
	return elector{}, false
}

// isDecided reports whether enough members have answered.
func (p *poll) isDecided() bool {
	for i := range p.groups {
		if isUndecided(&p.groups[i]) {
			return false
		}
	}
	return true
}

// fail notes why a member does not answer.
func (p *poll) fail(e elector, why error) {
	p.asked--
	p.count(e.Store, -1, 0)
	p.silent[e.Store] = why
}

// take joins what a member answered.
func (p *poll) take(r returned) error {
	n := len(p.keys)
	if r.at != nil {
		n = len(r.at)
	}
	if len(r.rows) != n {
		return fmt.Errorf("it answered with %d rows of %d", len(r.rows), n)
	}
	for i, row := range r.rows {
		at := r.key(i)
		joined, err := joinEncoded(p.joined[at], row)
		if err != nil {
			return fmt.Errorf("join its row: %w", err)
		}
		p.joined[at] = joined
	}
	for shard, v := range r.progress {
		p.vectors[shard] = p.vectors[shard].Merge(v)
	}
	p.count(r.Store, -1, 1)
	if r.Store != p.world.self.Store {
		p.asked--
	}
	p.answers = append(p.answers, r)
	return nil
}

// key is the index of the key of row i.
func (e *elector) key(i int) int {
	if e.at == nil {
		return i
	}
	return e.at[i]
}

// row is what a member answered for a key, false when it was not asked for it.
func (r *returned) row(key int) ([]byte, bool) {
	if r.at == nil {
		return r.rows[key], true
	}
	i, ok := slices.BinarySearch(r.at, key)
	if !ok {
		return nil, false
	}
	return r.rows[i], true
}

// holds reports whether a member has a joined row, with all that made it up:
// what it answered was that very row, or its progress says so. Progress counts
// nothing beyond the end of a log that nobody logged again: there, only the row.
func (p *poll) holds(store meta.StoreID, key int, dots []hlc.Position, here hlc.Vector) bool {
	shard := p.keys[key].Shard
	progress := here
	if store != p.world.self.Store {
		progress = p.world.peers.Acked(store, shard)
	}
	for i := range p.answers {
		if r := &p.answers[i]; r.Store == store {
			if row, asked := r.row(key); asked && bytes.Equal(row, p.joined[key]) {
				return true
			}
			if store != p.world.self.Store {
				progress = progress.Clone().Merge(r.progress[shard])
			}
		}
	}
	return p.covers(progress, shard, dots)
}

func (p *poll) covers(progress hlc.Vector, shard feature.Shard, dots []hlc.Position) bool {
	for _, d := range dots {
		if c, _ := CoveredPosition(progress, Origins{Membership: p.world.membership}, shard, d); c != Covered {
			return false
		}
	}
	return true
}

// holders counts the members that have a joined row.
func (p *poll) holders(key int, dots []hlc.Position, here hlc.Vector, faults fault.Set) (n int) {
	for _, x := range p.group(p.keys[key].Shard.Group).active {
		if faults.Has(fault.RepairCountsCoordinator) && x.Store == p.world.self.Store || p.holds(x.Store, key, dots, here) {
			n++
		}
	}
	return n
}

// read is how many members were heard, of how many, in the group with the fewest.
func (p *poll) read() (heard, of int) {
	for i := range p.groups {
		if g := &p.groups[i]; i == 0 || g.heard < heard {
			heard, of = g.heard, len(g.active)
		}
	}
	return heard, of
}

// short says of a group that lacks answers what is missing.
func (p *poll) short(a Alternative) error {
	for i := range p.groups {
		if g := &p.groups[i]; g.heard < g.need {
			e := &QuorumError{Alternative: a.plain(), Group: g.name, Have: g.heard, Of: len(g.active), Need: g.need}
			for _, x := range g.active {
				if !slices.ContainsFunc(p.answers, func(r returned) bool { return r.Store == x.Store }) {
					why := "did not answer in time"
					if err := p.silent[x.Store]; err != nil {
						why = err.Error()
					}
					e.Missing = append(e.Missing, fmt.Sprintf("%s: %s", x.Store, why))
				}
			}
			return e
		}
	}
	return nil
}
