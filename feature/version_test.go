package feature

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestWithinTTL(t *testing.T) {
	const hour = int64(time.Hour)
	for _, tc := range []struct {
		name          string
		eventTime, at int64
		ttl           time.Duration
		want          bool
	}{
		{"young", 0, hour - 1, time.Hour, true},
		{"at the boundary", 0, hour, time.Hour, true},
		{"a nanosecond past", 0, hour + 1, time.Hour, false},
		{"no ttl", math.MinInt64, math.MaxInt64, 0, true},
		{"negative ttl is none", math.MinInt64, math.MaxInt64, -1, true},
		{"the least ttl, same time", 5, 5, 1, true},
		{"the least ttl, at the boundary", 4, 5, 1, true},
		{"the least ttl, past", 3, 5, 1, false},
		{"from the future", 2 * hour, hour, time.Nanosecond, true},
		{"before 1970, at the boundary", -3 * hour, -2 * hour, time.Hour, true},
		{"before 1970, a nanosecond past", -3*hour - 1, -2 * hour, time.Hour, false},
		{"across 1970, at the boundary", -hour / 2, hour / 2, time.Hour, true},
		{"across 1970, a nanosecond past", -hour/2 - 1, hour / 2, time.Hour, false},
		{"window reaches before all time", math.MinInt64, math.MinInt64 + 5, 10, true},
		{"window ends at the first instant", math.MinInt64, math.MinInt64 + 5, 5, true},
		{"a nanosecond past the first instant", math.MinInt64, math.MinInt64 + 6, 5, false},
		{"the greatest ttl", 0, math.MaxInt64, math.MaxInt64, true},
		{"the greatest ttl, past", -1, math.MaxInt64, math.MaxInt64, false},
		{"the whole of time", math.MinInt64, math.MaxInt64, math.MaxInt64, false},
		{"the last instant", math.MaxInt64, math.MaxInt64, 1, true},
	} {
		if got := WithinTTL(tc.eventTime, tc.at, tc.ttl); got != tc.want {
			t.Errorf("%s: event %d at %d with ttl %d: got %v, want %v", tc.name, tc.eventTime, tc.at, tc.ttl, got, tc.want)
		}
	}
}

func TestVersionOrders(t *testing.T) {
	v := Version{Generation: 1, EventTime: 5, At: 10, Origin: 3}
	less := func(edit func(*Version)) Version { w := v; edit(&w); return w }
	for _, tc := range []struct {
		name             string
		w                Version
		byEvent, byWrite int // of v against w
	}{
		{"itself", v, 0, 0},
		{"generation comes first", less(func(w *Version) { w.Generation, w.EventTime, w.At = 0, 9, 99 }), 1, 1},
		{"an older event, accepted later", less(func(w *Version) { w.EventTime, w.At = 4, 11 }), 1, -1},
		{"an event before 1970", less(func(w *Version) { w.EventTime = -5 }), 1, 1},
		{"the same event, accepted earlier", less(func(w *Version) { w.At = 9 }), 1, 1},
		{"accepted at the same time by a lesser origin", less(func(w *Version) { w.Origin = 2 }), 1, 1},
	} {
		if got := v.CompareByEvent(tc.w); got != tc.byEvent {
			t.Errorf("%s, by event: got %d, want %d", tc.name, got, tc.byEvent)
		}
		if got := v.CompareByWrite(tc.w); got != tc.byWrite {
			t.Errorf("%s, by write: got %d, want %d", tc.name, got, tc.byWrite)
		}
	}
	if got := v.Position(); got.Origin != 3 || got.At != 10 {
		t.Errorf("position: got %v", got)
	}
	const want = "1969-12-31T23:59:59.999999999Z by o3@1970-01-01T00:00:00.000Z+10"
	if got := less(func(w *Version) { w.EventTime = -1 }).String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestVersionRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := versions.Draw(t, "version")
		v.EventTime = rapid.Int64().Draw(t, "event time")
		b := appendVersion(nil, v)
		if got := decodeVersion(b); len(b) != versionBytes || got != v {
			t.Fatalf("got %v from %d bytes, want %v from %d", got, len(b), v, versionBytes)
		}
	})
}
