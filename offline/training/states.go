package training

import (
	"bytes"
	"cmp"
	"iter"
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/offline/history"
)

// state is an entity's row from a time on, in nanoseconds since the Unix epoch,
// until the next one.
type state struct {
	from int64
	row  feature.Row
}

// entities yields the rows of each entity together, out of rows in order of key.
// What it yields is valid until the next.
func entities(rows iter.Seq2[history.Row, error]) iter.Seq2[[]history.Row, error] {
	return func(yield func([]history.Row, error) bool) {
		var own []history.Row
		for r, err := range rows {
			if err != nil {
				yield(nil, err)
				return
			}
			if len(own) > 0 && !bytes.Equal(own[0].Key, r.Key) {
				if !yield(own, nil) {
					return
				}
				own = own[:0]
			}
			own = append(own, r)
		}
		if len(own) > 0 {
			yield(own, nil)
		}
	}
}

// byEvent yields an entity's states by event time (U1, U3): one for each event
// time. Rows are in order of event time.
func byEvent(rows []history.Row) iter.Seq[state] {
	counted := increments(rows)
	return func(yield func(state) bool) {
		var row feature.Row
		for i, r := range rows {
			row = feature.JoinRow(row, counted.delta(i, r.Delta))
			if i+1 < len(rows) && rows[i+1].Version.EventTime == r.Version.EventTime {
				continue
			}
			if !yield(state{r.Version.EventTime, row}) {
				return
			}
		}
	}
}

// asServed yields an entity's states by when a region had them (U1): one for each
// time at which something came. Readable tells since when an entry was readable
// there; false: it was not.
func asServed(rows []history.Row, readable func(hlc.Position) (nanos int64, ok bool)) iter.Seq[state] {
	type arrival struct {
		at  int64
		row *history.Row
	}
	var arrivals []arrival
	for i := range rows {
		if at, ok := readable(rows[i].Log); ok && !rows[i].LogOnly {
			arrivals = append(arrivals, arrival{at, &rows[i]})
		}
	}
	slices.SortStableFunc(arrivals, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	return func(yield func(state) bool) {
		var row feature.Row
		for i, a := range arrivals {
			row = feature.JoinRow(row, a.row.Delta)
			if i+1 < len(arrivals) && arrivals[i+1].at == a.at {
				continue
			}
			if !yield(state{a.at, row}) {
				return
			}
		}
	}
}

// counts are the increments of counters, by row and feature. An origin's total
// counts all that it accepted before, of whatever event time; what a counter was at an event
// time is made of increments.
type counts map[int]map[feature.FeatureID]increment

// increment is what one row adds to a counter in an epoch.
type increment struct {
	epoch feature.Version
	added feature.Value
	// running is the sum of the increments up to the row, under one made-up origin,
	// the later replacing the earlier.
	running feature.Total
}

// increments returns those of an entity's rows, which are in order of event time. What
// was logged again adds what it added the first time, and is in running sums once.
func increments(rows []history.Row) counts {
	type logged struct {
		row   int
		id    feature.FeatureID
		epoch feature.Version
		total feature.Total
		added feature.Value
		again bool
	}
	var all []logged
	for i, r := range rows {
		for _, c := range r.Delta.Cells {
			for _, t := range c.Totals {
				all = append(all, logged{row: i, id: c.Feature, epoch: c.Epoch, total: t})
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b logged) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.total.Origin, b.total.Origin), cmp.Compare(a.total.At, b.total.At), cmp.Compare(a.row, b.row))
	})
	joined := -1 // the last total of the same log that was joined: it is in the next one
	for i := range all {
		l := &all[i]
		l.added = l.total.Sum
		if i == 0 || all[i-1].id != l.id || all[i-1].total.Origin != l.total.Origin {
			joined = -1
		} else if all[i-1].total.At == l.total.At {
			l.added, l.again = all[i-1].added, true
			continue
		}
		if joined >= 0 && all[joined].epoch == l.epoch {
			l.added = feature.Increment(all[joined].total.Sum, l.total.Sum)
		}
		if !rows[l.row].LogOnly {
			joined = i
		}
	}
	slices.SortStableFunc(all, func(a, b logged) int { return cmp.Compare(a.row, b.row) })
	type running struct {
		id    feature.FeatureID
		epoch feature.Version
	}
	sums, out := map[running]feature.Value{}, counts{}
	for n := range all {
		l := &all[n]
		key := running{l.id, l.epoch}
		if !l.again {
			sums[key] = feature.Sum(sums[key], l.added)
		}
		if out[l.row] == nil {
			out[l.row] = map[feature.FeatureID]increment{}
		}
		added := feature.Sum(out[l.row][l.id].added, l.added)
		out[l.row][l.id] = increment{l.epoch, added, feature.Total{Origin: 1, At: hlc.Timestamp(n + 1), Sum: sums[key]}}
	}
	return out
}

// delta returns the delta of row i with running sums for totals.
func (c counts) delta(i int, d feature.Row) feature.Row {
	if c[i] == nil {
		return d
	}
	d.Cells = slices.Clone(d.Cells)
	for n := range d.Cells {
		if one, ok := c[i][d.Cells[n].Feature]; ok {
			d.Cells[n].Totals = []feature.Total{one.running}
		}
	}
	return d
}
