package consistency

import (
	"math"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// UnknownLag is the lag behind a member of which nothing was ever heard.
const UnknownLag = time.Duration(math.MaxInt64)

// Lag bounds for how long an answer may lack what one store, or one region, has
// accepted: everything accepted there more than Time ago is in it.
type Lag struct {
	Store  meta.StoreID // "" where it is a region's
	Region meta.Region
	Time   time.Duration
}

// lagOf is the bound that progress of an origin gives: what its store accepted
// longer ago is stamped at or before that progress, so it is here. Timestamps
// are compared with no clock: an origin's may be ahead, or may have stepped.
func (w world) lagOf(o hlc.Origin, at hlc.Timestamp) time.Duration {
	if ago, ok := w.peers.AsOf(o, at); ok {
		return ago
	}
	return UnknownLag
}

// lags calls visit for each member whose writes to a shard a replica with this
// progress may lack, with the bound. Own is the origin written by the replica
// itself: all that is accepted there is there.
//
// An ended origin counts until all of it is here; a joining member counts,
// because it may write before those who did not hear of it know.
func lags(w world, shard feature.Shard, progress hlc.Vector, own hlc.Origin, visit func(Lag)) {
	m, g := w.membership, w.group(shard.Group)
	m.Ends(shard, func(o hlc.Origin, writer meta.StoreID, end meta.End) bool {
		if at := progress[o]; at < end.Final {
			x, _ := m.Member(writer)
			visit(Lag{Store: writer, Region: x.Region, Time: w.lagOf(o, at)})
		}
		return true
	})
	if g != nil && g.Placement == feature.Leader {
		w.lagOfLeader(shard, progress, own, visit)
		return
	}
	for i := range m.Members {
		x := &m.Members[i]
		if x.Origin == 0 || x.State == meta.Removed || !holds(g, x.Region) {
			continue
		}
		bound := time.Duration(0) // what is accepted here is here
		if x.Origin != own {
			bound = w.lagOf(x.Origin, progress[x.Origin])
		}
		visit(Lag{Store: x.Store, Region: x.Region, Time: bound})
	}
}

// lagOfLeader calls visit with the bound of a shard that one store writes.
func (w world) lagOfLeader(shard feature.Shard, progress hlc.Vector, own hlc.Origin, visit func(Lag)) {
	t, led := w.membership.Term(shard)
	if !led {
		visit(Lag{Time: UnknownLag})
		return
	}
	x, _ := w.membership.Member(t.Leader)
	var bound time.Duration
	switch {
	case x.Origin != own:
		bound = w.lagOf(t.Origin, progress[t.Origin])
	case !w.peers.HasLease(shard): // what is accepted here is here, but others may lead
		bound = w.lagOf(t.Origin, ^hlc.Timestamp(0))
	}
	visit(Lag{Store: t.Leader, Region: x.Region, Time: bound})
}

// worst returns the greatest lag of a shard.
func worst(w world, shard feature.Shard, progress hlc.Vector, own hlc.Origin) (out Lag) {
	lags(w, shard, progress, own, func(l Lag) {
		if l.Time > out.Time {
			out = l
		}
	})
	return out
}

// joinLag raises the bound of the lag's region in a list with one element a
// region.
func joinLag(list []Lag, l Lag) []Lag {
	for i := range list {
		if list[i].Region == l.Region {
			list[i].Time = max(list[i].Time, l.Time)
			return list
		}
	}
	return append(list, Lag{Region: l.Region, Time: l.Time})
}
