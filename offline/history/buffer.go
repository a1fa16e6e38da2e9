package history

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// buffer holds rows that were read and are not committed, by view and day, in the
// encoding of the log: decoded they would take several times as much.
type buffer struct {
	parts     map[partID][]held
	rows      int64
	sizeBytes int64 // about what it takes
}

// partID names what goes into one file.
type partID struct {
	view feature.ViewID
	day  Day
}

func (a partID) compare(b partID) int {
	return cmp.Or(cmp.Compare(a.view, b.view), cmp.Compare(a.day, b.day))
}

// held is a Row with its delta encoded.
type held struct {
	key, delta []byte // of one allocation
	log        hlc.Position
	version    feature.Version
	logOnly    bool
	deletes    bool
}

// heldBytes is what a held row takes besides its key and delta: itself, room in
// the slice that grew by doubling, and its allocation.
const heldBytes = 224

func (b *buffer) reset() { *b = buffer{parts: map[partID][]held{}} }

// add takes the rows of an entry, but for those that say how far sources were written:
// they are no facts about entities.
func (b *buffer) add(e *oplog.Entry) error {
	for i := range e.Rows {
		view := e.Rows[i].View
		if view == feature.MarkView {
			continue
		}
		if err := split(e, &e.Rows[i], func(r Row) error { b.hold(view, &r); return nil }); err != nil {
			return err
		}
	}
	return nil
}

func (b *buffer) hold(view feature.ViewID, r *Row) {
	data := append(make([]byte, 0, len(r.Key)+64), r.Key...)
	data = slices.Clip(feature.AppendRow(data, r.Delta))
	n := len(r.Key)
	id := partID{view, DayOf(r.Version.EventTime)}
	b.parts[id] = append(b.parts[id], held{key: data[:n:n], delta: data[n:], log: r.Log, version: r.Version, logOnly: r.LogOnly, deletes: !r.Delta.Tombstone.IsZero()})
	b.rows++
	b.sizeBytes += int64(len(data)) + heldBytes
}

func (b *buffer) ids() []partID { return slices.SortedFunc(maps.Keys(b.parts), partID.compare) }

// compareHeld is compareRows.
func compareHeld(a, b held) int {
	c := cmp.Or(bytes.Compare(a.key, b.key), compareVersions(a.version, b.version, a.log, b.log))
	if c != 0 || a.deletes == b.deletes {
		return c
	}
	if a.deletes { // it has no cells
		return -1
	}
	return 1
}

// row decodes a held row. It aliases what is held.
func (h *held) row() (Row, error) {
	delta, err := feature.DecodeRow(h.delta)
	if err != nil {
		return Row{}, fmt.Errorf("row of %v: %w", h.log, err)
	}
	return Row{Key: h.key, Log: h.log, Version: h.version, LogOnly: h.logOnly, Delta: delta}, nil
}
