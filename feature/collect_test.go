package feature

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"featurestore/hlc"
)

func TestCollectTakesOnlyWhatNoWriteCanHideBehind(t *testing.T) {
	version := func(at hlc.Timestamp, event int64) Version { return Version{At: at, EventTime: event, Origin: 1} }
	tombstone := func(event, write Version) Row { return Row{Tombstone: Tombstone{ByEvent: event, ByWrite: write}} }
	raised := version(5, 5)
	raised.Generation = 1
	bound, any := int64(100), int64(math.MaxInt64)
	for _, tc := range []struct {
		name       string
		row        Row
		eventBelow *int64
		want       bool
	}{
		{"below both", tombstone(version(9, 99), version(9, 99)), &bound, true},
		{"at the horizon", tombstone(version(9, 99), version(10, 50)), &bound, false},
		{"by event at the horizon", tombstone(version(10, 99), version(9, 50)), &bound, false},
		{"of an event that may still come", tombstone(version(9, 100), version(9, 50)), &bound, false},
		{"of an event of no matter", tombstone(version(9, 100), version(9, 50)), &any, true},
		{"kept", tombstone(version(9, 1), version(9, 1)), nil, false},
		{"of a generation", tombstone(raised, version(9, 1)), &any, false},
		{"by write of a generation", tombstone(version(9, 1), raised), &any, false},
		{"none", Row{}, &any, false},
	} {
		got, changed := Collect(tc.row, 10, tc.eventBelow)
		if changed != tc.want || changed != got.IsEmpty() && !tc.row.IsEmpty() {
			t.Errorf("%s: %+v, %v, want %v", tc.name, got, changed, tc.want)
		}
	}
}

func TestViewsSayWhichTombstonesMustStay(t *testing.T) {
	horizon := hlc.New(1_000_000, 0)
	late := horizon.Time().Add(-time.Hour).UnixNano()
	field := func(r Rule) Field { return Field{Rule: r} }
	for _, tc := range []struct {
		name string
		view View
		want int64 // 0: all stay
	}{
		{"write_time", View{Fields: []Field{field(WriteTime)}}, math.MaxInt64},
		{"event_time", View{Fields: []Field{field(WriteTime), field(EventTime)}}, 0},
		{"event_time, bounded", View{Fields: []Field{field(EventTime), field(WriteTime)}, MaxLateness: time.Hour}, late},
		{"counter", View{Fields: []Field{field(EventTime), field(Counter)}, MaxLateness: time.Hour}, 0},
		{"set", View{Fields: []Field{field(Set)}}, 0},
	} {
		got := tc.view.EventBelow(horizon)
		if (got == nil) != (tc.want == 0) || got != nil && *got != tc.want {
			t.Errorf("%s: got %v, want %d", tc.name, got, tc.want)
		}
	}
}

// Two stores that collect at different moments, with writes in between that may
// still come, hold the same row once both have.
func TestCollectingAtDifferentMomentsConverges(t *testing.T) {
	const below, eventBelow = 100, int64(50)
	rapid.Check(t, func(t *rapid.T) {
		draw := func(at hlc.Timestamp, leastEvent int64) Row {
			c := Change{
				EventTime: rapid.Int64Range(leastEvent, 120).Draw(t, "event"), Delete: rapid.IntRange(0, 2).Draw(t, "delete") == 0,
				Generation: uint16(rapid.IntRange(0, 9).Draw(t, "generation") / 9),
			}
			if !c.Delete {
				c.Assignments = []Assignment{
					{Feature: 1, Type: ScalarOf(Int64), Value: OfInt64(int64(at))},
					{Feature: 2, Rule: WriteTime, Type: ScalarOf(Int64), Value: OfInt64(int64(at))},
				}
			}
			row, err := c.Delta(Row{}, at, 1)
			if err != nil {
				t.Fatal(err)
			}
			return row
		}
		collect := func(r Row) Row {
			bound := eventBelow
			r, _ = Collect(r, below, &bound)
			return r
		}
		var early, late Row
		for i := range rapid.IntRange(0, 5).Draw(t, "before") {
			early = JoinRow(early, draw(hlc.Timestamp(10+i), 0))
		}
		early, late = collect(early), early
		for i := range rapid.IntRange(0, 5).Draw(t, "after") {
			delta := draw(hlc.Timestamp(below+i), eventBelow)
			early, late = JoinRow(early, delta), JoinRow(late, delta)
		}
		if late = collect(late); !collect(early).Equal(late) {
			t.Fatalf("collected before\n%+v, after\n%+v", early, late)
		}
	})
}

func TestNewestIsTheLatestWriteThatIsLeft(t *testing.T) {
	row := Row{Cells: []Cell{
		{Version: Version{At: 3}},
		{Version: Version{At: 4}, Totals: []Total{{At: 5}}, Elements: []Element{{At: 2}}},
	}}
	if got := row.Newest(); got != 5 {
		t.Errorf("got %v, want 5", got)
	}
	row.Cells[1].Elements[0].At = 6
	if got := row.Newest(); got != 6 {
		t.Errorf("got %v, want 6", got)
	}
	row.Tombstone = Tombstone{ByEvent: Version{At: 8}, ByWrite: Version{At: 7}}
	if got := row.Newest(); got != 8 {
		t.Errorf("got %v, want 8", got)
	}
	if got := (Row{}).Newest(); got != 0 {
		t.Errorf("the empty row: %v", got)
	}
}
