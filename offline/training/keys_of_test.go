package training

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/feature"
	"featurestore/offline/history"
	"featurestore/offline/pit"
)

// asked prints the entity rows of a query, a line each.
func (h *house) asked(in *history.Reader, k KeysOf) []string {
	h.Helper()
	dir := h.TempDir()
	rows, err := k.Open(h.Context(), in, dir)
	if err != nil {
		h.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		rec := rows.Record()
		for i := range int(rec.NumRows()) {
			var cells []string
			for c := range int(rec.NumCols()) {
				cells = append(cells, rec.Column(c).ValueStr(i))
			}
			lines = append(lines, strings.Join(cells, " "))
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		h.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		h.Errorf("left in the spill directory: %v, %v", left, err)
	}
	return lines
}

// U6: by key, then by time; every key of the view, or those that it had.
func TestKeysOfAViewAtTimes(t *testing.T) {
	h := open(t)
	stats := h.view("driver_stats")
	for _, w := range []struct {
		driver int64
		after  time.Duration
		values map[string]feature.Value
	}{
		{9, 30 * time.Minute, map[string]feature.Value{"rate": feature.OfFloat64(1)}},
		{-3, 0, map[string]feature.Value{"note": texts("x")}},
		{-3, 20 * time.Minute, nil},
		{-3, 40 * time.Minute, map[string]feature.Value{"note": {}}},
		{9, 10 * time.Minute, map[string]feature.Value{"trips": feature.OfInt64(1)}},
		{9, 10 * time.Minute, map[string]feature.Value{"trips": feature.OfInt64(1)}},
		{4, 50 * time.Minute, nil},
	} {
		h.push("driver_stats", w.after, []feature.Value{feature.OfInt64(w.driver)}, w.values)
	}
	in := h.ingest()
	at := func(minutes ...int) (out []time.Time) {
		for _, m := range minutes {
			out = append(out, noon.Add(time.Duration(m)*time.Minute))
		}
		return out
	}
	every := func(d time.Duration, from, to int) Times {
		return Times{Every: d, From: at(from)[0], To: at(to)[0]}
	}
	for _, c := range []struct {
		name string
		ask  KeysOf
		want []string // driver and minutes after noon
	}{
		{"at times", KeysOf{Times: Times{At: at(25, 0, 25)}}, []string{"-3 0", "-3 25", "4 0", "4 25", "9 0", "9 25"}},
		{"that existed then", KeysOf{Times: Times{At: at(-1, 0, 19, 20, 40, 60)}, Existing: true}, []string{"-3 0", "-3 19", "-3 40", "-3 60", "9 19", "9 20", "9 40", "9 60"}},
		{"every so long", KeysOf{Times: every(20*time.Minute, 0, 45), Existing: true}, []string{"-3 0", "-3 40", "9 20", "9 40"}},
		{"the last one included", KeysOf{Times: every(20*time.Minute, 0, 40), Existing: true}, []string{"-3 0", "-3 40", "9 20", "9 40"}},
		{"once", KeysOf{Times: every(time.Hour, 30, 30), Existing: true}, []string{"9 30"}},
		{"of each write", KeysOf{Times: Times{Writes: true}}, []string{"-3 0", "-3 20", "-3 40", "4 50", "9 10", "9 30"}},
		{"of each write that left something", KeysOf{Times: Times{Writes: true}, Existing: true}, []string{"-3 0", "-3 40", "9 10", "9 30"}},
		{"before anything was known", KeysOf{Times: Times{At: at(60)}, KnownAsOf: noon}, nil},
	} {
		c.ask.View, c.ask.EventTime = stats, "at"
		var want []string
		for _, w := range c.want {
			var driver int64
			var minutes int
			if _, err := fmt.Sscan(w, &driver, &minutes); err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprintf("%d %s", driver, at(minutes)[0].Format("2006-01-02 15:04:05Z")))
		}
		got := h.asked(in, c.ask)
		for i := range got {
			got[i] = strings.Replace(got[i], ".000000000Z", "Z", 1)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %q\nwant %q", c.name, got, want)
		}
	}
}

// U6: entity rows of a query are joined as those of a file are: the driver's own row
// at each of its writes, the write included.
func TestARowForEachWriteJoinsWithItself(t *testing.T) {
	h := open(t)
	places := h.view("place_stats")
	for i := range 3 {
		h.push("place_stats", time.Duration(i)*time.Minute, []feature.Value{texts("Rome"), feature.OfInt64(1)}, map[string]feature.Value{"demand": feature.OfFloat64(float64(i))})
	}
	in := h.ingest()
	rows, err := KeysOf{View: places, EventTime: "at", Times: Times{Writes: true}}.Open(t.Context(), in, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	_, err = Join(t.Context(), pit.Config{SpillDir: t.TempDir()}, in, rows, Request{EventTime: "at", Features: []Feature{{View: places, Name: "demand"}}}, func(rec arrow.Record) error {
		for i := range int(rec.NumRows()) {
			got = append(got, rec.Column(0).ValueStr(i)+" "+rec.Column(3).ValueStr(i))
		}
		return nil
	})
	if err := errors.Join(err, rows.Close()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"Rome 0", "Rome 1", "Rome 2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Records have a bounded number of rows, whatever the number of times, and a cancelled
// query ends.
func TestKeyRowsComeInRecords(t *testing.T) {
	h := open(t)
	h.push("driver_stats", 0, []feature.Value{feature.OfInt64(7)}, map[string]feature.Value{"rate": feature.OfFloat64(1)})
	h.push("driver_stats", 0, []feature.Value{feature.OfInt64(8)}, map[string]feature.Value{"rate": feature.OfFloat64(1)})
	in := h.ingest()
	k := KeysOf{View: h.view("driver_stats"), EventTime: "at", Times: Times{Every: time.Second, From: noon, To: noon.Add((keyRowsRecord - 1) * time.Second)}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rows, err := k.Open(ctx, in, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if !rows.Next() || rows.Record().NumRows() != keyRowsRecord {
		t.Fatalf("the first record has not %d rows: %v", keyRowsRecord, rows.Err())
	}
	cancel()
	if rows.Next() || !errors.Is(rows.Err(), context.Canceled) || rows.Next() {
		t.Errorf("after the end of its context: got %v", rows.Err())
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
}

func TestAQueryForKeysThatDoesNotFitSaysWhy(t *testing.T) {
	h := open(t)
	stats := h.view("driver_stats")
	far := time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		ask  KeysOf
		want string
	}{
		{KeysOf{EventTime: "at", Times: Times{Writes: true}}, "View is nil"},
		{KeysOf{View: stats, Times: Times{Writes: true}}, "EventTime is empty"},
		{KeysOf{View: stats, EventTime: "driver_id", Times: Times{Writes: true}}, "a join key of view driver_stats are both called driver_id"},
		{KeysOf{View: stats, EventTime: "at"}, "in none, or more than one, of the three ways"},
		{KeysOf{View: stats, EventTime: "at", Times: Times{Writes: true, At: []time.Time{noon}}}, "in none, or more than one, of the three ways"},
		{KeysOf{View: stats, EventTime: "at", Times: Times{From: noon, To: noon}}, "Every is 0s"},
		{KeysOf{View: stats, EventTime: "at", Times: Times{Every: -time.Second, From: noon, To: noon}}, "Every is -1s"},
		{KeysOf{View: stats, EventTime: "at", Times: Times{Every: time.Second, From: noon}}, "From or To is not set"},
		{KeysOf{View: stats, EventTime: "at", Times: Times{Every: time.Second, From: noon, To: noon.Add(-1)}}, "is before From"},
		{KeysOf{View: stats, EventTime: "at", Times: Times{At: []time.Time{far}}}, "At[0] is 3000-01-01T00:00:00Z: nanoseconds reach from 1677 to 2262"},
	} {
		_, err := c.ask.Open(t.Context(), nil, t.TempDir())
		if !errors.Is(err, ErrRequest) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// The last time that can be said is the last of a series, not the first of another.
func TestTimesEndWhereNanosecondsDo(t *testing.T) {
	times := Times{Every: math.MaxInt64, From: time.Unix(0, -1), To: lastTime}
	if got, want := slices.Collect(times.all(nil)), []int64{-1, math.MaxInt64 - 1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
