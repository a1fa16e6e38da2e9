package meta

import (
	"featurestore/feature"
	"featurestore/hlc"
)

// SafeTime returns up to when nothing of any origin is missing in a shard, for
// a store whose progress there is given, its own origin's included. Holds tells
// who may write to the shard's group. It is zero while an origin was never
// heard of.
//
// A sealed origin holds the time back only until all of it is here.
func (m *Membership) SafeTime(shard feature.Shard, progress hlc.Vector, holds func(Member) bool) hlc.Timestamp {
	safe := ^hlc.Timestamp(0)
	for _, s := range m.Seals {
		if at := progress[s.Origin]; at < s.Final[shard] {
			safe = min(safe, at)
		}
	}
	for _, x := range m.Members {
		if x.Origin == 0 || x.State == Removed || !holds(x) {
			continue
		}
		safe = min(safe, progress[x.Origin])
	}
	if safe == ^hlc.Timestamp(0) {
		return 0
	}
	return safe
}
