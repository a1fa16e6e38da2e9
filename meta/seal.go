package meta

import (
	"cmp"
	"maps"
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
)

// voter is a member that a seal is decided from, and what it holds.
type voter struct {
	Heard
	holds []feature.Shard
}

func (v voter) stores(shard feature.Shard) bool { return slices.Contains(v.holds, shard) }

// voters are the members that remain when x goes, once each of them has told
// that it obeys the document by which x goes (M5); false before.
func (m *Membership) voters(x Member, heard func(StoreID) (Heard, bool), shards func(Member) []feature.Shard) ([]voter, bool) {
	var voters []voter
	for _, y := range m.Members {
		if y.Origin == 0 || y.State == Removed || y.State == Fenced || y.Store == x.Store && x.State == Fenced {
			continue
		}
		h, ok := heard(y.Store)
		if !ok || !h.has(m, x.Since) {
			return nil, false
		}
		voters = append(voters, voter{h, shards(y)})
	}
	return voters, true
}

// finalOf is where the log of x ends in the shards that it holds.
func finalOf(x Member, voters []voter, shards []feature.Shard) map[feature.Shard]hlc.Timestamp {
	final := map[feature.Shard]hlc.Timestamp{}
	for _, shard := range shards {
		for _, v := range voters {
			if at := v.Head(shard, x.Origin); at > 0 {
				final[shard] = max(final[shard], at)
			}
		}
	}
	return final
}

// isDrained reports whether a leaving member takes nothing along: not of its own
// log, nor of those that have ended. It may be the last that has all of one.
func (m *Membership) isDrained(x Member, final map[feature.Shard]hlc.Timestamp, voters []voter) bool {
	ends := append([]Seal{{Origin: x.Origin, Final: final}}, m.Seals...)
	for _, v := range voters {
		for _, end := range ends {
			for _, shard := range v.holds {
				if at := end.Final[shard]; at > 0 && !v.Covers(shard, hlc.Position{Origin: end.Origin, At: at}) {
					return false
				}
			}
		}
	}
	return true
}

// sealed ends the origin of x and takes x out. What x alone had of logs that
// ended before is gone with it.
func (m *Membership) sealed(x Member, final map[feature.Shard]hlc.Timestamp, voters []voter) *Membership {
	n := m.next()
	if x.State == Fenced {
		for i := range n.Seals {
			n.Seals[i] = n.Seals[i].within(voters)
		}
	}
	x.Drained = x.State == Leaving
	x.State, x.Since = Removed, n.Revision
	n.put(x)
	seal := Seal{Origin: x.Origin, Store: x.Store, Final: final}
	i, ok := slices.BinarySearchFunc(n.Seals, x.Origin, func(s Seal, o hlc.Origin) int { return cmp.Compare(s.Origin, o) })
	if !ok {
		n.Seals = slices.Insert(n.Seals, i, seal)
	}
	return n
}

// within is the seal as far as those who remain have the log (M6). What was
// logged again of the tail stands no longer for it in a shard that ends sooner:
// there is a hole before it now.
func (s Seal) within(voters []voter) Seal {
	for shard, final := range s.Final {
		last, whole := hlc.Timestamp(0), false
		for _, v := range voters {
			if v.stores(shard) {
				whole = whole || v.Covers(shard, hlc.Position{Origin: s.Origin, At: final})
				last = max(last, v.Head(shard, s.Origin))
			}
		}
		if whole || last >= final {
			continue
		}
		s.Final, s.Salvage = maps.Clone(s.Final), maps.Clone(s.Salvage)
		delete(s.Salvage, shard)
		if s.Final[shard] = last; last == 0 {
			delete(s.Final, shard)
		}
	}
	return s
}
