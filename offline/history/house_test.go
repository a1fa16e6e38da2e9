package history

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// TestMain lets the test binary be its own victim.
func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		fmt.Fprintln(os.Stderr, victim(dir))
		os.Exit(1)
	}
	// A check writes a file, and reads it; -rapid.checks says otherwise.
	if err := flag.Set("rapid.checks", "40"); err != nil {
		panic(err)
	}
	flag.Parse()
	goleak.VerifyTestMain(m,
		// Started once per process by libraries, never stopped.
		goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// rides are definitions with a feature of every type, and of every rule.
func rides() feature.Definitions {
	field := func(name string, t feature.Type, rule feature.Rule) feature.Field {
		return feature.Field{Name: name, Type: t, Rule: rule}
	}
	every := feature.View{Name: "every_type", Entities: []string{"trip"}, Online: true, Offline: true}
	for k := feature.Bytes; k <= feature.JSON; k++ {
		every.Fields = append(every.Fields, field("a_"+k.String(), feature.ScalarOf(k), feature.EventTime))
		every.Fields = append(every.Fields, field("list_"+k.String(), feature.ListOf(k), feature.WriteTime))
	}
	every.Fields = append(every.Fields, field("embedding", feature.VectorOf(3), feature.EventTime))
	return feature.Definitions{
		Project: "rides",
		Entities: []feature.Entity{
			{Name: "driver", JoinKeys: []feature.JoinKey{{Name: "driver_id", Type: feature.ScalarOf(feature.Int32)}}},
			{Name: "trip", JoinKeys: []feature.JoinKey{
				{Name: "at", Type: feature.ScalarOf(feature.Timestamp)}, {Name: "city", Type: feature.ScalarOf(feature.String)},
				{Name: "fare", Type: feature.ScalarOf(feature.Decimal)}, {Name: "id", Type: feature.ScalarOf(feature.UUID)},
				{Name: "lat", Type: feature.ScalarOf(feature.Float32)}, {Name: "paid", Type: feature.ScalarOf(feature.Bool)},
				{Name: "tag", Type: feature.ScalarOf(feature.Bytes)},
			}},
		},
		Views: []feature.View{
			{Name: "driver_stats", Entities: []string{"driver"}, Online: true, Offline: true, Fields: []feature.Field{
				field("rate", feature.ScalarOf(feature.Float64), feature.EventTime),
				field("trips", feature.ScalarOf(feature.Int64), feature.Counter),
				field("tags", feature.ListOf(feature.String), feature.Set),
				field("top", feature.ScalarOf(feature.Int64), feature.Max),
				field("low", feature.ScalarOf(feature.Float32), feature.Min),
				field("note", feature.ScalarOf(feature.String), feature.WriteTime),
				field("place", feature.ScalarOf(feature.String), feature.Siblings),
				field("spent", feature.ScalarOf(feature.Decimal), feature.Counter),
				field("_at", feature.ScalarOf(feature.String), feature.EventTime), // a name of ours
			}},
			every,
			{Name: "online_only", Entities: []string{"driver"}, Online: true, Fields: []feature.Field{
				field("rate", feature.ScalarOf(feature.Float64), feature.EventTime),
			}},
		},
	}
}

func registry(t testing.TB, d feature.Definitions) *feature.Registry {
	t.Helper()
	r, _, err := feature.NewRegistry().Apply(d, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func view(t testing.TB, r *feature.Registry, name string) *feature.ResolvedView {
	t.Helper()
	c, ok := r.Catalog("rides")
	if !ok {
		t.Fatal("no project rides")
	}
	v, ok := c.View(name)
	if !ok {
		t.Fatalf("no view %s", name)
	}
	return v
}

func text(s string) feature.Value {
	v, err := feature.OfString(s)
	if err != nil {
		panic(err)
	}
	return v
}

// drawScalar draws a value of a kind, the odd ones among them.
func drawScalar(t *rapid.T, k feature.Kind) feature.Value {
	pick := func(vs ...feature.Value) feature.Value { return rapid.SampledFrom(vs).Draw(t, "value") }
	must := func(v feature.Value, err error) feature.Value {
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	switch k {
	case feature.Bytes:
		return feature.OfBytes(rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "bytes"))
	case feature.Int32:
		return pick(feature.OfInt32(0), feature.OfInt32(math.MinInt32), feature.OfInt32(math.MaxInt32), feature.OfInt32(7))
	case feature.Int64:
		return pick(feature.OfInt64(0), feature.OfInt64(math.MinInt64), feature.OfInt64(math.MaxInt64), feature.OfInt64(-7))
	case feature.Float32:
		return pick(feature.OfFloat32(float32(math.NaN())), feature.OfFloat32(float32(math.Inf(-1))), feature.OfFloat32(float32(math.Copysign(0, -1))), feature.OfFloat32(1.5))
	case feature.Float64:
		return pick(feature.OfFloat64(math.NaN()), feature.OfFloat64(math.Inf(1)), feature.OfFloat64(math.Copysign(0, -1)), feature.OfFloat64(0.1))
	case feature.Bool:
		return feature.OfBool(rapid.Bool().Draw(t, "bool"))
	case feature.Timestamp:
		return pick(feature.OfNanos(math.MinInt64), feature.OfNanos(-1), feature.OfNanos(0), feature.OfNanos(math.MaxInt64))
	case feature.UUID:
		return must(feature.ParseUUID("123e4567-e89b-12d3-a456-426614174000"))
	case feature.Decimal:
		return must(feature.ParseDecimal(rapid.SampledFrom([]string{"0", "-1.50", "1.5", "1E+30", "123456789012345678901234567890.1"}).Draw(t, "decimal")))
	case feature.JSON:
		return feature.OfJSON(rapid.SampledFrom([]string{"{}", `{"a": [1, null]}`, "null"}).Draw(t, "json"))
	}
	return text(rapid.SampledFrom([]string{"", "a", "Žižkov", "a\x00b"}).Draw(t, "string"))
}

// drawValue draws a value of a type, or null.
func drawValue(t *rapid.T, typ feature.Type) feature.Value {
	if rapid.IntRange(0, 5).Draw(t, "null") == 0 {
		return feature.Value{}
	}
	switch typ.Shape {
	case feature.Vector:
		return feature.OfVector([]float32{1, float32(math.Inf(1)), rapid.Float32().Draw(t, "x")})
	case feature.List:
		elems := make([]feature.Value, rapid.IntRange(0, 3).Draw(t, "length"))
		for i := range elems {
			elems[i] = drawScalar(t, typ.Kind)
		}
		v, err := feature.OfList(typ.Kind, elems...)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	return drawScalar(t, typ.Kind)
}

// drawKey draws one of a few keys of a view.
func drawKey(t *rapid.T, v *feature.ResolvedView) feature.Key {
	var k feature.Key
	for _, j := range v.Keys {
		value := drawScalar(t, j.Type.Kind)
		if value.IsNaN() {
			value = feature.OfFloat32(2)
		}
		var err error
		if k, err = feature.AppendKeyValue(k, value); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

// drawChange draws a write to some features of a view, or a delete.
func drawChange(t *rapid.T, v *feature.ResolvedView) feature.Change {
	c := feature.Change{
		View: v.ID, Key: drawKey(t, v),
		EventTime:  rapid.SampledFrom([]int64{-1, 0, 1, 86400e9 - 1, 86400e9, math.MinInt64, math.MaxInt64}).Draw(t, "event"),
		Generation: uint16(rapid.SampledFrom([]int{0, 0, 0, 1, math.MaxUint16}).Draw(t, "generation")),
	}
	if c.Delete = rapid.IntRange(0, 4).Draw(t, "delete") == 0; c.Delete {
		return c
	}
	for i := range v.Fields {
		f := &v.Fields[i]
		if rapid.Bool().Draw(t, "absent") {
			continue
		}
		a := feature.Assignment{Feature: f.ID, Rule: f.Rule, Type: f.Type, Value: drawValue(t, f.Type)}
		switch f.Rule {
		case feature.Counter:
			a.Value = feature.OfInt64(int64(rapid.IntRange(-3, 3).Draw(t, "increment")))
			if f.Type.Kind == feature.Decimal {
				a.Value, _ = feature.ParseDecimal("1.25")
			}
		case feature.Set:
			if rapid.Bool().Draw(t, "remove") {
				a.Remove = drawValue(t, f.Type)
			}
		}
		c.Assignments = append(c.Assignments, a)
	}
	return c
}

// drawEntries draws log entries of a few origins that write to a view: deltas as
// origins make them, and rows that were logged again whole.
func drawEntries(t *rapid.T, v *feature.ResolvedView) []oplog.Entry {
	rows := map[string]feature.Row{}
	var entries []oplog.Entry
	at := hlc.New(1_700_000_000_000, 0)
	for range rapid.IntRange(1, 12).Draw(t, "entries") {
		at += hlc.Timestamp(rapid.IntRange(1, 1000).Draw(t, "later"))
		e := oplog.Entry{Kind: oplog.Delta, At: at, Origin: hlc.Origin(rapid.IntRange(1, 3).Draw(t, "origin"))}
		c := drawChange(t, v)
		row := rows[string(c.Key)]
		delta, err := c.DeltaAfter(row, e.At, e.Origin, func(hlc.Position) bool { return rapid.Bool().Draw(t, "seen") })
		if err != nil {
			continue // an overflow: the origin refuses it
		}
		rows[string(c.Key)] = feature.JoinRow(row, delta)
		if rapid.IntRange(0, 3).Draw(t, "relog") == 0 {
			e.Kind, delta = oplog.Relog, rows[string(c.Key)]
		} else {
			e.LogOnly = rapid.IntRange(0, 5).Draw(t, "log only") == 0
		}
		e.Rows = []oplog.Row{{View: v.ID, Key: c.Key, Delta: delta}}
		entries = append(entries, e)
	}
	return entries
}

func rowsOf(t testing.TB, entries ...oplog.Entry) []Row {
	t.Helper()
	var rows []Row
	for i := range entries {
		for j := range entries[i].Rows {
			if err := split(&entries[i], &entries[i].Rows[j], func(r Row) error { rows = append(rows, r); return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	slices.SortFunc(rows, func(a, b Row) int { return compareRows(&a, &b) })
	return rows
}

// written returns the bytes of a file of rows.
func written(t testing.TB, c *columns, rows []Row) ([]byte, Bounds) {
	t.Helper()
	w, err := newFileWriter(c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if err := w.add(&rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	_, data, err := w.end()
	if err != nil {
		t.Fatal(err)
	}
	return data, w.bounds
}

// read returns the rows of a file's bytes.
func read(t testing.TB, data []byte) []Row {
	t.Helper()
	r, err := newFileReader("test", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	var rows []Row
	for {
		row, err := r.next(context.Background())
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
}

// differ describes how two rows differ, "" for not at all.
func differ(a, b *Row) string {
	switch {
	case !bytes.Equal(a.Key, b.Key):
		return fmt.Sprintf("keys %x and %x", []byte(a.Key), []byte(b.Key))
	case a.Log != b.Log || a.Version != b.Version || a.LogOnly != b.LogOnly:
		return fmt.Sprintf("%v by %v (%v) and %v by %v (%v)", a.Version, a.Log, a.LogOnly, b.Version, b.Log, b.LogOnly)
	case !a.Delta.Equal(b.Delta):
		return fmt.Sprintf("deltas %+v and %+v", a.Delta, b.Delta)
	}
	return ""
}

func wantRows(t testing.TB, got, want []Row) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d rows, want %d", len(got), len(want))
	}
	for i := range got {
		if d := differ(&got[i], &want[i]); d != "" {
			t.Fatalf("row %d: got and want have %s", i, d)
		}
	}
}
