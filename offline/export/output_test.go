package export

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/feature"
	"featurestore/offline/training"
)

func cityRecord() arrow.Record {
	at := &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}
	b := array.NewRecordBuilder(memory.NewGoAllocator(), arrow.NewSchema([]arrow.Field{
		{Name: "driver_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "city", Type: arrow.BinaryTypes.String}, {Name: "at", Type: at},
	}, nil))
	defer b.Release()
	noon := time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC)
	b.Field(0).(*array.Int64Builder).AppendValues([]int64{7, -1}, []bool{true, false})
	b.Field(1).(*array.StringBuilder).AppendValues([]string{"Rome", "São Paulo, \"SP\""}, nil)
	b.Field(2).(*array.TimestampBuilder).AppendValues([]arrow.Timestamp{arrow.Timestamp(noon.Add(time.Minute).UnixNano()), arrow.Timestamp(noon.UnixNano())}, nil)
	return b.NewRecord()
}

// What is written comes back, in every format, with the sum that was told.
func TestAnExportComesBackFromItsFile(t *testing.T) {
	for _, name := range []string{"out.parquet", "out.arrow", "out.csv"} {
		path := filepath.Join(t.TempDir(), name)
		in := cityRecord()
		o, err := Create(t.Context(), path, in.Schema())
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Write(in); err != nil {
			t.Fatal(err)
		}
		in.Release()
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is there before it is complete", name)
		}
		w, err := o.Commit()
		if err != nil {
			t.Fatal(err)
		}
		contents, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(contents); w.Rows != 2 || w.Bytes != int64(len(contents)) || w.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: got %+v of %d bytes", name, w, len(contents))
		}
		back, err := training.OpenEntityRows(t.Context(), path, map[string]feature.Type{
			"driver_id": feature.ScalarOf(feature.Int64), "at": feature.ScalarOf(feature.Timestamp),
		})
		if err != nil {
			t.Fatal(err)
		}
		var cells []string
		for back.Next() {
			rec := back.Record()
			for i := range int(rec.NumRows()) {
				for c := range int(rec.NumCols()) {
					cells = append(cells, rec.Column(c).ValueStr(i))
				}
			}
		}
		if err := errors.Join(back.Err(), back.Close()); err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(strings.Join(cells, "|"), ".000000000Z", "Z")
		const want = `7|Rome|2026-08-21 12:01:00Z|(null)|São Paulo, "SP"|2026-08-21 12:00:00Z`
		if strings.ReplaceAll(got, ".000Z", "Z") != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
		left, err := os.ReadDir(filepath.Dir(path))
		if err != nil || len(left) != 1 {
			t.Errorf("%s: left behind: %v, %v", name, left, err)
		}
	}
}

func TestAnExportThatFailsLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	schema := arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int64}}, nil)
	if _, err := Create(t.Context(), filepath.Join(dir, "out.xlsx"), schema); !errors.Is(err, ErrFormat) {
		t.Errorf("got %v, want %v", err, ErrFormat)
	}
	o, err := Create(t.Context(), filepath.Join(dir, "out.parquet"), schema)
	if err != nil {
		t.Fatal(err)
	}
	o.Abandon()
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Lists are JSON in CSV, and lists of floats in Parquet; what CSV has no form for is
// named.
func TestListsAreWrittenOrNamed(t *testing.T) {
	mem := memory.NewGoAllocator()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "taste", Type: arrow.ListOfNonNullable(arrow.PrimitiveTypes.Float32), Nullable: true},
		{Name: "tags", Type: arrow.ListOfNonNullable(arrow.BinaryTypes.String), Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	taste, tags := b.Field(0).(*array.ListBuilder), b.Field(1).(*array.ListBuilder)
	taste.Append(true)
	taste.ValueBuilder().(*array.Float32Builder).AppendValues([]float32{0.1, float32(math.NaN())}, nil)
	taste.AppendNull()
	tags.Append(true)
	tags.Append(true)
	tags.ValueBuilder().(*array.StringBuilder).AppendValues([]string{`say "hi"`, "a,b"}, nil)
	rec := b.NewRecord()
	defer rec.Release()
	for ending, want := range map[string]string{
		".csv":     `string|string|[0.1,"NaN"]|[]|(null)|["say \"hi\"","a,b"]`,
		".parquet": `list<float32>|list<string>|[0.1,"NaN"]|[]|(null)|["say \"hi\"","a,b"]`,
	} {
		path := filepath.Join(t.TempDir(), "out"+ending)
		o, err := Create(t.Context(), path, schema)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Write(rec); err != nil {
			t.Fatal(err)
		}
		if _, err := o.Commit(); err != nil {
			t.Fatal(err)
		}
		in, err := training.OpenEntityRows(t.Context(), path, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range in.Schema().Fields() {
			text, _, _ := strings.Cut(f.Type.String(), "<")
			if list, ok := f.Type.(*arrow.ListType); ok {
				text += "<" + list.Elem().String() + ">"
			}
			got = append(got, strings.Replace(text, "utf8", "string", 1))
		}
		for in.Next() {
			for i := range int(in.Record().NumRows()) {
				for _, c := range in.Record().Columns() {
					got = append(got, c.ValueStr(i))
				}
			}
		}
		if err := errors.Join(in.Err(), in.Close()); err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(got, "|"); text != want {
			t.Errorf("%s: got %s, want %s", ending, text, want)
		}
	}
	odd := arrow.NewSchema([]arrow.Field{{Name: "point", Type: arrow.StructOf(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int64})}}, nil)
	dir := t.TempDir()
	if _, err := Create(t.Context(), filepath.Join(dir, "out.csv"), odd); err == nil || !strings.Contains(err.Error(), "column point is struct<x: int64>") {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
