package pit

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	"pgregory.net/rapid"
)

// writeParquet writes a record in row groups of a few rows and small pages.
func writeParquet(t tester, path string, r arrow.Record, groupRows int64, more ...parquet.WriterProperty) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatalf("%v", err)
	}
	props := append([]parquet.WriterProperty{
		parquet.WithMaxRowGroupLength(groupRows), parquet.WithDataPageSize(64), parquet.WithCompression(compress.Codecs.Snappy),
		parquet.WithDictionaryDefault(false),
	}, more...)
	w, err := pqarrow.NewFileWriter(r.Schema(), f, parquet.NewWriterProperties(props...), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatalf("%v", err)
	}
	if err := w.Write(r); err != nil {
		t.Fatalf("%v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatalf("%v", err)
	}
}

// B1 to B5 again, with the rows in files: several, in any order, of several row
// groups and pages, dictionaries or not.
func TestJoinOverFilesIsThePlainJoin(t *testing.T) {
	parent, runs := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		dir := filepath.Join(parent, strconv.Itoa(runs))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatalf("%v", err)
		}
		w := drawWorld(t, 10)
		request := w.request
		request.Views = append([]View(nil), w.request.Views...)
		for i, v := range w.views {
			var paths []string
			rows := rapid.Permutation(v.rows).Draw(t, "order of rows")
			cut := rapid.IntRange(0, len(rows)).Draw(t, "cut")
			for f, part := range [][]featureRow{rows[:cut], rows[cut:]} {
				path := filepath.Join(dir, fmt.Sprintf("v%d-%d.parquet", i, f))
				writeParquet(t, path, tableRecord(memory.DefaultAllocator, v.keys, part), rapid.Int64Range(3, 20).Draw(t, "group rows"),
					parquet.WithDictionaryDefault(rapid.Bool().Draw(t, "dictionary")))
				paths = append(paths, path)
			}
			if rapid.Bool().Draw(t, "order of files") {
				paths[0], paths[1] = paths[1], paths[0]
			}
			table, err := OpenParquet(context.Background(), w.columns(v), nil, paths...)
			if err != nil {
				t.Fatalf("open: %v", err)
			}
			request.Views[i].Table = table
		}
		schema, entity := w.entityRecords(memory.DefaultAllocator)
		name := rapid.SampledFrom([]string{"in memory", "all spilled", "partitions"}).Draw(t, "budget")
		got, _ := run(t, Config{Threads: 2}, budgets[name].budget, schema, entity, request)
		if want := plainJoin(w); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: %s", name, difference(got, want))
		}
	})
}

var fileColumns = Columns{Keys: []string{"k"}, EventTime: "e"}

func tableFile(t testing.TB, path string, columns ...column) {
	t.Helper()
	writeParquet(t, path, record(t, columns...), 10)
}

func openTable(t testing.TB, c Columns, schema *arrow.Schema, paths ...string) (*ParquetTable, error) {
	t.Helper()
	return OpenParquet(context.Background(), c, schema, paths...)
}

// Row groups whose event times no entity row can match are not read.
func TestRowGroupsOutsideTheWindowAreNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.parquet")
	var keys, times []any
	for i := range 100 {
		keys, times = append(keys, int64(1)), append(times, int64(i))
	}
	tableFile(t, path, column{"k", int64s, keys}, column{"e", nanosUTC, times}, column{"n", int64s, times})
	table, err := openTable(t, fileColumns, nil, path)
	if err != nil {
		t.Fatal(err)
	}
	entity := record(t, column{"id", int64s, []any{int64(1), int64(1)}}, column{"t", nanosUTC, []any{int64(35), int64(39)}})
	rows, report := run(t, Config{}, Config{}.budget(), entity.Schema(), []arrow.Record{entity}, Request{
		EventTime: "t", Views: []View{{Name: "v", Table: table, Keys: []string{"id"}, TTL: 3}}, Features: []Feature{{View: "v", Name: "n"}},
	})
	if rows[0][2] != int64(35) || rows[1][2] != int64(39) || report.Scanned != 10 {
		t.Errorf("got %v after reading %d rows, want the matches of the ten rows from 30 on", rows, report.Scanned)
	}
}

// Files that lack a feature, or write keys in another width, are of one table.
func TestFilesOfSeveralAges(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "1.parquet"), filepath.Join(dir, "2.parquet")
	tableFile(t, one, column{"k", arrow.PrimitiveTypes.Int32, []any{int64(1)}}, column{"e", nanosUTC, []any{int64(1)}}, column{"n", int64s, []any{int64(11)}})
	tableFile(t, two, column{"s", text, []any{"new"}}, column{"e", nanosUTC, []any{int64(2)}}, column{"k", int64s, []any{int64(1)}}, column{"n", int64s, []any{int64(12)}})
	table, err := openTable(t, fileColumns, nil, two, one)
	if err != nil {
		t.Fatal(err)
	}
	entity := record(t, column{"id", int64s, []any{int64(1), int64(1)}}, column{"t", nanosUTC, []any{int64(1), int64(2)}})
	rows, _ := run(t, Config{}, Config{}.budget(), entity.Schema(), []arrow.Record{entity}, Request{
		EventTime: "t", Views: []View{{Name: "v", Table: table, Keys: []string{"id"}}}, Features: []Feature{{View: "v", Name: "s"}, {View: "v", Name: "n"}},
	})
	want := [][]any{{int64(1), int64(1), nil, int64(11)}, {int64(1), int64(2), "new", int64(12)}}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("got %v, want %v", rows, want)
	}
}

func TestATableWithoutFilesNeedsASchema(t *testing.T) {
	if _, err := openTable(t, fileColumns, nil); err == nil {
		t.Error("no files and no schema: got no error")
	}
	schema := record(t, column{"k", int64s, nil}, column{"e", nanosUTC, nil}, column{"n", int64s, nil}).Schema()
	table, err := openTable(t, fileColumns, schema)
	if err != nil {
		t.Fatal(err)
	}
	got := lastColumn(t, record(t, column{"id", int64s, []any{int64(1)}}, column{"t", nanosUTC, []any{int64(1)}}), Request{
		EventTime: "t", Views: []View{{Name: "v", Table: table, Keys: []string{"id"}}}, Features: []Feature{{View: "v", Name: "n"}},
	})
	if !reflect.DeepEqual(got, []any{nil}) {
		t.Errorf("got %v, want null", got)
	}
}

// What is wrong with a file is said with its name.
func TestFilesThatDoNotFit(t *testing.T) {
	dir := t.TempDir()
	good, path := filepath.Join(dir, "good.parquet"), filepath.Join(dir, "x.parquet")
	k, e, n := column{"k", int64s, []any{int64(1)}}, column{"e", nanosUTC, []any{int64(1)}}, column{"n", int64s, []any{int64(1)}}
	tableFile(t, good, k, e, n)
	versioned := fileColumns
	versioned.Generation, versioned.Origin, versioned.Deleted = "g", "o", "d"
	for _, c := range []struct {
		claim   string
		columns Columns
		file    []column
		want    string
	}{
		{"no key", fileColumns, []column{e, n}, `no column "k"`},
		{"no time", fileColumns, []column{k, n}, `no column "e"`},
		{"a text key", fileColumns, []column{{"k", text, []any{"1"}}, e, n}, "column k is utf8, want int64"},
		{"a float time", fileColumns, []column{k, {"e", arrow.PrimitiveTypes.Float64, []any{1.0}}, n}, "column e is float64, want a timestamp"},
		{"a text feature", fileColumns, []column{k, e, {"n", text, []any{"1"}}}, "column n is utf8, want int64"},
		{"no version", versioned, []column{k, e, n}, `no column "g"`},
	} {
		tableFile(t, path, c.file...)
		_, err := openTable(t, c.columns, record(t, k, e, n, column{"g", int64s, []any{nil}}, column{"o", int64s, []any{nil}}, column{"d", arrow.FixedWidthTypes.Boolean, []any{nil}}).Schema(), good, path)
		if c.claim != "no version" {
			wantError(t, err, path)
		}
		wantError(t, err, c.want)
	}
	_, err := openTable(t, fileColumns, nil, good, good)
	wantError(t, err, good, "named twice")
	_, err = openTable(t, fileColumns, nil, filepath.Join(dir, "none.parquet"))
	wantError(t, err, "none.parquet")
}

// Values that cannot be, found while reading, are said with file, column, row.
func TestHeadsThatCannotBe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.parquet")
	columns := fileColumns
	columns.Generation, columns.Origin = "g", "o"
	ones := func(last any) []any { return []any{int64(1), int64(1), last} }
	for _, c := range []struct {
		e, g, o any
		want    string
	}{
		{nil, int64(1), int64(1), "column e, row 2: there is no time"},
		{int64(1), int64(1 << 16), int64(1), "column g, row 2: 65536 is not between 0 and 65535"},
		{int64(1), int64(1), int64(-1), "column o, row 2: -1 is not between"},
	} {
		tableFile(t, path, column{"k", int64s, ones(int64(1))}, column{"e", nanosUTC, ones(c.e)}, column{"g", int64s, ones(c.g)}, column{"o", int64s, ones(c.o)}, column{"n", int64s, ones(nil)})
		table, err := openTable(t, columns, nil, path)
		if err != nil {
			t.Fatal(err)
		}
		entity := record(t, column{"id", int64s, []any{int64(1)}}, column{"t", nanosUTC, []any{int64(1)}})
		wantError(t, joinError(t, entity, Request{
			EventTime: "t", Views: []View{{Name: "v", Table: table, Keys: []string{"id"}}}, Features: []Feature{{View: "v", Name: "n"}},
		}), "view v", path, "row group 0", c.want)
	}
}

// A file that is cut short, replaced or gone between opening and reading.
func TestFilesThatChange(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.parquet")
	write := func(rows int) {
		var ones []any
		for range rows {
			ones = append(ones, int64(1))
		}
		tableFile(t, path, column{"k", int64s, ones}, column{"e", nanosUTC, ones}, column{"n", int64s, ones})
	}
	entity := record(t, column{"id", int64s, []any{int64(1)}}, column{"t", nanosUTC, []any{int64(1)}})
	for _, c := range []struct {
		claim  string
		change func() error
		want   string
	}{
		{"gone", func() error { return os.Remove(path) }, "no such file"},
		{"cut", func() error { return os.Truncate(path, 100) }, "parquet"},
		{"empty", func() error { return os.Truncate(path, 0) }, "parquet"},
		{"other rows", func() error { write(3); return nil }, "has changed"},
	} {
		write(5)
		table, err := openTable(t, fileColumns, nil, path)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		wantError(t, joinError(t, entity, Request{
			EventTime: "t", Views: []View{{Name: "v", Table: table, Keys: []string{"id"}}}, Features: []Feature{{View: "v", Name: "n"}},
		}), "view v", path, c.want)
	}
}

// Rows without KnownAt are known from the milliseconds of At on.
func TestRowsAreKnownFromTheirVersionOn(t *testing.T) {
	columns := fileColumns
	columns.At = "at"
	at := func(ms int64) any { return ms << 16 }
	table := memoryTable(t, columns, record(t, column{"k", int64s, []any{int64(1), int64(1), int64(1)}}, column{"e", nanosUTC, []any{int64(1), int64(2), int64(3)}},
		column{"at", int64s, []any{at(1), at(2), nil}}, column{"n", int64s, []any{int64(1), int64(2), nil}}))
	decoder := headDecoder{columns: columns}
	part := table.Parts()[0].(*memoryPart)
	heads, fault := decoder.decode(part.heads)
	if fault != nil {
		t.Fatal(fault.err)
	}
	if want := []int64{1_000_000, 2_000_000, minTime}; !reflect.DeepEqual(heads.KnownAt, want) {
		t.Errorf("got %v, want %v", heads.KnownAt, want)
	}
}

// Damaged pages never end the process, and what is noticed names the file. That
// most are noticed is not promised: checksums are for that.
func TestDamagedPagesAreErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.parquet")
	rng := rand.New(rand.NewPCG(1, 2))
	var keys, times, texts []any
	for i := range 3000 {
		keys, times, texts = append(keys, rng.Int64N(50)), append(times, rng.Int64N(1000)), append(texts, fmt.Sprint("text", i))
	}
	tableFile(t, path, column{"k", int64s, keys}, column{"e", nanosUTC, times}, column{"n", int64s, keys}, column{"s", text, texts})
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	entity := record(t, column{"id", int64s, []any{int64(1), int64(2)}}, column{"t", nanosUTC, []any{int64(900), int64(100)}})
	noticed := 0
	for range 30 {
		bad := bytes.Clone(good)
		at := 4 + rng.IntN(len(bad)/2) // pages: the footer stands at the end
		for i := range 8 {
			bad[at+i] = byte(rng.Uint32())
		}
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		table, err := openTable(t, fileColumns, nil, path)
		if err == nil {
			err = joinError(t, entity, Request{
				EventTime: "t", Views: []View{{Name: "v", Table: table, Keys: []string{"id"}}},
				Features: []Feature{{View: "v", Name: "n"}, {View: "v", Name: "s"}},
			})
		}
		if err != nil {
			noticed++
			wantError(t, err, path)
		}
	}
	if noticed == 0 {
		t.Error("no damage was noticed: it was not done")
	}
}
