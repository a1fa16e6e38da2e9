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
// An ended log holds the time back only until all of it is here. A shard that is
// led is written by its term alone: by nobody, and so nothing is known of it,
// where the document at hand has none yet.
func (m *Membership) SafeTime(shard feature.Shard, led bool, progress hlc.Vector, holds func(Member) bool) hlc.Timestamp {
	safe := ^hlc.Timestamp(0)
	m.Ends(shard, func(o hlc.Origin, _ StoreID, end End) bool {
		if at := progress[o]; at < end.Final {
			safe = min(safe, at)
		}
		return true
	})
	if led {
		t, ok := m.Term(shard)
		if !ok {
			return 0
		}
		return min(safe, progress[t.Origin])
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
