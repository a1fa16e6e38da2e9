package history

import (
	"bytes"
	"cmp"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// Row is what one log entry brought to the row of one entity, or the part of it
// that stands under one version.
type Row struct {
	Key feature.Key
	// Log is the position of the entry. That of the version is another only for
	// what was logged again (oplog.Relog).
	Log hlc.Position
	// Version is that of every cell of Delta, and of its tombstone by event.
	Version feature.Version
	// LogOnly says that the row was never joined into what is served.
	LogOnly bool
	Delta   feature.Row
}

// Day is a day of event times, in UTC: days since 1970-01-01.
type Day int32

// DayOf returns the day of an event time in nanoseconds since the Unix epoch.
func DayOf(eventTime int64) Day {
	const day = int64(24 * time.Hour)
	d := eventTime / day
	if eventTime%day < 0 {
		d--
	}
	return Day(d)
}

// String prints the day as 2026-08-21.
func (d Day) String() string { return time.Unix(int64(d)*86400, 0).UTC().Format(time.DateOnly) }

// split calls visit with the rows of history that a row of an entry is: one for
// each version. The deltas of the parts join to the delta, in any order (F1).
func split(e *oplog.Entry, r *oplog.Row, visit func(Row) error) error {
	part := func(v feature.Version, delta feature.Row) error {
		return visit(Row{Key: r.Key, Log: e.Position(), Version: v, LogOnly: e.LogOnly, Delta: delta})
	}
	if t := r.Delta.Tombstone; !t.IsZero() {
		if err := part(t.ByEvent, feature.Row{Tombstone: t}); err != nil {
			return err
		}
	}
	cells := r.Delta.Cells
	for i := range cells {
		v := cells[i].Version
		if isNamedBefore(cells, i) {
			continue
		}
		own := cells[i : i+1]
		for j := i + 1; j < len(cells); j++ {
			if cells[j].Version != v {
				continue
			}
			if j == i+len(own) {
				own = cells[i : j+1] // the common case: one version for all
				continue
			}
			own = append(own[:len(own):len(own)], cells[j])
		}
		if err := part(v, feature.Row{Cells: own}); err != nil {
			return err
		}
	}
	return nil
}

// isNamedBefore reports whether a cell before cells[i] has its version.
func isNamedBefore(cells []feature.Cell, i int) bool {
	for j := i - 1; j >= 0; j-- {
		if cells[j].Version == cells[i].Version {
			return true
		}
	}
	return false
}

// compareRows is the order of rows in a file: by key, then by version, then by
// the entry that brought them. It is total on the rows of one view, so a file is
// the same for any order of arrival.
func compareRows(a, b *Row) int {
	return cmp.Or(
		bytes.Compare(a.Key, b.Key),
		compareVersions(a.Version, b.Version, a.Log, b.Log),
		// A delete and a value of one write: only a relog has both.
		cmp.Compare(len(a.Delta.Cells), len(b.Delta.Cells)),
	)
}

func compareVersions(a, b feature.Version, aLog, bLog hlc.Position) int {
	return cmp.Or(
		cmp.Compare(a.EventTime, b.EventTime),
		a.CompareByWrite(b),
		cmp.Compare(aLog.At, bLog.At),
		cmp.Compare(aLog.Origin, bLog.Origin),
	)
}
