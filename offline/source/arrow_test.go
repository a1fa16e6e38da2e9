package source

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"featurestore/feature"
)

// sample builds a record of n rows with one column of each kind that files
// carry; row i holds the number i where a number fits, and nulls where i is a
// multiple of 5.
func sample(t testing.TB, mem memory.Allocator, n int) arrow.Record {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "driver_id", Type: arrow.PrimitiveTypes.Int32},
		{Name: "conv_rate", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
		{Name: "event_timestamp", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}},
		{Name: "day", Type: arrow.FixedWidthTypes.Date32},
		{Name: "price", Type: &arrow.Decimal128Type{Precision: 10, Scale: 2}},
	}, nil)
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	for i := range n {
		b.Field(0).(*array.Int32Builder).Append(int32(i))
		if i%5 == 0 {
			b.Field(1).AppendNull()
			b.Field(2).AppendNull()
			b.Field(3).AppendNull()
		} else {
			b.Field(1).(*array.Float64Builder).Append(float64(i) / 2)
			b.Field(2).(*array.StringBuilder).Append(fmt.Sprint("n", i))
			list := b.Field(3).(*array.ListBuilder)
			list.Append(true)
			for range i % 3 {
				list.ValueBuilder().(*array.StringBuilder).Append("t")
			}
		}
		b.Field(4).(*array.TimestampBuilder).Append(arrow.Timestamp(int64(i) * 1e6))
		b.Field(5).(*array.Date32Builder).Append(arrow.Date32(i))
		if err := b.Field(6).(*array.Decimal128Builder).AppendValueFromString(fmt.Sprint(i) + ".50"); err != nil {
			t.Fatal(err)
		}
	}
	return b.NewRecord()
}

// files writes the record as Parquet with several row groups, as an Arrow file
// and as an Arrow stream, both in several batches.
func files(t testing.TB, mem memory.Allocator, r arrow.Record, group int64) map[string]string {
	t.Helper()
	var pq, fileForm, streamForm bytes.Buffer
	w, err := pqarrow.NewFileWriter(r.Schema(), &pq, parquet.NewWriterProperties(parquet.WithMaxRowGroupLength(group), parquet.WithAllocator(mem)), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	fw, err := ipc.NewFileWriter(writeSeeker{&fileForm}, ipc.WithSchema(r.Schema()), ipc.WithAllocator(mem))
	if err != nil {
		t.Fatal(err)
	}
	sw := ipc.NewWriter(&streamForm, ipc.WithSchema(r.Schema()), ipc.WithAllocator(mem))
	if err := w.Write(r); err != nil {
		t.Fatal(err)
	}
	for from := int64(0); from < r.NumRows(); from += group {
		part := r.NewSlice(from, min(from+group, r.NumRows()))
		for _, write := range []func(arrow.Record) error{fw.Write, sw.Write} {
			if err := write(part); err != nil {
				t.Fatal(err)
			}
		}
		part.Release()
	}
	dir := t.TempDir()
	out := map[string]string{}
	for name, c := range map[string]struct {
		close func() error
		buf   *bytes.Buffer
	}{"a.parquet": {w.Close, &pq}, "a.arrow": {fw.Close, &fileForm}, "stream.arrow": {sw.Close, &streamForm}} {
		if err := c.close(); err != nil {
			t.Fatal(err)
		}
		out[name] = filepath.Join(dir, name)
		if err := os.WriteFile(out[name], c.buf.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// writeSeeker satisfies the file writer, which asks for Seek and writes on.
type writeSeeker struct{ *bytes.Buffer }

func (w writeSeeker) Seek(int64, int) (int64, error) { return int64(w.Len()), nil }

func TestColumnarFilesReadAlike(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	r := sample(t, mem, 25)
	defer r.Release()
	want := []Want{
		{Name: "event_timestamp", Type: feature.ScalarOf(feature.Timestamp)},
		{Name: "driver_id", Type: feature.ScalarOf(feature.Int64)},
		{Name: "conv_rate", Type: feature.ScalarOf(feature.Float32)},
		{Name: "gone", Type: feature.ScalarOf(feature.Int64)},
		{Name: "tags", Type: feature.ListOf(feature.String)},
		{Name: "price", Type: feature.ScalarOf(feature.Decimal)},
		{Name: "day", Type: feature.ScalarOf(feature.Timestamp)},
	}
	for name, path := range files(t, mem, r, 10) {
		t.Run(name, func(t *testing.T) {
			got, err := lines(t, path, Options{Columns: want, BatchRows: 4})
			if err != nil || len(got) != 25 {
				t.Fatalf("got %d rows and %v, want 25", len(got), err)
			}
			for i, w := range map[int]string{
				0:  "1: event_timestamp=1970-01-01T00:00:00Z driver_id=0 conv_rate=null tags=null price=0.50 day=1970-01-01T00:00:00Z",
				3:  "4: event_timestamp=1970-01-01T00:00:03Z driver_id=3 conv_rate=1.5 tags=[] price=3.50 day=1970-01-04T00:00:00Z",
				24: "25: event_timestamp=1970-01-01T00:00:24Z driver_id=24 conv_rate=12 tags=[] price=24.50 day=1970-01-25T00:00:00Z",
				11: "12: event_timestamp=1970-01-01T00:00:11Z driver_id=11 conv_rate=5.5 tags=[t t] price=11.50 day=1970-01-12T00:00:00Z",
			} {
				if got[i] != w {
					t.Errorf("row %d is\n%s, want\n%s", i, got[i], w)
				}
			}
			all, err := lines(t, path, Options{})
			if err != nil || len(all) != 25 || !strings.Contains(all[1], "name=n1") {
				t.Errorf("all columns: got %d rows, %v, the second %q", len(all), err, all[1])
			}
		})
	}
}

func TestColumnarFaultsNameRowAndColumn(t *testing.T) {
	mem := memory.NewGoAllocator()
	r := sample(t, mem, 8)
	for name, path := range files(t, mem, r, 3) {
		got, err := lines(t, path, Options{Columns: []Want{{Name: "conv_rate", Type: feature.ScalarOf(feature.Int64)}}})
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("fault %s: row 2: column conv_rate: float64 0.5 is not an int64", name)
		if !slices.Contains(got, want) {
			t.Errorf("got %q, want %q among them", got, want)
		}
	}
}

func TestParquetRefusesRowGroupsBeyondTheLimit(t *testing.T) {
	mem := memory.NewGoAllocator()
	path := files(t, mem, sample(t, mem, 100), 100)["a.parquet"]
	_, err := Open(t.Context(), path, Options{MaxGroupBytes: 10})
	if err == nil || !strings.Contains(err.Error(), "smaller row groups") {
		t.Errorf("got %v, want the way out", err)
	}
	if _, err := Open(t.Context(), path, Options{Columns: []Want{{Name: "x"}}}); err == nil || !strings.Contains(err.Error(), "none of the wanted columns") {
		t.Errorf("got %v, want that no wanted column is there", err)
	}
}

// TestCutFilesAreErrors cuts each file at every tenth of its length. Flipped
// bits inside a Parquet page are not tried: they may end the process.
func TestCutFilesAreErrors(t *testing.T) {
	mem := memory.NewGoAllocator()
	for name, path := range files(t, mem, sample(t, mem, 50), 20) {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for tenth := range 10 {
			n := len(whole) * tenth / 10
			if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := lines(t, path, Options{}); err == nil {
				t.Errorf("%s cut to %d of %d bytes was read: %d rows", name, n, len(whole), len(got))
			}
		}
	}
}

func TestFit(t *testing.T) {
	text := func(s string) feature.Value {
		v, err := feature.OfString(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		v         feature.Value
		typ, want string
	}{
		{feature.OfInt32(7), "int64", "7"},
		{feature.OfInt64(1 << 40), "int32", "!is not an int32"},
		{feature.OfFloat64(3), "int64", "3"},
		{feature.OfFloat64(0.1), "float32", "0.1"},
		{feature.OfFloat64(1e300), "float32", "!is not a float32"},
		{feature.OfInt64(3), "float64", "3"},
		{feature.OfInt64(3), "string", "!is not a string"},
		{feature.OfInt64(3), "timestamp", "!is not a timestamp"},
		{feature.OfFloat64(12.5), "decimal", "12.5"},
		{feature.OfBytes([]byte("0123456789abcdef")), "uuid", "30313233-3435-3637-3839-616263646566"},
		{feature.OfBytes([]byte("ab")), "string", "ab"},
		{text("2026-08-21"), "timestamp", "2026-08-21T00:00:00Z"},
		{text("[1, 2]"), "list<int64>", "[1 2]"},
		{feature.OfVector([]float32{1, 2}), "list<float64>", "[1 2]"},
		{feature.OfVector([]float32{1, 2}), "vector<float32,3>", "!2 elements, want 3"},
		{feature.OfBool(true), "int64", "!bool true is not an int64"},
		{feature.Value{}, "int64", "null"},
	} {
		typ, err := feature.ParseType(c.typ)
		if err != nil {
			t.Fatal(err)
		}
		v, err := fit(c.v, typ, nil)
		got := v.String()
		if err != nil {
			got = "!" + err.Error()
		}
		if want, failing := strings.CutPrefix(c.want, "!"); got != c.want && !(failing && err != nil && strings.Contains(got, want)) {
			t.Errorf("%s %s as %s: got %s, want %s", c.v.Type(), c.v, c.typ, got, c.want)
		}
	}
}
