package meta

import (
	"cmp"
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
)

// Membership says who takes part in a deployment: a document that one store,
// the home, changes, and that every store keeps a copy of. It is immutable;
// changes make another.
type Membership struct {
	// Epoch rises when another store takes over as home, Revision with each
	// change. Of two documents the one with the greater Version holds.
	Epoch, Revision uint64
	// Home is the store that changes the document and the registry.
	Home StoreID
	// Members are ordered by store; those that left stay, as Removed.
	Members Members
	// Seals are the ends of origins, ordered by origin.
	Seals []Seal
}

// Seal is the end of one origin: nothing of it counts after Final, which is
// lowered when nobody is left who has all of it (M6).
type Seal struct {
	Origin hlc.Origin
	Store  StoreID
	// Final is the last position that counts, by shard; a shard that is absent
	// has none.
	Final map[feature.Shard]hlc.Timestamp
	// Salvage says where entries after Final were logged again, by shard.
	Salvage map[feature.Shard]Salvage
}

// Salvage maps the tail of a sealed origin, up to and including UpTo, to the
// position under which all of it was logged again. A tail that was taken over in
// part has none: a position names everything before it.
type Salvage struct {
	UpTo hlc.Timestamp
	As   hlc.Position
}

// Has reports whether a position of the sealed origin was logged again.
func (s Salvage) Has(at hlc.Timestamp) bool { return at <= s.UpTo && s.As.Origin != 0 }

// Compare orders documents by age: negative when m is older than o.
func (m *Membership) Compare(o *Membership) int { return m.Version().Compare(o.Version()) }

// Version names m.
func (m *Membership) Version() Version {
	return Version{Epoch: m.Epoch, Home: m.Home, Revision: m.Revision}
}

// Member returns the member of a store id.
func (m *Membership) Member(id StoreID) (Member, bool) {
	i := slices.IndexFunc(m.Members, func(x Member) bool { return x.Store == id })
	if i < 0 {
		return Member{}, false
	}
	return m.Members[i], true
}

// ByOrigin returns the member that writes, or wrote, an origin.
func (m *Membership) ByOrigin(o hlc.Origin) (Member, bool) {
	i := slices.IndexFunc(m.Members, func(x Member) bool { return x.Origin == o })
	if i < 0 {
		return Member{}, false
	}
	return m.Members[i], true
}

// Sealed returns the seal of an origin.
func (m *Membership) Sealed(o hlc.Origin) (Seal, bool) {
	i, ok := slices.BinarySearchFunc(m.Seals, o, func(s Seal, o hlc.Origin) int { return cmp.Compare(s.Origin, o) })
	if !ok {
		return Seal{}, false
	}
	return m.Seals[i], true
}

// IsSucceeded reports whether a store's origin has ended and another has its name.
func (m *Membership) IsSucceeded(x Member) bool {
	if m == nil {
		return false
	}
	_, ended := m.Sealed(x.Origin)
	now, known := m.Member(x.Store)
	return ended && known && now.Origin != 0 && now.Origin != x.Origin
}

// Limit returns up to where entries of an origin may be joined in a shard: the
// final position of a sealed one, everything otherwise. Nothing beyond what is
// here already may be joined of a fenced one.
func (m *Membership) Limit(shard feature.Shard, o hlc.Origin) (through hlc.Timestamp, fenced bool) {
	if s, ok := m.Sealed(o); ok {
		return s.Final[shard], false
	}
	if x, ok := m.ByOrigin(o); ok && x.State == Fenced {
		return 0, true
	}
	return ^hlc.Timestamp(0), false
}

// Of returns the members that hold a group's shards: those in its regions,
// every one where it names none.
func (m Members) Of(g *feature.Group) Members {
	if g == nil || len(g.Regions) == 0 {
		return m
	}
	return slices.DeleteFunc(slices.Clone(m), func(x Member) bool { return !slices.Contains(g.Regions, string(x.Region)) })
}
