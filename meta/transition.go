package meta

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
)

// ErrRefused reports a change of the membership that is not possible. Nothing
// changed.
var ErrRefused = errors.New("membership change refused")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

// Found returns the first document of a deployment: self alone, as its home.
func Found(self Member) *Membership {
	self.State, self.Since = Active, 1
	return &Membership{Epoch: 1, Revision: 1, Home: self.Store, Members: Members{self}}
}

// next returns a copy of m, one revision on, that the caller may change.
func (m *Membership) next() *Membership {
	n := *m
	n.Revision++
	n.Members, n.Seals = slices.Clone(m.Members), slices.Clone(m.Seals)
	return &n
}

// put replaces or adds a member.
func (m *Membership) put(x Member) {
	i, ok := slices.BinarySearchFunc(m.Members, x.Store, func(y Member, id StoreID) int { return cmp.Compare(y.Store, id) })
	if ok {
		m.Members[i] = x
	} else {
		m.Members = slices.Insert(m.Members, i, x)
	}
}

// Invite lets a store join that is not known yet, or that was removed.
func (m *Membership) Invite(x Member) (*Membership, error) {
	if x.Store == "" || x.Region == "" || x.Address == "" {
		return nil, refuse("store %q, region %q, address %q: all three are needed", x.Store, x.Region, x.Address)
	}
	if old, ok := m.Member(x.Store); ok && old.State != Removed {
		return nil, refuse("store %s is %v already", x.Store, old.State)
	}
	for _, other := range m.Members.In(x.Region) {
		if other.State != Removed && other.Store != x.Store {
			return nil, refuse("region %s has store %s, which is %v, and this version has one store in each region: remove or evict it first, or name another region", x.Region, other.Store, other.State)
		}
	}
	for _, other := range m.Members {
		if other.Address == x.Address && other.State != Removed && other.Store != x.Store {
			return nil, refuse("address %s belongs to store %s, which is %v; remove or evict it first, or give %s another", x.Address, other.Store, other.State, x.Store)
		}
	}
	n := m.next()
	n.put(Member{Store: x.Store, Region: x.Region, State: Joining, Address: x.Address, Since: n.Revision})
	return n, nil
}

// Introduce takes a store into the document that has said hello, or notes its
// new addresses. Invited says that a store nobody was told of may join. It
// returns m when there is nothing to note.
func (m *Membership) Introduce(x Member, invited bool) (*Membership, error) {
	old, known := m.Member(x.Store)
	switch {
	case x.Origin == 0:
		return nil, refuse("store %s has no origin", x.Store)
	case !known && !invited:
		return nil, refuse("store %s in region %s is no member; add it: featurestore members add --region %s --store %s --address HOST:PORT", x.Store, x.Region, x.Region, x.Store)
	case known && old.Region != x.Region:
		return nil, refuse("store %s is in region %s, not %s", x.Store, old.Region, x.Region)
	}
	if holder, taken := m.ByOrigin(x.Origin); taken && holder.Store != x.Store {
		return nil, refuse("origin %v of store %s belongs to store %s: a data directory was copied", x.Origin, x.Store, holder.Store)
	}
	if _, sealed := m.Sealed(x.Origin); sealed && (!known || old.Origin != x.Origin) {
		return nil, refuse("origin %v of store %s has ended", x.Origin, x.Store)
	}
	if known && old.State == Removed && old.Drained && old.Origin != x.Origin {
		return nil, refuse("store %s was removed; add it again: featurestore members add --region %s --store %s --address HOST:PORT", x.Store, x.Region, x.Store)
	}
	joins := !known || old.Origin == 0 || old.State == Removed && old.Origin != x.Origin
	if !joins && old.Origin != x.Origin {
		return nil, refuse("store %s is %v under origin %v, and comes back under %v: its data directory was lost or replaced; evict it first: featurestore members evict %s --yes", x.Store, old.State, old.Origin, x.Origin, x.Store)
	}
	if !joins && old.Address == cmp.Or(x.Address, old.Address) && old.URL == cmp.Or(x.URL, old.URL) {
		return m, nil
	}
	n := m.next()
	if joins {
		x.State, x.Since = Joining, n.Revision
		x.Address = cmp.Or(x.Address, old.Address)
	} else {
		address, url := cmp.Or(x.Address, old.Address), cmp.Or(x.URL, old.URL)
		x = old
		x.Address, x.URL = address, url
	}
	n.put(x)
	return n, nil
}

// Remove begins to drain a member: it writes no more, and goes when the others
// have all of its log. One that alone holds one of the groups stays.
func (m *Membership) Remove(id StoreID, groups []*feature.Group) (*Membership, error) {
	if g := m.heldAlone(id, groups); g != nil {
		return nil, refuse("store %s alone holds the rows of group %s, whose regions are %v: add another active store's region to them first, or delete the group", id, g.Name, g.Regions)
	}
	return m.retire(id, Leaving)
}

// heldAlone returns one of the groups that no other active store holds, nil when
// there is none.
func (m *Membership) heldAlone(id StoreID, groups []*feature.Group) *feature.Group {
	x, ok := m.Member(id)
	others := slices.DeleteFunc(m.Members.Active(), func(y Member) bool { return y.Store == id })
	if !ok || x.State != Active && x.State != Leaving || len(others) == 0 {
		return nil
	}
	for _, g := range groups {
		if len(others.Of(g)) == 0 && len(Members{x}.Of(g)) > 0 {
			return g
		}
	}
	return nil
}

// Evict begins to end a member that is away: the others take no more of its
// log, and agree on where it ended. What it has beyond that is not part of the
// deployment any more, unless it comes back and hands it over. Of a group that it
// alone holds that would be everything, and nobody could take it over: it stays,
// unless these groups are not among those given.
func (m *Membership) Evict(id StoreID, groups []*feature.Group) (*Membership, error) {
	if g := m.heldAlone(id, groups); g != nil {
		return nil, refuse("store %s alone holds the rows of group %s, whose regions are %v, and when it comes back nobody could take them over: add another active store's region to them first, or delete the group, or give its rows up: featurestore members evict %s --yes --abandon", id, g.Name, g.Regions, id)
	}
	return m.retire(id, Fenced)
}

func (m *Membership) retire(id StoreID, to State) (*Membership, error) {
	x, ok := m.Member(id)
	others := slices.DeleteFunc(m.Members.Active(), func(y Member) bool { return y.Store == id })
	switch {
	case !ok:
		return nil, refuse("store %q is no member; members are %v", id, m.Members.names())
	case x.State >= to:
		return nil, refuse("store %s is %v already", id, x.State)
	case id == m.Home:
		return nil, refuse("store %s is the home of membership and definitions; another must take over first", id)
	case len(others) == 0:
		return nil, refuse("store %s is the last active member", id)
	}
	n := m.next()
	x.State, x.Since = to, n.Revision
	if x.Origin == 0 { // invited, never seen: it has nothing to seal
		x.State = Removed
	}
	n.put(x)
	return n, nil
}

func (m Members) names() []StoreID {
	out := make([]StoreID, len(m))
	for i, x := range m {
		out[i] = x.Store
	}
	return out
}

// TakeOver makes another store the home. The operator says by it that the old
// home is gone: what it changed since the document seen here is void.
func (m *Membership) TakeOver(by StoreID) (*Membership, error) {
	if x, ok := m.Member(by); !ok || x.State != Active {
		return nil, refuse("store %q is no active member", by)
	}
	if by == m.Home {
		return nil, refuse("store %s is the home already", by)
	}
	n := m.next()
	n.Epoch, n.Home = m.Epoch+1, by
	n.Revision += unseenRevisions
	return n, nil
}

// unseenRevisions is more than a home makes without the knowledge of the store
// that takes over from it: a session whose floor is of such a revision waits for
// a document that is as new, and none would come.
const unseenRevisions = 1000

// maxOutrun bounds the revisions that a home believes in.
const maxOutrun = 1 << 62

// Outrun raises the revision beyond that of a document that does not hold though
// its revision is greater, for the same reason. It returns m when it is not.
func (m *Membership) Outrun(v Version) *Membership {
	if v.Compare(m.Version()) >= 0 || v.Revision <= m.Revision || v.Revision > maxOutrun {
		return m
	}
	n := m.next()
	n.Revision = v.Revision + 1
	return n
}

// AddSalvage notes where the tail of a sealed origin was logged again.
func (m *Membership) AddSalvage(o hlc.Origin, salvage map[feature.Shard]Salvage) (*Membership, error) {
	i := slices.IndexFunc(m.Seals, func(s Seal) bool { return s.Origin == o })
	if i < 0 {
		return nil, refuse("origin %v is not sealed", o)
	}
	n := m.next()
	merged := maps.Clone(n.Seals[i].Salvage)
	if merged == nil {
		merged = map[feature.Shard]Salvage{}
	}
	for shard, v := range salvage {
		if _, done := merged[shard]; !done { // written once
			merged[shard] = v
		}
	}
	n.Seals[i].Salvage = merged
	return n, nil
}

// Heard is what a member told of itself last.
type Heard struct {
	// Version is of the document that it keeps.
	Version Version
	// Whole says that it has copied all that it holds.
	Whole bool
	// Head is the last entry of an origin that it has in a shard.
	Head func(feature.Shard, hlc.Origin) hlc.Timestamp
	// Covers reports whether its progress in a shard covers a position.
	Covers func(feature.Shard, hlc.Position) bool
}

// has reports whether it keeps m as of a revision, or a later one. One that keeps
// a document of another line may lack what m says, whatever its revision.
func (h Heard) has(m *Membership, since uint64) bool {
	return h.Version.IsOfLine(m.Version()) && h.Version.Revision >= since
}

// Advance makes the one step that what was heard allows, or returns m: a
// joining member becomes active, a leaving or fenced one is sealed and removed.
// Shards are those that a member holds. Only the home calls it.
func (m *Membership) Advance(heard func(StoreID) (Heard, bool), shards func(Member) []feature.Shard) *Membership {
	for _, x := range m.Members {
		switch x.State {
		case Joining:
			if m.mayServe(x, heard) {
				n := m.next()
				x.State, x.Since = Active, n.Revision
				n.put(x)
				return n
			}
		case Leaving, Fenced:
			voters, ok := m.voters(x, heard, shards)
			if !ok {
				continue
			}
			if final := finalOf(x, voters, shards(x)); x.State == Fenced || m.isDrained(x, final, voters) {
				return m.sealed(x, final, voters)
			}
		}
	}
	return m
}

// mayServe decides whether a joining member may become active: it is whole, and
// everyone who serves counts its origin (M4).
func (m *Membership) mayServe(x Member, heard func(StoreID) (Heard, bool)) bool {
	h, ok := heard(x.Store)
	if !ok || x.Origin == 0 || !h.Whole || !h.has(m, x.Since) {
		return false
	}
	for _, y := range m.Members {
		if y.State != Active && y.State != Leaving {
			continue
		}
		if h, ok := heard(y.Store); !ok || !h.has(m, x.Since) {
			return false
		}
	}
	return true
}
