package pit

import (
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"pgregory.net/rapid"

	"featurestore/feature"
	"featurestore/hlc"
)

// A world is inputs as plain Go values: what the plain twin reads. nil is null.
type world struct {
	keys    []arrow.DataType // of the first two key columns of the entity rows
	unit    arrow.TimeUnit
	zone    string
	entity  []entityRow
	views   []worldView
	request Request // without tables
}

type entityRow struct {
	keys [4]any // int64 or string; the columns a, b and their other role c, d
	time any    // int64, in world.unit
}

type worldView struct {
	name   string
	keys   []arrow.DataType
	rows   []featureRow
	use    []int
	ttl    time.Duration
	twinOf int // views with one number share rows
}

type featureRow struct {
	keys    []any
	version feature.Version
	knownAt any // int64 nanoseconds
	deleted bool
	skipped bool
	values  [3]any // int64, string, []float32
}

var worldFeatures = []arrow.Field{
	{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "v", Type: arrow.ListOf(arrow.PrimitiveTypes.Float32), Nullable: true},
}

var worldColumns = Columns{
	Keys: []string{"k0"}, EventTime: "event_time", Generation: "generation", At: "at", Origin: "origin",
	KnownAt: "known_at", Deleted: "deleted", Skipped: "skipped", Features: []string{"n", "s", "v"},
}

// appendValue appends a plain value to any builder of these tests.
func appendValue(b array.Builder, v any) {
	if v == nil {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.Int32Builder:
		b.Append(int32(v.(int64)))
	case *array.Int64Builder:
		b.Append(v.(int64))
	case *array.Uint64Builder:
		b.Append(uint64(v.(int64)))
	case *array.Float64Builder:
		b.Append(v.(float64))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.(int64)))
	case *array.BooleanBuilder:
		b.Append(v.(bool))
	case *array.StringBuilder:
		b.Append(v.(string))
	case *array.BinaryBuilder:
		b.Append([]byte(v.(string)))
	case *array.ListBuilder:
		b.Append(true)
		for _, f := range v.([]float32) {
			b.ValueBuilder().(*array.Float32Builder).Append(f)
		}
	default:
		panic(fmt.Sprintf("no test builds %T", b))
	}
}

// valueOf is the opposite of appendValue.
func valueOf(a arrow.Array, i int) any {
	if a.IsNull(i) {
		return nil
	}
	switch a := a.(type) {
	case *array.Int32:
		return int64(a.Value(i))
	case *array.Int64:
		return a.Value(i)
	case *array.Uint64:
		return int64(a.Value(i))
	case *array.Float64:
		return a.Value(i)
	case *array.Timestamp:
		return int64(a.Value(i))
	case *array.String:
		return a.Value(i)
	case *array.Binary:
		return string(a.Value(i))
	case *array.List:
		start, end := a.ValueOffsets(i)
		return append([]float32{}, a.ListValues().(*array.Float32).Float32Values()[start:end]...)
	}
	panic(fmt.Sprintf("no test reads %T", a))
}

// entityRecords returns the entity rows in records of the given sizes; the
// last has the rest.
func (w *world) entityRecords(mem memory.Allocator, cuts ...int) (*arrow.Schema, []arrow.Record) {
	fields := []arrow.Field{{Name: "row", Type: arrow.PrimitiveTypes.Int64}}
	for i, name := range []string{"a", "b", "c", "d"} {
		fields = append(fields, arrow.Field{Name: name, Type: w.keys[i%2], Nullable: true})
	}
	fields = append(fields, arrow.Field{Name: "t", Type: &arrow.TimestampType{Unit: w.unit, TimeZone: w.zone}, Nullable: true})
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	var records []arrow.Record
	for i, row := range w.entity {
		appendValue(b.Field(0), int64(i))
		for k, v := range row.keys {
			appendValue(b.Field(1+k), v)
		}
		appendValue(b.Field(5), row.time)
		if slices.Contains(cuts, i+1) {
			records = append(records, b.NewRecord())
		}
	}
	return schema, append(records, b.NewRecord())
}

// tableRecord returns feature rows as a record.
func tableRecord(mem memory.Allocator, keys []arrow.DataType, rows []featureRow) arrow.Record {
	var fields []arrow.Field
	for i, t := range keys {
		fields = append(fields, arrow.Field{Name: fmt.Sprintf("k%d", i), Type: t, Nullable: true})
	}
	fields = append(fields,
		arrow.Field{Name: "event_time", Type: arrow.FixedWidthTypes.Timestamp_ns},
		arrow.Field{Name: "generation", Type: arrow.PrimitiveTypes.Int32},
		arrow.Field{Name: "at", Type: arrow.PrimitiveTypes.Int64},
		arrow.Field{Name: "origin", Type: arrow.PrimitiveTypes.Int64},
		arrow.Field{Name: "known_at", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		arrow.Field{Name: "deleted", Type: arrow.FixedWidthTypes.Boolean},
		arrow.Field{Name: "skipped", Type: arrow.FixedWidthTypes.Boolean, Nullable: true})
	fields = append(fields, worldFeatures...)
	b := array.NewRecordBuilder(mem, arrow.NewSchema(fields, nil))
	defer b.Release()
	for _, r := range rows {
		values := append(slices.Clone(r.keys), r.version.EventTime, int64(r.version.Generation), int64(r.version.At), int64(r.version.Origin), r.knownAt, r.deleted, r.skipped)
		values = append(values, r.values[:]...)
		for i, v := range values {
			appendValue(b.Field(i), v)
		}
	}
	return b.NewRecord()
}

func (w *world) columns(v worldView) Columns {
	c := worldColumns
	c.Keys = nil
	for i := range v.keys {
		c.Keys = append(c.Keys, fmt.Sprintf("k%d", i))
	}
	return c
}

// outputRows returns records' rows as plain values.
func outputRows(records []arrow.Record) [][]any {
	var rows [][]any
	for _, r := range records {
		for i := range int(r.NumRows()) {
			var row []any
			for _, c := range r.Columns() {
				row = append(row, valueOf(c, i))
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// drawKey draws values that are easily confused: few, short, and such that
// their texts run together.
func drawKey(t *rapid.T, dt arrow.DataType) any {
	n := rapid.SampledFrom([]int{0, 0, 0, 0, 1, 1, 2, 3, 4, -1}).Draw(t, "key") // most rows meet others
	if n < 0 {
		return nil
	}
	switch dt.ID() {
	case arrow.STRING, arrow.BINARY:
		return []string{"", "a", "ab", "b", "1"}[n]
	}
	return []int64{0, 1, 11, -1, 1 << 30}[n]
}

var keyTypes = []arrow.DataType{
	arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Int32, arrow.BinaryTypes.String, arrow.BinaryTypes.Binary,
}

// other returns the other width of an integer type.
func other(t *rapid.T, dt arrow.DataType) arrow.DataType {
	if dt.ID() == arrow.INT32 || dt.ID() == arrow.INT64 {
		return rapid.SampledFrom(keyTypes[:2]).Draw(t, "width")
	}
	return dt
}

func drawWorld(t *rapid.T, mostRows int) *world {
	w := &world{
		keys: []arrow.DataType{rapid.SampledFrom(keyTypes).Draw(t, "type a"), rapid.SampledFrom(keyTypes).Draw(t, "type b")},
		unit: rapid.SampledFrom([]arrow.TimeUnit{arrow.Nanosecond, arrow.Microsecond}).Draw(t, "unit"),
		zone: rapid.SampledFrom([]string{"", "UTC", "America/New_York"}).Draw(t, "zone"),
	}
	// Time is a few points around the epoch, a nanosecond or a microsecond apart.
	for range rapid.IntRange(0, mostRows).Draw(t, "entity rows") {
		row := entityRow{}
		for k := range row.keys {
			row.keys[k] = drawKey(t, w.keys[k%2])
		}
		if rapid.IntRange(0, 9).Draw(t, "has time") > 0 {
			row.time = rapid.Int64Range(-6, 6).Draw(t, "time")
		}
		w.entity = append(w.entity, row)
	}
	scale := int64(w.unit.Multiplier())
	for i := range rapid.IntRange(1, 3).Draw(t, "views") {
		v := worldView{name: fmt.Sprintf("v%d", i), ttl: time.Duration(rapid.Int64Range(0, 4).Draw(t, "ttl") * scale), twinOf: i}
		role := rapid.IntRange(0, 1).Draw(t, "role") * 2
		if i > 0 && rapid.Bool().Draw(t, "same table") {
			first := w.views[i-1]
			v.keys, v.rows, v.twinOf = first.keys, first.rows, first.twinOf
			for _, k := range first.use {
				v.use = append(v.use, (k+2)%4)
			}
		} else {
			v.use = rapid.SampledFrom([][]int{{0}, {1}, {0, 1}, {1, 0}}).Draw(t, "keys")
			for k := range v.use {
				v.keys = append(v.keys, other(t, w.keys[v.use[k]]))
				v.use[k] += role
			}
			v.rows = drawRows(t, v.keys, scale, 2*mostRows)
		}
		w.views = append(w.views, v)
	}
	w.drawRequest(t)
	return w
}

func drawRows(t *rapid.T, keys []arrow.DataType, scale int64, most int) []featureRow {
	var rows []featureRow
	for i := range rapid.IntRange(0, most).Draw(t, "feature rows") {
		r := featureRow{version: feature.Version{
			// Between the entity rows' times, too.
			EventTime:  rapid.Int64Range(-9, 9).Draw(t, "event time")*scale + rapid.Int64Range(-1, 1).Draw(t, "beside"),
			Generation: uint16(rapid.IntRange(0, 1).Draw(t, "generation")),
			At:         hlc.Timestamp(rapid.IntRange(0, 2).Draw(t, "at")),
			Origin:     hlc.Origin(i), // no two rows are equal
		}}
		for _, k := range keys {
			r.keys = append(r.keys, drawKey(t, k))
		}
		if rapid.Bool().Draw(t, "known") {
			r.knownAt = rapid.Int64Range(-9, 9).Draw(t, "known at") * scale
		}
		r.deleted = rapid.IntRange(0, 5).Draw(t, "deleted") == 0
		r.skipped = rapid.IntRange(0, 5).Draw(t, "skipped") == 0
		if rapid.IntRange(0, 4).Draw(t, "null") > 0 {
			r.values = [3]any{int64(i), fmt.Sprintf("row %d", i), make([]float32, i%3)}
		}
		rows = append(rows, r)
	}
	return rows
}

func (w *world) drawRequest(t *rapid.T) {
	w.request = Request{EventTime: "t", AsServed: rapid.Bool().Draw(t, "as served")}
	if rapid.IntRange(0, 2).Draw(t, "cutoff") == 0 {
		w.request.KnownAsOf = time.Unix(0, rapid.Int64Range(-9, 9).Draw(t, "known as of")*int64(w.unit.Multiplier()))
	}
	for _, v := range w.views {
		view := View{Name: v.name, TTL: v.ttl}
		for _, k := range v.use {
			view.Keys = append(view.Keys, []string{"a", "b", "c", "d"}[k])
		}
		w.request.Views = append(w.request.Views, view)
	}
	for i := range rapid.IntRange(1, 6).Draw(t, "features") {
		w.request.Features = append(w.request.Features, Feature{
			View: rapid.SampledFrom(w.views).Draw(t, "view").name,
			Name: rapid.SampledFrom(worldFeatures).Draw(t, "feature").Name,
			As:   fmt.Sprintf("f%d", i),
		})
	}
}
