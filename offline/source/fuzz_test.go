package source

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"featurestore/feature"
)

// fuzzWants asks for one column of every type.
func fuzzWants(t testing.TB) []Want {
	var wants []Want
	for _, name := range []string{
		"bytes", "string", "int32", "int64", "float32", "float64", "bool", "timestamp",
		"uuid", "decimal", "json", "list<int64>", "list<string>", "vector<float32,2>",
	} {
		typ, err := feature.ParseType(name)
		if err != nil {
			t.Fatal(err)
		}
		wants = append(wants, Want{Name: name, Type: typ})
	}
	return wants
}

// readAll checks what holds of every batch of any file: columns of one length,
// values of the wanted types, rows in order, bounds kept.
func readAll(t *testing.T, path string, o Options) {
	r, err := Open(t.Context(), path, o)
	if err != nil {
		return
	}
	defer r.Close()
	last := int64(0)
	for {
		b, err := r.Next(t.Context())
		if err == io.EOF {
			return
		}
		if err != nil {
			if _, again := r.Next(t.Context()); again != err {
				t.Fatalf("after %v, Next returned %v", err, again)
			}
			return
		}
		if n := b.Rows() + len(b.Faults); n == 0 || n > o.BatchRows {
			t.Fatalf("a batch has %d rows and faults, want 1 to %d", n, o.BatchRows)
		}
		at := slices.Clone(b.At)
		for _, f := range b.Faults {
			at = append(at, f.At)
		}
		slices.Sort(at)
		for _, n := range at {
			if n <= last {
				t.Fatalf("row at %d follows row at %d", n, last)
			}
			last = n
		}
		for i, c := range b.Columns {
			if len(c.Values) != b.Rows() || c.Absent != nil && len(c.Absent) != b.Rows() {
				t.Fatalf("column %s has %d values and %d marks, want %d", c.Name, len(c.Values), len(c.Absent), b.Rows())
			}
			for j, v := range c.Values {
				if want := o.Columns[i].Type; !v.IsNull() && v.Type() != want {
					t.Fatalf("column %s has a %s, want %s", c.Name, v.Type(), want)
				}
				if c.Absent != nil && c.Absent[j] && !v.IsNull() {
					t.Fatalf("column %s is absent and %s", c.Name, v)
				}
			}
		}
	}
}

func fuzzFile(f *testing.F, name string) {
	wants := fuzzWants(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		readAll(t, path, Options{Columns: wants, BatchRows: 3, BatchBytes: 64, MaxRowBytes: 256})
	})
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("int64,string,float32\n1,a,0.5\n2,\"b\n\"\"c\",\nx\n"))
	f.Add([]byte("list<int64>,timestamp,uuid\n\"[1,2]\",2026-08-21 10:59:42,\n"))
	f.Add([]byte("\xef\xbb\xbfint64,int64\n\"1"))
	fuzzFile(f, "a.csv")
}

func FuzzJSONLines(f *testing.F) {
	f.Add([]byte(`{"int64": 1, "string": "a", "list<int64>": [1, 2], "json": {"a": [null]}}` + "\n\n{}"))
	f.Add([]byte(`{"int64": {"increment": 1}, "list<string>": {"add": ["x"]}, "vector<float32,2>": [1, 2.5]}`))
	f.Add([]byte(`{"bool": "true", "decimal": 1e3, "bytes": "YQ=="}` + "\nnull\n[]"))
	fuzzFile(f, "a.jsonl")
}
