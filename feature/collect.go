package feature

import (
	"math"

	"featurestore/hlc"
)

// EventBelow returns the event time, in nanoseconds since the Unix epoch, below
// which Collect may take the view's tombstones at a horizon; math.MaxInt64 where
// event times do not matter, and nil where tombstones must stay. Stores collect
// at different moments, so a tombstone may go only when no later write is
// treated differently by those that still have it and those that have not:
//
//   - A write under event_time hides behind a delete of a later event. It can
//     come as long as the view accepts its event time: for ever, without
//     MaxLateness.
//   - A write under max, min, counter, set or siblings names the delete that its origin
//     knew (Cell.Epoch). An origin that forgot the tombstone names none, and
//     its writes would vanish where the tombstone still is. Views with such
//     features keep theirs.
//   - Under write_time a later write wins with and without the tombstone.
func (v *View) EventBelow(horizon hlc.Timestamp) *int64 {
	eventBelow := int64(math.MaxInt64)
	for i := range v.Fields {
		switch {
		case v.Fields[i].Rule.Monotone():
			return nil
		case v.Fields[i].Rule == EventTime && v.MaxLateness == 0:
			return nil
		case v.Fields[i].Rule == EventTime:
			eventBelow = horizon.Time().UnixNano() - int64(v.MaxLateness)
		}
	}
	return &eventBelow
}

// Collect returns r without its tombstone when that is of deletes accepted below
// a horizon, of events below eventBelow (see View.EventBelow; nil keeps all),
// and whether it was. Below the horizon every store has what was accepted, and
// none accepts anything any more. What the tombstone hid stays gone, cells stay
// as they are, epochs included, and a row of which nothing is left IsEmpty.
//
// A tombstone of a generation above zero stays: later writes of a lower
// generation hide behind it.
func Collect(r Row, below hlc.Timestamp, eventBelow *int64) (Row, bool) {
	t := r.Tombstone
	switch {
	case t.IsZero() || eventBelow == nil:
		return r, false
	case t.ByWrite.At >= below || t.ByEvent.At >= below || t.ByEvent.EventTime >= *eventBelow:
		return r, false
	case t.ByWrite.Generation > 0 || t.ByEvent.Generation > 0:
		return r, false
	}
	r.Tombstone = Tombstone{}
	return r, true
}

// Newest returns the greatest timestamp of a write of which something is left
// in r, zero for the empty row.
func (r Row) Newest() hlc.Timestamp {
	newest := max(r.Tombstone.ByEvent.At, r.Tombstone.ByWrite.At)
	for i := range r.Cells {
		c := &r.Cells[i]
		newest = max(newest, c.Version.At)
		for _, t := range c.Totals {
			newest = max(newest, t.At)
		}
		for _, e := range c.Elements {
			newest = max(newest, e.At)
		}
	}
	return newest
}
