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

// lagOf is the bound that progress of an origin gives at a wall time, in
// nanoseconds. The origin's clock may have been ahead: what it accepted at our
// time t it may have stamped t + ahead, so that so much more may be missing.
func lagOf(at hlc.Timestamp, now int64, ahead time.Duration) time.Duration {
	if at == 0 {
		return UnknownLag
	}
	return max(0, time.Duration(now-at.Millis()*int64(time.Millisecond))) + ahead
}

// lags calls visit for each member whose writes to a shard a replica with this
// progress may lack, with the bound. Own is the origin written by the replica
// itself, whose log is complete there up to closed.
//
// An ended origin counts until all of it is here; a joining member counts,
// because it may write before those who did not hear of it know.
func lags(w world, shard feature.Shard, progress hlc.Vector, own hlc.Origin, closed hlc.Timestamp, visit func(Lag)) {
	m, g := w.membership, w.group(shard.Group)
	for i := range m.Seals {
		s := &m.Seals[i]
		if at := progress[s.Origin]; at < s.Final[shard] {
			x, _ := m.Member(s.Store)
			visit(Lag{Store: s.Store, Region: x.Region, Time: lagOf(at, w.now, w.ahead(s.Store))})
		}
	}
	for i := range m.Members {
		x := &m.Members[i]
		if x.Origin == 0 || x.State == meta.Removed || !holds(g, x.Region) {
			continue
		}
		at, ahead := progress[x.Origin], time.Duration(0)
		if x.Origin == own {
			at = max(at, closed)
		} else {
			ahead = w.ahead(x.Store)
		}
		visit(Lag{Store: x.Store, Region: x.Region, Time: lagOf(at, w.now, ahead)})
	}
}

// worst returns the greatest lag of a shard.
func worst(w world, shard feature.Shard, progress hlc.Vector, own hlc.Origin, closed hlc.Timestamp) (out Lag) {
	lags(w, shard, progress, own, closed, func(l Lag) {
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
