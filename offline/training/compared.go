package training

import (
	"cmp"
	"iter"
	"math"
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/offline/history"
)

// compared is an entity from a time on as a region had it and as it was, until the next
// one. It is valid until then.
type compared struct {
	from  int64
	sides *sides
}

// cause returns why a cell differs, whatever the ttl says of it: TTL where only the ttl
// can make a difference, Same where nothing can.
func (c compared) cause(f *feature.Field) Cause {
	had, isHad := cellOf(c.sides.served, f)
	truth, isTrue := cellOf(c.sides.truth, f)
	switch {
	case !isHad && !isTrue, isHad && isTrue && had.Version == truth.Version && had.Read().Equal(truth.Read()):
		return Same
	}
	return judge(c.sides.facts(f))
}

// compare yields an entity's two sides over time: one for each moment at which a row
// became true, was accepted late, or was there. Rows are in order of event time. Readable
// tells since when an entry was readable in the region; false: it was not.
func compare(rows []history.Row, readable func(hlc.Position) (nanos int64, ok bool)) iter.Seq[compared] {
	type event struct {
		at  int64
		row int
		do  func(*sides, int)
	}
	var events []event
	earlyOnes := false
	for i := range rows {
		r := &rows[i]
		due, there := r.Version.EventTime, int64(math.MaxInt64)
		events = append(events, event{due, i, (*sides).becomeTrue})
		if at, ok := readable(r.Log); ok && !r.LogOnly {
			there = at
			earlyOnes = earlyOnes || there < due
			events = append(events, event{at, i, (*sides).becomeServed})
		}
		// Until then it is late, from then on it is on its way.
		if accepted := r.Version.At.Millis() * 1e6; due < accepted && accepted < there {
			events = append(events, event{accepted, i, nil})
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	return func(yield func(compared) bool) {
		s := newSides(rows, earlyOnes)
		for n, e := range events {
			s.at = e.at
			if e.do != nil {
				e.do(s, e.row)
			}
			if n+1 < len(events) && events[n+1].at == e.at {
				continue
			}
			if !yield(compared{e.at, s}) {
				return
			}
		}
	}
}
