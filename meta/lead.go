package meta

import (
	"slices"

	"github.com/zeebo/xxh3"

	"featurestore/feature"
	"featurestore/hlc"
)

// Rules are what transitions go by beside the document.
type Rules struct {
	// Groups are those of the definitions.
	Groups []*feature.Group
	// Distinct is how many members an acknowledgement at a group's durability
	// names, out of those that hold a shard.
	Distinct func(g *feature.Group, members Members) int
	// Draw returns a random origin.
	Draw func() hlc.Origin
	// Quorum is SealQuorum, nil for that; tests of checkers plant another.
	Quorum func(members, distinct int) int
}

// led returns the leader group of an id, nil for any other.
func (r Rules) led(id feature.GroupID) *feature.Group {
	i := slices.IndexFunc(r.Groups, func(g *feature.Group) bool { return g.ID == id && g.Placement == feature.Leader })
	if i < 0 {
		return nil
	}
	return r.Groups[i]
}

// leaderOf chooses who leads a shard, out of the active members that hold it: one
// in the first home region that has any; where the group names no home, and among
// several stores of a region, by rendezvous hashing, which spreads the shards
// (Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates",
// 1998).
func leaderOf(g *feature.Group, shard feature.Shard, members Members) StoreID {
	able := members.Active().Of(g)
	for _, home := range g.Home {
		if there := able.In(Region(home)); len(there) > 0 {
			able = there
			break
		}
	}
	var best StoreID
	var most uint64
	for _, x := range able {
		seed := uint64(shard.Group)<<16 | uint64(shard.Partition)
		if h := xxh3.HashStringSeed(string(x.Store), seed); best == "" || h > most {
			best, most = x.Store, h
		}
	}
	return best
}

// Lead gives a first term to every shard of a leader group that has none. It
// returns m when there is nothing to give.
func (m *Membership) Lead(r Rules) *Membership {
	n := m
	for _, g := range r.Groups {
		if g.Placement != feature.Leader {
			continue
		}
		for partition := range max(g.Partitions, 1) {
			shard := feature.Shard{Group: g.ID, Partition: partition}
			if _, led := m.Term(shard); led {
				continue
			}
			leader := leaderOf(g, shard, m.Members)
			if leader == "" {
				continue
			}
			if n == m {
				n = m.next()
			}
			n.putTerm(Term{Shard: shard, Number: 1, Leader: leader, Origin: n.unused(r.Draw), Since: n.Revision})
		}
	}
	return n
}

// Promote begins to hand the shards of a group over to another leader: in order,
// its present leaders writing no more, or, by force, with the others taking no
// more of their logs. A forced promotion may lose what only the deposed leader
// has. Partition names one shard, negative all of them.
func (m *Membership) Promote(g *feature.Group, partition int, to StoreID, force bool) (*Membership, error) {
	x, ok := m.Member(to)
	switch {
	case g.Placement != feature.Leader:
		return nil, refuse("group %s has placement %s; only groups with placement leader have leaders to promote", g.Name, g.Placement)
	case partition >= int(max(g.Partitions, 1)):
		return nil, refuse("group %s has no partition %d: its partitions are 0 to %d", g.Name, partition, max(g.Partitions, 1)-1)
	case !ok || x.State != Active:
		return nil, refuse("store %q is no active member; active are %v", to, m.Members.Active().names())
	case len(Members{x}.Of(g)) == 0:
		return nil, refuse("store %s is in region %s, and group %s may be held in %v only", to, x.Region, g.Name, g.Regions)
	}
	n := m
	for p := range max(g.Partitions, 1) {
		if partition >= 0 && int(p) != partition {
			continue
		}
		t, led := m.Term(feature.Shard{Group: g.ID, Partition: p})
		if !led || t.Leader == to && t.State == Open {
			continue
		}
		next := *t
		next.State, next.Next, next.Lossy = Stopping, to, force
		switch {
		case t.State == Deposed && (!force || t.Leader == to):
			return nil, refuse("partition %d of group %s is being taken from store %s already; promote another store by force if need be", p, g.Name, t.Leader)
		case t.Leader == to: // nothing was sealed yet
			next.State, next.Next, next.Lossy = Open, "", false
		case force:
			next.State = Deposed
		}
		if n == m {
			n = m.next()
		}
		next.Since = n.Revision
		n.putTerm(next)
	}
	if n == m {
		return nil, refuse("store %s leads group %s already", to, g.Name)
	}
	return n, nil
}

// passOn ends the terms that a member leads which leaves or was fenced, in a
// document that is being made.
func (m *Membership) passOn(x Member, r Rules) {
	for _, t := range slices.Clone(m.Terms) {
		g := r.led(t.Shard.Group)
		if g == nil || t.Leader != x.Store && t.Next != x.Store {
			continue
		}
		if t.Leader == x.Store {
			t.State, t.Lossy = Stopping, x.State == Fenced
			if x.State == Fenced {
				t.State = Deposed
			}
		}
		t.Next, t.Since = leaderOf(g, t.Shard, m.Members), m.Revision
		m.putTerm(t)
	}
}

// endTerms makes the one step that what was heard allows: a term that is to end
// is sealed, and the next one begins. It returns m when there is none.
func (m *Membership) endTerms(heard func(StoreID) (Heard, bool), r Rules) *Membership {
	n := m
	for i := range m.Terms {
		t := &m.Terms[i]
		g := r.led(t.Shard.Group)
		if t.State == Open || g == nil {
			continue
		}
		final, ok := m.termFinal(t, g, heard, r)
		if !ok {
			continue
		}
		if n == m {
			n = m.next()
		}
		n.putTerm(Term{
			Shard: t.Shard, Number: t.Number + 1, Leader: t.Next, Origin: n.unused(r.Draw), Since: n.Revision,
			Ended: append(slices.Clone(t.Ended), TermEnd{Origin: t.Origin, Leader: t.Leader, Final: final}),
		})
	}
	return n
}

// termFinal decides where a term ends, once that is certain (M5, M6): where its
// leader stopped, or the greatest position that a seal quorum has. The next
// leader is one that goes by this document. Where its leader stopped in order, it
// must have all of the term too, for until then the leader may be told to go on;
// of a deposed leader's log nobody takes more before its end is known.
func (m *Membership) termFinal(t *Term, g *feature.Group, heard func(StoreID) (Heard, bool), r Rules) (hlc.Timestamp, bool) {
	next, ok := heard(t.Next)
	if x, known := m.Member(t.Next); !ok || !known || x.State != Active || !next.has(m, t.Since) {
		return 0, false
	}
	var final hlc.Timestamp
	leader, stopped := heard(t.Leader)
	stopped = stopped && leader.has(m, t.Since)
	switch {
	case stopped:
		final = leader.Head(t.Shard, t.Origin)
	case t.State == Stopping:
		return 0, false
	default:
		d := m.Deciders(t, g, r)
		votes := 0
		for _, y := range d.Others {
			if h, ok := heard(y.Store); ok && h.has(m, t.Since) {
				votes++
				final = max(final, h.Head(t.Shard, t.Origin))
			}
		}
		if votes < d.Quorum && !(t.Lossy && votes == len(d.Others)) {
			return 0, false
		}
	}
	covered := final == 0 || next.Covers(t.Shard, hlc.Position{Origin: t.Origin, At: final})
	return final, covered || t.State == Deposed
}

// Deciders are those whose word decides where the term of a leader that is away
// ends, and how many of them have to give it.
type Deciders struct {
	// Others hold the shard besides the leader.
	Others Members
	// Distinct is how many members an acknowledgement at the group's durability
	// names, out of these and the leader.
	Distinct int
	Quorum   int
}

// Deciders returns who decides about the end of a term, if its leader is away.
func (m *Membership) Deciders(t *Term, g *feature.Group, r Rules) Deciders {
	holding := m.Members.Of(g)
	d := Deciders{Distinct: r.Distinct(g, holding.Active())}
	for _, y := range holding {
		if y.Store != t.Leader && (y.State == Active || y.State == Leaving) {
			d.Others = append(d.Others, y)
		}
	}
	quorum := SealQuorum
	if r.Quorum != nil {
		quorum = r.Quorum
	}
	d.Quorum = quorum(len(d.Others)+1, d.Distinct) // the leader is one, whatever its state is
	return d
}

// Keeps reports whether a promotion by force keeps all that was acknowledged at
// the group's durability: one of any so many of the others has it (I9).
func (d Deciders) Keeps() bool { return min(d.Quorum, len(d.Others))+d.Distinct > len(d.Others)+1 }

// SealQuorum is how many of a shard's members must have stopped taking a log
// before its end is decided, where an acknowledgement names distinct of them: one
// of those who decide has whatever was acknowledged (I9). It is a majority at
// least, so that the quorums of two memberships that differ by one member meet.
func SealQuorum(members, distinct int) int {
	return max(members-distinct+1, members/2+1)
}

// AddTermSalvage notes where the tail of an ended term was logged again.
func (m *Membership) AddTermSalvage(shard feature.Shard, o hlc.Origin, v Salvage) (*Membership, error) {
	t, led := m.Term(shard)
	if !led {
		return nil, refuse("nobody leads shard %d/%d", shard.Group, shard.Partition)
	}
	i := slices.IndexFunc(t.Ended, func(e TermEnd) bool { return e.Origin == o })
	if i < 0 {
		return nil, refuse("origin %v is not sealed", o)
	}
	if t.Ended[i].Salvage.As.Origin != 0 { // written once
		return m, nil
	}
	n := m.next()
	next := *t
	next.Ended = slices.Clone(t.Ended)
	next.Ended[i].Salvage = v
	n.putTerm(next)
	return n, nil
}
