package source

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"featurestore/feature"
)

// write puts text into a file of the given name and returns its path; names
// that end in .gz are packed.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out io.WriteCloser = f
	if strings.HasSuffix(name, ".gz") {
		out = gzip.NewWriter(f)
		defer out.Close()
	}
	if _, err := io.WriteString(out, text); err != nil {
		t.Fatal(err)
	}
	return path
}

// lines reads a whole file and prints a row a line, "line: name=value …", and
// the faults where they stand among the batches.
func lines(t testing.TB, path string, o Options) (out []string, err error) {
	t.Helper()
	r, err := Open(t.Context(), path, o)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		b, err := r.Next(t.Context())
		if err == io.EOF {
			if done, size := r.Progress(); done != size {
				t.Errorf("at the end, progress is %d of %d", done, size)
			}
			return out, nil
		}
		if err != nil {
			return out, err
		}
		for i, at := range b.At {
			row := fmt.Sprintf("%d:", at)
			for _, c := range b.Columns {
				if c.Absent == nil || !c.Absent[i] {
					row += fmt.Sprintf(" %s=%s", c.Name, c.Values[i])
				}
			}
			out = append(out, row)
		}
		for _, f := range b.Faults {
			out = append(out, "fault "+strings.TrimPrefix(f.Error(), filepath.Dir(path)+"/"))
		}
	}
}

var driverStats = []Want{
	{Name: "driver_id", Type: feature.ScalarOf(feature.Int64)},
	{Name: "conv_rate", Type: feature.ScalarOf(feature.Float32)},
	{Name: "tags", Type: feature.ListOf(feature.String)},
	{Name: "event_timestamp", Type: feature.ScalarOf(feature.Timestamp)},
}

func TestTextFiles(t *testing.T) {
	long := strings.Repeat("x", 9000)
	for _, c := range []struct {
		claim, name, text string
		opt               Options
		want              []string
		err               string
	}{
		{
			claim: "CSV columns become the wanted types, whatever their order", name: "a.csv", opt: Options{Columns: driverStats},
			text: "conv_rate,driver_id,noise,event_timestamp,tags\n0.5,1001,z,2026-08-21 10:59:42,\"[\"\"a\"\",\"\"b\"\"]\"\n",
			want: []string{"2: driver_id=1001 conv_rate=0.5 tags=[a b] event_timestamp=2026-08-21T10:59:42Z"},
		},
		{
			claim: "an empty CSV field is null, a column that the file lacks is absent", name: "a.csv", opt: Options{Columns: driverStats},
			text: "driver_id,conv_rate\n1001,\n", want: []string{"2: driver_id=1001 conv_rate=null"},
		},
		{
			claim: "rows are named by the line they begin on", name: "a.csv",
			text: "a,b\n\"1\n1\",x\n2,y\n", want: []string{"2: a=1\n1 b=x", "4: a=2 b=y"},
		},
		{
			claim: "a byte order mark is no part of the first name", name: "a.csv.gz",
			text: "\xef\xbb\xbfa\n1\n", want: []string{"2: a=1"},
		},
		{
			claim: "a bad value names line and column, and the rows around it are read", name: "a.csv", opt: Options{Columns: driverStats},
			text: "driver_id,conv_rate\n1,0.1\nx,0.2\n3,high\n4,0.4\n",
			want: []string{"2: driver_id=1 conv_rate=0.1", "5: driver_id=4 conv_rate=0.4",
				`fault a.csv:3: column driver_id: "x" is not an int64`, `fault a.csv:4: column conv_rate: "high" is not a float32`},
		},
		{
			claim: "ragged rows are faults", name: "a.csv", text: "a,b\n1\n1,2,3\n1,2\n",
			want: []string{"4: a=1 b=2", "fault a.csv:2: it has 1 fields, the header has 2", "fault a.csv:3: it has 3 fields, the header has 2"},
		},
		{claim: "text that is not UTF-8 is a fault", name: "a.csv", text: "a\n\xe9t\xe9\n", want: []string{`fault a.csv:2: column a: string "\xe9t\xe9" is not valid UTF-8`}},
		{claim: "a quote that is never closed ends reading within the row limit", name: "a.csv", text: "a\n1\n\"" + long + long, opt: Options{MaxRowBytes: 1000}, err: "a.csv:3: row too long"},
		{claim: "a quote in the middle of a field is an error with its line", name: "a.csv", text: "a\n1\nx\"y\n", err: "a.csv:3: bare"},
		{claim: "an empty CSV file has no header", name: "a.csv", text: "", err: "a.csv: it is empty"},
		{claim: "two columns of one name are refused", name: "a.csv", text: "a,b,a\n", err: `columns 1 and 3 are both named "a"`},
		{claim: "the time layouts are tried after the common ones", name: "a.csv", text: "event_timestamp\n12/1/2010 8:26\n2010-12-01\n",
			opt:  Options{Columns: driverStats[3:], TimeLayouts: []string{"1/2/2006 15:04"}},
			want: []string{"2: event_timestamp=2010-12-01T08:26:00Z", "3: event_timestamp=2010-12-01T00:00:00Z"}},

		{
			claim: "JSON lines: what a line lacks is absent, null is null", name: "a.jsonl", opt: Options{Columns: driverStats},
			text: `{"driver_id": 1, "conv_rate": null, "x": {}}` + "\n\n" + `{"driver_id": 2, "tags": []}`,
			want: []string{"1: driver_id=1 conv_rate=null", "3: driver_id=2 tags=[]"},
		},
		{
			claim: "JSON lines: the long form of a counter or a set", name: "a.ndjson", opt: Options{Columns: driverStats},
			text: `{"driver_id": {"increment": 3}, "tags": {"add": ["a"]}}`, want: []string{"1: driver_id=3 tags=[a]"},
		},
		{
			claim: "JSON lines without wanted columns take what the values are", name: "a.jsonl.gz",
			text: `{"i": 1, "f": 1.5, "s": "x", "b": true, "l": [1, 2], "m": [1, "x"], "o": {"a": 1}}`,
			want: []string{`1: b=true f=1.5 i=1 l=[1 2] m=[1,"x"] o={"a":1} s=x`},
		},
		{
			claim: "JSON lines: faults name line and column", name: "a.jsonl", opt: Options{Columns: driverStats},
			text: "{\n[1]\n" + `{"driver_id": "7", "conv_rate": true}` + "\n" + `{"driver_id": 1.5}` + "\n" + `{"tags": ["a", null]}` + "\nnull\n" + `{"driver_id": 4}`,
			want: []string{"7: driver_id=4", "fault a.jsonl:1: it is not a JSON object: unexpected end of JSON input",
				"fault a.jsonl:2: it is not a JSON object: json: cannot unmarshal array into Go value of type map[string]json.RawMessage",
				"fault a.jsonl:3: column conv_rate: true is not a float32", `fault a.jsonl:4: column driver_id: "1.5" is not an int64`,
				"fault a.jsonl:5: column tags: element 1: a list holds no nulls", "fault a.jsonl:6: it is not a JSON object: null is not a row"},
		},
		{claim: "a line longer than the limit ends reading", name: "a.jsonl", text: `{"a": 1}` + "\n" + `{"a": "` + long + `"}`, opt: Options{MaxRowBytes: 1000, BatchRows: 1}, want: []string{"1: a=1"}, err: "a.jsonl:2: row too long"},
		{claim: "a file that is not gzip says so", name: "b.csv", text: "a\n", err: ""},
	} {
		t.Run(c.claim, func(t *testing.T) {
			path := write(t, c.name, c.text)
			got, err := lines(t, path, c.opt)
			if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) || c.err == "" && err != nil {
				t.Errorf("error is %v, want %q", err, c.err)
			}
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
				t.Errorf("got\n%q, want\n%q", got, c.want)
			}
		})
	}
}

func TestBatchesAreBoundedByRowsAndBytes(t *testing.T) {
	text := "a\n" + strings.Repeat("0123456789\n", 100)
	for _, c := range []struct {
		claim string
		opt   Options
		most  int
	}{
		{"rows", Options{BatchRows: 7}, 7},
		{"bytes", Options{BatchBytes: 50}, 5},
	} {
		t.Run(c.claim, func(t *testing.T) {
			r, err := Open(t.Context(), write(t, "a.csv", text), c.opt)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			total := 0
			for b, err := r.Next(t.Context()); err != io.EOF; b, err = r.Next(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				total += b.Rows()
				if b.Rows() > c.most {
					t.Errorf("a batch has %d rows, want at most %d", b.Rows(), c.most)
				}
			}
			if total != 100 {
				t.Errorf("read %d rows, want 100", total)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		claim, name, text, want string
		opt                     Options
	}{
		{"an unknown ending", "a.xlsx", "x", `unknown file format ".xlsx": use .csv`, Options{}},
		{"a packed Parquet file", "a.parquet.gz", "x", "unpack .parquet files first", Options{}},
		{"a short Parquet file", "a.parquet", "PAR1", "it has 4 bytes: not a Parquet file", Options{}},
		{"another file named Parquet", "a.parquet", "driver_id,conv_rate\n", `it begins with "driv"`, Options{}},
		{"a Parquet file cut short", "a.parquet", "PAR1xxxxxxxxxxxxxx", "the file is cut short", Options{}},
		{"a Parquet footer of noise", "a.parquet", "PAR1xxxxxxxxx\x04\x00\x00\x00PAR1", "read ", Options{}},
		{"an Arrow file of noise", "a.arrow", "ARROW1xxxxxxxxxxxxxxxxxxxxx", "not Arrow IPC, or cut short", Options{}},
		{"Feather version 1", "a.feather", "FEA1xxxxxxxxxxx", "Feather version 1", Options{}},
		{"an Arrow file cut to nothing", "a.arrow", "A", "too short", Options{}},
		{"text named gzip", "a.csv.gz.csv.gz", "", "", Options{BatchRows: -1}},
		{"faults of Options, all of them", "a.csv", "a\n", "MaxRowBytes is -1", Options{MaxRowBytes: -1, TimeLayouts: []string{"15:04"}, Columns: []Want{{Name: "a"}, {Name: "a"}}}},
	} {
		t.Run(c.claim, func(t *testing.T) {
			path := write(t, c.name, c.text)
			r, err := Open(t.Context(), path, c.opt)
			if err == nil {
				r.Close()
				t.Fatal("opened it")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want the path and %q", err, c.want)
			}
		})
	}
	if _, err := Open(t.Context(), write(t, "a.txt", ""), Options{}); !errors.Is(err, ErrUnknownFormat) {
		t.Errorf("got %v, want ErrUnknownFormat", err)
	}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "none.csv"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
	plain := write(t, "a.csv", "a\n1\n")
	if err := os.Rename(plain, plain+".gz"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), plain+".gz", Options{}); err == nil || !strings.Contains(err.Error(), "it is not gzip") {
		t.Errorf("got %v, want that it is not gzip", err)
	}
}

// TestValuesOfText is the table of what text becomes, and of what it does not.
func TestValuesOfText(t *testing.T) {
	for _, c := range []struct{ text, typ, want string }{
		{" 17850.0", "int64", "17850"},
		{"17850.5", "int64", "!is not an int64"},
		{"3000000000", "int32", "!is not an int32"},
		{"0.1", "float32", "0.1"},
		{"1e39", "float32", "!is not a float32"},
		{"NaN", "float64", "NaN"},
		{"-inf", "float64", "-Inf"},
		{"0x10", "float64", "!is not a float64"},
		{"TRUE", "bool", "true"},
		{"yes", "bool", "!write true or false"},
		{"12.50", "decimal", "12.50"},
		{"YWI=", "bytes", "6162"},
		{"not base64", "bytes", "!is not base64"},
		{"123e4567-e89b-12d3-a456-426614174000", "uuid", "123e4567-e89b-12d3-a456-426614174000"},
		{`{"a": 1}`, "json", `{"a": 1}`},
		{`{"a"`, "json", "!is not a JSON document"},
		{"[1,2]", "vector<float32,2>", "[1 2]"},
		{"[1]", "vector<float32,2>", "!it has 1 elements, want 2"},
		{"1,2", "list<int64>", "!write it as a JSON list"},
		{"2026-08-21T10:59:42.5+02:00", "timestamp", "2026-08-21T08:59:42.5Z"},
		{"2026-08-21 10:59:42+00:00", "timestamp", "2026-08-21T10:59:42Z"},
		{"0001-01-01", "timestamp", "!outside 1677"},
		{"1700000000", "timestamp", "!is not a time such as"},
	} {
		t.Run(c.typ+"/"+c.text, func(t *testing.T) {
			typ, err := feature.ParseType(c.typ)
			if err != nil {
				t.Fatal(err)
			}
			v, err := fromText(c.text, typ, nil)
			got := v.String()
			if err != nil {
				got = "!" + err.Error()
			}
			if want, failing := strings.CutPrefix(c.want, "!"); got != c.want && !(failing && err != nil && strings.Contains(got, want)) {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if err == nil && v.Type() != typ {
				t.Errorf("got type %s, want %s", v.Type(), typ)
			}
		})
	}
}
