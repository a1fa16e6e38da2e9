package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"featurestore/api"
)

// drivers is a record as a data frame writes it: floats for a whole number
// that may be null, 64-bit floats for what the view keeps in 32.
func drivers(t *testing.T, mem memory.Allocator) arrow.Record {
	t.Helper()
	b := array.NewRecordBuilder(mem, arrow.NewSchema([]arrow.Field{
		{Name: "driver_id", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "conv_rate", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "trips", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
	}, nil))
	defer b.Release()
	b.Field(0).(*array.Float64Builder).AppendValues([]float64{1, 2, 3.5}, nil)
	b.Field(1).(*array.Float64Builder).AppendValues([]float64{0.5, 0, 1}, []bool{true, false, true})
	b.Field(2).(*array.Int32Builder).AppendValues([]int32{4, 0, 1}, []bool{true, false, true})
	tags := b.Field(3).(*array.ListBuilder)
	for _, tag := range []string{"quick", "late", "quiet"} {
		tags.Append(true)
		tags.ValueBuilder().(*array.StringBuilder).Append(tag)
	}
	return b.NewRecord()
}

func writeColumnar(t *testing.T, dir string) (paths []string) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	r := drivers(t, mem)
	defer r.Release()
	var pq, stream bytes.Buffer
	w, err := pqarrow.NewFileWriter(r.Schema(), &pq, parquet.NewWriterProperties(parquet.WithAllocator(mem)), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	s := ipc.NewWriter(&stream, ipc.WithSchema(r.Schema()), ipc.WithAllocator(mem))
	for _, step := range []error{w.Write(r), w.Close(), s.Write(r), s.Close()} {
		if step != nil {
			t.Fatal(step)
		}
	}
	for name, data := range map[string][]byte{"drivers.parquet": pq.Bytes(), "drivers.arrow": stream.Bytes()} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func TestParquetAndArrowArePushed(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	link := filepath.Join(dir, "featurestore")
	if err := os.Symlink(binary, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range writeColumnar(t, dir) {
		p, err := startProcess(link, dir, os.Environ(), "dev", "--no-sample", "--listen", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		run := func(want int, args ...string) string {
			t.Helper()
			var out bytes.Buffer
			a := &app{in: strings.NewReader(""), out: &out, err: &out, environ: []string{"FEATURESTORE_URL=" + p.url}}
			if code := execute(t.Context(), a, args); code != want {
				t.Fatalf("%q exits with %d, want %d: %s", args, code, want, &out)
			}
			return out.String()
		}
		run(0, "apply", "template/rides.yaml")
		fault := filepath.Base(path) + ": row 3: column driver_id: float64 3.5 is not an int64"
		if got := run(1, "push", "--view", "driver_stats", path); !strings.Contains(got, fault) {
			t.Errorf("got %q, want %q in it", got, fault)
		}
		run(0, "push", "--view", "driver_stats", "--skip-bad-rows", path)
		got := run(0, "get", "--features", "driver_stats:conv_rate,driver_stats:trips,driver_stats:tags", "driver_id=1,2", "-o", "json")
		for _, want := range []string{`"values":[0.5,4,["quick"]]`, `"values":[null,null,["late"]],"statuses":["NULL_VALUE","NOT_FOUND","PRESENT"]`} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: got %s, want %s in it", filepath.Base(path), got, want)
			}
		}
		if err := p.stop(); err != nil {
			t.Errorf("stop: %v\n%s", err, p.output)
		}
	}
}

// What a failed load says of the rows must be so: a batch that was not
// acknowledged everywhere is stored all the same.
func TestAFailedLoadSaysWhatIsStored(t *testing.T) {
	late := &refusedError{api.NewProblem(api.CodeConcernTimeout, "")}
	bad := errors.New("a.csv:5: column sold")
	for _, c := range []struct {
		err    error
		before int
		again  bool
		want   string
	}{
		{bad, 0, false, "no row was stored"},
		{bad, 7, false, "7 rows were stored before; running the command again stores them once"},
		{bad, 1, false, "1 row was stored before; running the command again stores them once"},
		{bad, 7, true, "7 rows were stored before; running the command again stores them another time"},
		{late, 0, false, "the last batch is stored, if not everywhere yet, and goes on replicating; running the command again stores them once"},
		{late, 7, false, "7 rows were stored before; the last batch is stored, if not everywhere yet, and goes on replicating; running the command again stores them once"},
		{&unreachableError{url: "x", err: bad}, 0, false, "the last batch may be stored; running the command again stores them once"},
	} {
		if got := whatIsStored(c.err, c.before, c.again); got != c.want {
			t.Errorf("%v after %d rows: got %q, want %q", c.err, c.before, got, c.want)
		}
	}
}
