package training

import (
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/sdk"
)

// eventColumn is the column that a field with the tag feature:"@event_time" becomes.
const eventColumn = "event_timestamp"

// structBatch is how many structs become one record.
const structBatch = 16 << 10

// Structs sends structs as entity rows. Fields with a tag are columns: key:"driver_id" is
// a join key, feature:"@event_time" the time (event_timestamp), and column:"label" any
// other. They are bools, numbers, strings, []byte, time.Time, slices of these, or
// pointers to them, nil for null. The slice is read for each try, and must not change
// meanwhile. Errors name the field.
func Structs[T any](rows []T) (sdk.EntityStream, error) {
	if _, err := columnsOf(reflect.TypeFor[T]()); err != nil {
		return nil, err
	}
	return RecordsOf(func() (array.RecordReader, error) { return StructRecords(rows) }), nil
}

// StructRecords are structs as the records that Structs sends.
func StructRecords[T any](rows []T) (array.RecordReader, error) {
	columns, err := columnsOf(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	return &structReader{columns: columns, rows: reflect.ValueOf(rows), schema: schemaOf(columns)}, nil
}

// structColumn is one field as a column.
type structColumn struct {
	name  string
	index []int
	typ   arrow.DataType
}

func columnsOf(t reflect.Type) ([]structColumn, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("entity rows are of type %s: want a struct", t)
	}
	var out []structColumn
	taken := map[string]string{}
	for _, f := range reflect.VisibleFields(t) {
		name, ok := columnName(f)
		if !ok {
			continue
		}
		if !f.IsExported() {
			return nil, fmt.Errorf("%s.%s has a tag, and is not exported", t, f.Name)
		}
		if other, twice := taken[name]; twice {
			return nil, fmt.Errorf("%s.%s and %s are both column %q", t, f.Name, other, name)
		}
		taken[name] = f.Name
		typ, err := arrowType(f.Type)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, f.Name, err)
		}
		out = append(out, structColumn{name, f.Index, typ})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has no field with a tag key, feature:\"@event_time\" or column", t)
	}
	return out, nil
}

func columnName(f reflect.StructField) (string, bool) {
	if name, ok := f.Tag.Lookup("key"); ok {
		return name, true
	}
	if f.Tag.Get("feature") == "@event_time" {
		return eventColumn, true
	}
	return f.Tag.Lookup("column")
}

var timeType = reflect.TypeFor[time.Time]()

func arrowType(t reflect.Type) (arrow.DataType, error) {
	if t == timeType {
		return &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}, nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		return arrowType(t.Elem())
	case reflect.Bool:
		return arrow.FixedWidthTypes.Boolean, nil
	case reflect.Int8, reflect.Int16, reflect.Int32:
		return arrow.PrimitiveTypes.Int32, nil
	case reflect.Int, reflect.Int64:
		return arrow.PrimitiveTypes.Int64, nil
	case reflect.Float32:
		return arrow.PrimitiveTypes.Float32, nil
	case reflect.Float64:
		return arrow.PrimitiveTypes.Float64, nil
	case reflect.String:
		return arrow.BinaryTypes.String, nil
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return arrow.BinaryTypes.Binary, nil
		}
		elem, err := arrowType(t.Elem())
		if err == nil {
			return arrow.ListOf(elem), nil
		}
	}
	return nil, fmt.Errorf("type %s is no column: use bool, int32, int64, float32, float64, string, []byte, time.Time, slices of these or pointers to them", t)
}

func schemaOf(columns []structColumn) *arrow.Schema {
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.name, Type: c.typ, Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

// structReader makes records of structs, some at a time.
type structReader struct {
	columns []structColumn
	rows    reflect.Value
	schema  *arrow.Schema
	at      int
	rec     arrow.Record
	err     error
}

// Retain and Release do nothing: records are of Go's heap.
func (r *structReader) Retain() {}

// Release is as Retain.
func (r *structReader) Release()              {}
func (r *structReader) Schema() *arrow.Schema { return r.schema }
func (r *structReader) Record() arrow.Record  { return r.rec }
func (r *structReader) Err() error            { return r.err }

func (r *structReader) Next() bool {
	if r.err != nil || r.at == r.rows.Len() {
		return false
	}
	b := array.NewRecordBuilder(memory.NewGoAllocator(), r.schema)
	defer b.Release()
	for end := min(r.at+structBatch, r.rows.Len()); r.at < end; r.at++ {
		row := r.rows.Index(r.at)
		for i, c := range r.columns {
			field, err := row.FieldByIndexErr(c.index)
			if err != nil { // within an embedded pointer that is nil
				b.Field(i).AppendNull()
				continue
			}
			if err := appendField(b.Field(i), field); err != nil {
				r.err = fmt.Errorf("row %d, column %s: %w", r.at, c.name, err)
				return false
			}
		}
	}
	r.rec = b.NewRecord()
	return true
}

func appendField(b array.Builder, v reflect.Value) error {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			b.AppendNull()
			return nil
		}
		v = v.Elem()
	}
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(v.Bool())
	case *array.Int32Builder:
		b.Append(int32(v.Int()))
	case *array.Int64Builder:
		b.Append(v.Int())
	case *array.Float32Builder:
		b.Append(float32(v.Float()))
	case *array.Float64Builder:
		b.Append(v.Float())
	case *array.StringBuilder:
		b.Append(v.String())
	case *array.BinaryBuilder:
		b.Append(v.Bytes())
	case *array.TimestampBuilder:
		t := v.Interface().(time.Time)
		if y := t.Year(); y < minYear || y > maxYear {
			return fmt.Errorf("%v is no time of nanoseconds since 1970: want one between the years %d and %d", t, minYear, maxYear)
		}
		b.Append(arrow.Timestamp(t.UnixNano()))
	case *array.ListBuilder:
		if v.IsNil() {
			b.AppendNull()
			return nil
		}
		b.Append(true)
		for i := range v.Len() {
			if err := appendField(b.ValueBuilder(), v.Index(i)); err != nil {
				return fmt.Errorf("element %d: %w", i, err)
			}
		}
	}
	return nil
}

// Years that nanoseconds since the Unix epoch reach for certain.
var (
	minYear = time.Unix(0, math.MinInt64).Year() + 1
	maxYear = time.Unix(0, math.MaxInt64).Year() - 1
)
