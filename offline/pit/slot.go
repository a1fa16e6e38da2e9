package pit

import "featurestore/feature"

// offer is one feature row as the spine sees it; as a slot, it is the best of
// those offered so far.
type offer struct {
	version feature.Version
	place   place
}

// place names a row of a table: 1 + its number over all parts, in the order of
// their names, and a bit for tombstones. The zero place is no row. Places
// order as integers.
type place uint64

const tombstone place = 1 << 63

func placeOf(row int64, deleted bool) place {
	if deleted {
		return place(row+1) | tombstone
	}
	return place(row + 1)
}

// row returns the row's number over all parts.
func (p place) row() int64 { return int64(p&^tombstone) - 1 }

// matched reports whether there is a row, and it has values.
func (p place) matched() bool { return p != 0 && p&tombstone == 0 }

// before reports whether b is the better match. It is a total order: event
// time, what the writer's store says of the version, and at last the place,
// so that the best of many is the same in whatever order they come.
func (a *offer) before(b *offer) bool {
	switch {
	case a.place == 0 || b.place == 0:
		return a.place == 0 && b.place != 0
	case a.version.EventTime != b.version.EventTime:
		return a.version.EventTime < b.version.EventTime
	case a.version.Generation != b.version.Generation:
		return a.version.Generation < b.version.Generation
	case a.version.At != b.version.At:
		return a.version.At < b.version.At
	case a.version.Origin != b.version.Origin:
		return a.version.Origin < b.version.Origin
	}
	return a.place.row() < b.place.row()
}
