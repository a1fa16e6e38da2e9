package training

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"featurestore/offline/history"
)

// Times are those at which entity rows ask: a list, every so long, or those of the
// view's own writes. One of the three is set.
type Times struct {
	// At are times in any order; one that is there twice counts once.
	At []time.Time
	// Every is how far apart times are, from From on and none after To.
	Every    time.Duration
	From, To time.Time
	// Writes are the event times of the writes to the key itself.
	Writes bool
}

// The times that nanoseconds since the Unix epoch can say.
var (
	firstTime = time.Unix(0, math.MinInt64)
	lastTime  = time.Unix(0, math.MaxInt64)
)

func (t Times) validate() error {
	ways := 0
	for _, is := range []bool{len(t.At) > 0, t.Every != 0 || !t.From.IsZero() || !t.To.IsZero(), t.Writes} {
		if is {
			ways++
		}
	}
	if ways != 1 {
		return errors.New("times are asked for in none, or more than one, of the three ways: a list; every so long between two times; those of the writes")
	}
	if t.Writes {
		return nil
	}
	named := map[string]time.Time{}
	for i, at := range t.At {
		named[fmt.Sprintf("At[%d]", i)] = at
	}
	if len(t.At) == 0 {
		switch {
		case t.Every <= 0:
			return fmt.Errorf("Every is %v: times are apart by more than nothing", t.Every)
		case t.From.IsZero() || t.To.IsZero():
			return errors.New("From or To is not set: every so long needs both")
		case t.To.Before(t.From):
			return fmt.Errorf("To, %s, is before From, %s", t.To.Format(time.RFC3339Nano), t.From.Format(time.RFC3339Nano))
		}
		named["From"], named["To"] = t.From, t.To
	}
	for name, at := range named {
		if at.Before(firstTime) || at.After(lastTime) {
			return fmt.Errorf("%s is %s: nanoseconds reach from %d to %d", name, at.Format(time.RFC3339), firstTime.UTC().Year(), lastTime.UTC().Year())
		}
	}
	return nil
}

// all yields the times of one entity, rising, each once; a list is sorted. The
// entity's rows are in order of event time.
func (t Times) all(own []history.Row) iter.Seq[int64] {
	switch {
	case t.Writes:
		return func(yield func(int64) bool) {
			for i, r := range own {
				if at := r.Version.EventTime; (i == 0 || own[i-1].Version.EventTime != at) && !yield(at) {
					return
				}
			}
		}
	case t.Every > 0:
		return func(yield func(int64) bool) {
			last := t.To.UnixNano()
			for at := t.From.UnixNano(); yield(at); {
				next := at + int64(t.Every)
				if next > last || next < at { // beyond what 64 bits hold
					return
				}
				at = next
			}
		}
	}
	return func(yield func(int64) bool) {
		for _, at := range t.At {
			if !yield(at.UnixNano()) {
				return
			}
		}
	}
}

// sorted has each of a list's times once, rising.
func (t Times) sorted() Times {
	at := slices.Clone(t.At)
	slices.SortFunc(at, time.Time.Compare)
	t.At = slices.CompactFunc(at, time.Time.Equal)
	return t
}
