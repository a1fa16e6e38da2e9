package history

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"pgregory.net/rapid"

	"featurestore/feature"
	"featurestore/hlc"
)

// Z1, of every type, rule and kind of delta, by the columns of the view as it was,
// as it became, and as one that nobody knows.
func TestARowReadBackIsTheRowThatWasWritten(t *testing.T) {
	r := registry(t, rides())
	later := rides()
	stats := &later.Views[0]
	stats.Fields = slices.Delete(stats.Fields, 1, 3) // trips and tags are dropped
	stats.Fields[0] = feature.Field{Name: "conv", RenamedFrom: "rate", Type: feature.ScalarOf(feature.Float64)}
	changed, _, err := r.Apply(later, nil)
	if err != nil {
		t.Fatal(err)
	}
	// The names come back for other features.
	stats.Fields = append(stats.Fields, feature.Field{Name: "rate", Type: feature.ScalarOf(feature.String)}, feature.Field{Name: "trips", Type: feature.ScalarOf(feature.Bool)})
	if changed, _, err = changed.Apply(later, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"driver_stats", "every_type"} {
		for what, c := range map[string]*columns{
			"as it was": columnsOf(view(t, r, name)), "as it became": columnsOf(view(t, changed, name)), "unknown": columnsOf(nil),
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				rapid.Check(t, func(rt *rapid.T) {
					want := rowsOf(t, drawEntries(rt, view(t, r, name))...)
					data, bounds := written(t, c, want)
					wantRows(t, read(t, data), want)
					if bounds.Rows != int64(len(want)) {
						t.Fatalf("bounds of %d rows, want %d", bounds.Rows, len(want))
					}
				})
			})
		}
	}
}

// The parts of a delta join to it, in any order, and each has one version.
func TestSplitPartsJoinToTheDelta(t *testing.T) {
	v := view(t, registry(t, rides()), "driver_stats")
	rapid.Check(t, func(rt *rapid.T) {
		for _, e := range drawEntries(rt, v) {
			parts := rowsOf(t, e)
			rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1)).Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
			var joined feature.Row
			seen := map[feature.Version]bool{}
			for _, p := range parts {
				joined = feature.JoinRow(joined, p.Delta)
				for _, c := range p.Delta.Cells {
					if c.Version != p.Version {
						t.Fatalf("a cell of %v in a row of %v", c.Version, p.Version)
					}
				}
				if deleted := !p.Delta.Tombstone.IsZero(); !deleted && seen[p.Version] {
					t.Fatalf("version %v has two rows", p.Version)
				} else if !deleted {
					seen[p.Version] = true
				}
			}
			if !joined.Equal(e.Rows[0].Delta) {
				t.Fatalf("parts join to %+v, want %+v", joined, e.Rows[0].Delta)
			}
		}
	})
}

// What most rows are, the columns say without the encoded delta beside them.
func TestPlainRowsNeedNoEncodedDelta(t *testing.T) {
	v := view(t, registry(t, rides()), "driver_stats")
	c := columnsOf(v)
	set := func(name string, value feature.Value) feature.Assignment {
		f, _ := v.Field(name)
		return feature.Assignment{Feature: f.ID, Rule: f.Rule, Type: f.Type, Value: value}
	}
	tags, err := feature.OfList(feature.String, text("b"), text("a"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		claim  string
		change feature.Change
		plain  bool
	}{
		{"values of every rule", feature.Change{Assignments: []feature.Assignment{
			set("rate", feature.OfFloat64(1)), set("trips", feature.OfInt64(2)), set("tags", tags), set("top", feature.OfInt64(3)),
			set("low", feature.OfFloat32(4)), set("note", text("n")), set("place", text("p")),
		}}, true},
		{"a stored null", feature.Change{Assignments: []feature.Assignment{set("rate", feature.Value{})}}, true},
		{"a delete", feature.Change{Delete: true}, true},
		{"a removed element", feature.Change{Assignments: []feature.Assignment{func() feature.Assignment {
			a := set("tags", feature.Value{})
			a.Remove = tags
			return a
		}()}}, false},
		{"a feature whose name is taken", feature.Change{Assignments: []feature.Assignment{set("_at", text("x"))}}, false},
	} {
		t.Run(tc.claim, func(t *testing.T) {
			delta, err := tc.change.Delta(feature.Row{}, 5, 6)
			if err != nil {
				t.Fatal(err)
			}
			var s spread
			c.spread(&s, &Row{Version: feature.Version{At: 5, Origin: 6}, Delta: delta})
			if s.whole != tc.plain {
				t.Errorf("columns say it all: got %v, want %v", s.whole, tc.plain)
			}
		})
	}
}

// Version 17 of the library loses or mixes up fixed-size lists, most of all
// beyond the first row group; ours are lists.
func TestVectorsSurviveManyRowGroups(t *testing.T) {
	v := view(t, registry(t, rides()), "every_type")
	c := columnsOf(v)
	for _, f := range c.schema.Fields() {
		if f.Type.ID() == arrow.FIXED_SIZE_LIST {
			t.Fatalf("column %s is a fixed-size list", f.Name)
		}
	}
	f, _ := v.Field("embedding")
	w, err := newFileWriter(c)
	if err != nil {
		t.Fatal(err)
	}
	var want []Row
	var key feature.Key
	for _, value := range []feature.Value{feature.OfNanos(1), text("x"), func() feature.Value { d, _ := feature.ParseDecimal("1"); return d }(),
		func() feature.Value { u, _ := feature.ParseUUID("123e4567-e89b-12d3-a456-426614174000"); return u }(),
		feature.OfFloat64(1), feature.OfBool(true), feature.OfBytes(nil)} {
		if key, err = feature.AppendKeyValue(key, value); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10_000 {
		ver := feature.Version{EventTime: int64(i), At: hlc.Timestamp(i + 1), Origin: 1}
		value := feature.OfVector([]float32{float32(i), 1, 2})
		if i%7 == 0 {
			value = feature.Value{}
		}
		want = append(want, Row{Key: key, Log: ver.Position(), Version: ver, Delta: feature.Row{Cells: []feature.Cell{
			{Feature: f.ID, Kind: feature.Float32, Shape: feature.Vector, Version: ver, Value: value},
		}}})
		if err := w.add(&want[i]); err != nil {
			t.Fatal(err)
		}
		if i%3000 == 2999 {
			if err := w.flush(); err != nil {
				t.Fatal(err)
			}
			w.file.NewBufferedRowGroup()
		}
	}
	_, data, err := w.end()
	if err != nil {
		t.Fatal(err)
	}
	wantRows(t, read(t, data), want)
}

// The same rows give the same bytes, and so the same name, in whatever order
// they came.
func TestTheSameRowsGiveTheSameBytes(t *testing.T) {
	v := view(t, registry(t, rides()), "driver_stats")
	rapid.Check(t, func(rt *rapid.T) {
		entries := drawEntries(rt, v)
		a, _ := written(t, columnsOf(v), rowsOf(t, entries...))
		slices.Reverse(entries)
		b, _ := written(t, columnsOf(v), rowsOf(t, entries...))
		if !bytes.Equal(a, b) {
			t.Fatal("another order of the same entries gave other bytes")
		}
	})
}

func TestDaysAreOfUTC(t *testing.T) {
	for _, c := range []struct {
		event int64
		want  string
	}{{0, "1970-01-01"}, {-1, "1969-12-31"}, {86400e9 - 1, "1970-01-01"}, {86400e9, "1970-01-02"}, {-1 << 63, "1677-09-21"}, {1<<63 - 1, "2262-04-11"}} {
		if got := DayOf(c.event).String(); got != c.want {
			t.Errorf("day of %d: got %s, want %s", c.event, got, c.want)
		}
	}
}

func BenchmarkWriteFile(b *testing.B) {
	v := view(b, registry(b, rides()), "driver_stats")
	c := columnsOf(v)
	rate, _ := v.Field("rate")
	rows := make([]Row, 50_000)
	for i := range rows {
		key, err := feature.AppendKeyValue(nil, feature.OfInt64(int64(i/10)))
		if err != nil {
			b.Fatal(err)
		}
		ver := feature.Version{EventTime: int64(i), At: hlc.Timestamp(i + 1), Origin: 1}
		rows[i] = Row{Key: key, Log: ver.Position(), Version: ver, Delta: feature.Row{Cells: []feature.Cell{
			{Feature: rate.ID, Kind: feature.Float64, Version: ver, Value: feature.OfFloat64(float64(i) / 3)},
		}}}
	}
	b.Run(fmt.Sprintf("rows=%d", len(rows)), func(b *testing.B) {
		size := 0
		for b.Loop() {
			data, _ := written(b, c, rows)
			size = len(data)
		}
		b.ReportMetric(float64(len(rows))*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		b.ReportMetric(float64(size)/float64(len(rows)), "B/row")
	})
}
