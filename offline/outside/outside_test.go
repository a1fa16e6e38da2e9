package outside

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

// TestMain lets tests run this binary as the child: the real one, or one that fails
// in a way of its own.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 {
		if child, ok := children[os.Args[1]]; ok {
			child()
			return
		}
	}
	os.Exit(m.Run())
}

var children = map[string]func(){
	Command: func() {
		if err := Serve(context.Background(), os.Stdin, os.NewFile(3, "file"), os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	},
	"panics": func() { panic("index out of range [7] with length 3") },
	"hogs": func() {
		if err := limitProcess(16 << 20); err != nil {
			panic(err)
		}
		var held [][]byte
		for {
			b := bytes.Repeat([]byte{1}, 32<<20)
			held = append(held, b)
			if len(held) > 256 {
				os.Exit(7) // 8 GiB: nothing limits it
			}
		}
	},
	"priorities": printPriorities,
	"silent":     func() { <-time.After(time.Hour) },
	"nonsense":   func() { fmt.Print("hello, this is no frame at all, whatever it is") },
	"stops": func() { // a good beginning, and no end
		out := &frames{out: bufio.NewWriter(os.Stdout)}
		out.write(frameOpened, opened{}, nil)
		out.write(frameBatch, Batch{Through: 5}, nil)
		_ = out.flush()
	},
	"dies of name": func() {
		var r Request
		if err := json.NewDecoder(os.Stdin).Decode(&r); err != nil {
			panic(err)
		}
		out := &frames{out: bufio.NewWriter(os.Stdout)}
		if r.Probe != "" && r.Probe != "name" {
			out.write(frameEnd, struct{}{}, nil)
			_ = out.flush()
			return
		}
		out.write(frameOpened, opened{Groups: []int64{100, 100, 100}, Columnar: true}, nil)
		out.write(frameBatch, Batch{Through: 120}, nil)
		_ = out.flush()
		panic("slice bounds out of range")
	},
	"skips": func() { // its batches leave a gap
		out := &frames{out: bufio.NewWriter(os.Stdout)}
		out.write(frameBatch, Batch{Through: 5}, nil)
		out.write(frameBatch, Batch{After: 6, Through: 9}, nil)
		out.write(frameEnd, struct{}{}, nil)
		_ = out.flush()
	},
}

func childConfig(mode string) Config {
	return Config{Program: os.Args[0], Args: []string{os.Args[0], mode}}
}

func write(t testing.TB, name, text string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return open(t, path)
}

func open(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

var driverRequest = Request{
	Columns: []Column{
		{Name: "driver_id", Column: "id", Type: "int64", Key: true, Named: true},
		{Name: "rate", Column: "rate", Type: "float64"},
		{Name: "trips", Column: "trips", Type: "int64", SkipNull: true},
	},
	EventTime: "at",
}

// readOut returns all batches of a file, or those before an error.
func readOut(t testing.TB, cfg Config, f *os.File, r Request) ([]*Batch, error) {
	t.Helper()
	if r.Name == "" {
		r.Name = filepath.Base(f.Name())
	}
	rows, err := Open(t.Context(), cfg, f, r)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Batch
	for {
		b, err := rows.Next(t.Context())
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			if _, again := rows.Next(t.Context()); !errors.Is(again, err) {
				t.Errorf("after %v, Next returned %v", err, again)
			}
			return out, err
		}
		out = append(out, b)
	}
}

const drivers = `id,at,rate,trips
1,2026-08-01T00:00:00Z,0.5,3
2,2026-08-02T00:00:00Z,,
3,never,0.5,1
,2026-08-02T00:00:00Z,1,1
4,,1,1
5,2026-08-03T00:00:00Z,0.25,
6,2026-08-04T00:00:00Z,x,1
7,2026-08-05T00:00:00Z,7,7
`

func TestEveryRowIsARowOrAFault(t *testing.T) {
	got, err := readOut(t, childConfig(Command), write(t, "a.csv", drivers), driverRequest)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 {
		t.Fatalf("%d batches, want one", len(got))
	}
	b := got[0]
	if want := []int64{2, 3, 7, 9}; !slices.Equal(b.At, want) || b.Rows != 4 || b.Through != 9 || b.After != 0 {
		t.Errorf("rows at %v, %d of them, after %d through %d; want %v", b.At, b.Rows, b.After, b.Through, want)
	}
	want := `"rows":[{"driver_id":1,"rate":0.5,"trips":3,"event_time":"2026-08-01T00:00:00Z"},{"driver_id":2,"rate":null,"event_time":"2026-08-02T00:00:00Z"},` +
		`{"driver_id":5,"rate":0.25,"event_time":"2026-08-03T00:00:00Z"},{"driver_id":7,"rate":7,"trips":7,"event_time":"2026-08-05T00:00:00Z"}]`
	if string(b.Body) != want {
		t.Errorf("the body is\n%s\nwant\n%s", b.Body, want)
	}
	var places []string
	for _, f := range b.Faults {
		places = append(places, f.Place("a.csv"))
	}
	wantPlaces := []string{"a.csv:4: column at", "a.csv:5: column id", "a.csv:6: column at", "a.csv:8: column rate"}
	if !slices.Equal(places, wantPlaces) || b.BadRows != 4 {
		t.Errorf("%d faults at %q, want %q", b.BadRows, places, wantPlaces)
	}
}

func TestAWindowSelectsByEventTime(t *testing.T) {
	r := driverRequest
	r.Window = true
	r.From = time.Date(2026, 8, 2, 0, 0, 0, 0, time.UTC).UnixNano() // included
	r.To = time.Date(2026, 8, 5, 0, 0, 0, 0, time.UTC).UnixNano()   // not included
	got, err := readOut(t, childConfig(Command), write(t, "a.csv", drivers), r)
	if err != nil {
		t.Fatal(err)
	}
	if b := got[0]; !slices.Equal(b.At, []int64{3, 7}) || b.Beside != 2 || b.BadRows != 4 {
		t.Errorf("rows at %v, %d beside, %d bad", b.At, b.Beside, b.BadRows)
	}
	r.From, r.To = r.To, r.From
	if _, err := readOut(t, childConfig(Command), write(t, "a.csv", drivers), r); err == nil || !strings.Contains(err.Error(), "is not before") {
		t.Errorf("a window that ends before it begins gives %v", err)
	}
}

// TestBatchesEndAtCuts: rows after After alone, each in one batch, whatever the cuts.
func TestBatchesEndAtCuts(t *testing.T) {
	var text strings.Builder
	text.WriteString("id,at,rate\n")
	for i := range 100 {
		fmt.Fprintf(&text, "%d,2026-08-01T00:00:00Z,1\n", i)
	}
	f := write(t, "a.csv", text.String())
	for _, r := range []Request{
		{}, {After: 31}, {Cuts: []int64{7, 8, 50, 95}}, {After: 31, Cuts: []int64{31, 32, 64}}, {After: 50, Cuts: []int64{10, 101, 300}},
		{LeaveOut: []int64{2, 40, 101}},
	} {
		r.Columns, r.EventTime, r.BatchRows = driverRequest.Columns, "at", 30
		got, err := readOut(t, childConfig(Command), f, r)
		if err != nil {
			t.Fatal(err)
		}
		var at []int64
		through := r.After
		for _, b := range got {
			if b.After != through {
				t.Fatalf("a batch begins after %d, want %d", b.After, through)
			}
			through = b.Through
			at = append(at, b.At...)
			for _, cut := range r.Cuts {
				if b.After < cut && cut < b.Through {
					t.Errorf("a batch after %d through %d goes over the cut %d", b.After, b.Through, cut)
				}
			}
		}
		var want []int64
		for line := max(2, r.After+1); line <= 101; line++ {
			if !slices.Contains(r.LeaveOut, line) {
				want = append(want, line)
			}
		}
		if !slices.Equal(at, want) || through != 101 {
			t.Errorf("after %d with cuts %v there are rows at %v, through %d", r.After, r.Cuts, at, through)
		}
	}
}

func TestCheckingCountsTheSame(t *testing.T) {
	r := driverRequest
	r.Check = true
	got, err := readOut(t, childConfig(Command), write(t, "a.csv", drivers), r)
	if err != nil {
		t.Fatal(err)
	}
	if b := got[0]; b.Rows != 4 || b.BadRows != 4 || len(b.Body) > 0 || len(b.At) > 0 || b.Through != 9 {
		t.Errorf("it is %+v", b)
	}
}

func TestRowsOfABatchAreOrderedByCreation(t *testing.T) {
	r := driverRequest
	r.Created = "made"
	f := write(t, "a.csv", "id,at,rate,made\n1,2026-08-01,3,2026-08-09\n1,2026-08-01,1,2026-08-07\n1,2026-08-01,0,\n1,2026-08-01,2,2026-08-08\n")
	got, err := readOut(t, childConfig(Command), f, r)
	if err != nil {
		t.Fatal(err)
	}
	if want := []int64{4, 3, 5, 2}; !slices.Equal(got[0].At, want) {
		t.Errorf("they come as %v, want %v", got[0].At, want)
	}
}

// TestRowsOutOfOrderAreFound: across batches the file's order has to be that of
// creation, of rows of one key and event time.
func TestRowsOutOfOrderAreFound(t *testing.T) {
	const text = "id,at,rate,made\n" +
		"1,2026-08-01,3,2026-08-09\n2,2026-08-01,1,2026-08-07\n" + // a batch
		"1,2026-08-01,1,2026-08-08\n1,2026-08-02,1,2026-08-07\n" + // before the first; of another time
		"2,2026-08-01,1,2026-08-07\n2,2026-08-01,1,\n" + // of the same; of none
		"1,2026-08-01,1,2026-08-10\n3,2026-08-01,1,2026-08-01\n"
	f := write(t, "a.csv", text)
	for after, want := range map[int64]string{0: "[4 7]", 5: "[7]"} {
		r := driverRequest
		r.Created, r.BatchRows, r.Check, r.After = "made", 2, true, after
		got, err := readOut(t, childConfig(Command), f, r)
		if err != nil {
			t.Fatal(err)
		}
		var places []int64
		for _, b := range got {
			for _, fault := range b.Faults {
				places = append(places, fault.At)
				if fault.Column != "made" || !strings.Contains(fault.Message, "created later") {
					t.Errorf("the fault is %+v", fault)
				}
			}
		}
		if fmt.Sprint(places) != want {
			t.Errorf("after %d, rows at %v are out of order, want %s", after, places, want)
		}
	}
}

func TestWhatAFileLacksIsNamed(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a.csv", "at,rate\n", "a.csv has no column id for join key driver_id; it has at, rate"},
		{"a.csv", "id,rate\n", "a.csv has no column at of event times"},
		{"a.csv", "id,at,other\n", "a.csv has no column of a feature of the view; it has id, at, other"},
		{"a.csv", "", "a.csv: it is empty"},
		{"a.csv", "id,at,rate\n1,\"2026", "a.csv"},
		{"a.parquet", "PAR1 and so on", "it ends with"},
		{"a.parquet", "id,at", "not a Parquet file"},
		{"a.arrow", "ARROW1xxxxxxxxxxxxxxxxxxxxxxx", "a.arrow"},
		{"a.txt", "x", "unknown file format"},
	} {
		_, err := readOut(t, childConfig(Command), write(t, c.name, c.text), driverRequest)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q gives %v, want %q", c.text, err, c.want)
		}
	}
}

// TestTheDeathOfTheChildIsAnError is OU1, and OU2 for the one that hogs memory.
func TestTheDeathOfTheChildIsAnError(t *testing.T) {
	for mode, want := range map[string]string{
		"panics":   "panic: index out of range [7] with length 3",
		"hogs":     "out of memory",
		"silent":   "it said nothing for",
		"nonsense": "a.csv",
		"stops":    "it ended in the middle",
		"skips":    "answers nonsense",
	} {
		t.Run(mode, func(t *testing.T) {
			cfg := childConfig(mode)
			if mode == "silent" {
				cfg.Silence = 50 * time.Millisecond
			}
			_, err := readOut(t, cfg, write(t, "a.csv", drivers), driverRequest)
			if mode == "hogs" && err != nil && strings.Contains(err.Error(), "SIGABRT") {
				want = "SIGABRT" // what there was no memory for was a thread
			}
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "a.csv") {
				t.Fatalf("it gives %v, want %q", err, want)
			}
			if mode == "stops" && !strings.Contains(err.Error(), "after line 5") {
				t.Errorf("it does not say where: %v", err)
			}
		})
	}
}

func TestAProgramThatIsNotThere(t *testing.T) {
	_, err := readOut(t, Config{Program: "/nowhere/featurestore", Args: []string{"x"}}, write(t, "a.csv", drivers), driverRequest)
	if err == nil || !strings.Contains(err.Error(), "a.csv") {
		t.Errorf("it gives %v", err)
	}
}

// TestCancelEndsTheChild: Next returns, and Close finds it ended.
func TestCancelEndsTheChild(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := driverRequest
	r.Name = "a.csv"
	rows, err := Open(ctx, childConfig("silent"), write(t, "a.csv", drivers), r)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := rows.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Next returned %v", err)
	}
	rows.Close()
	if rows.child.ProcessState == nil {
		t.Error("the child has not ended")
	}
}

// parquetFile writes rows of drivers in row groups.
func parquetFile(t testing.TB, rows, group int) []byte {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "at", Type: arrow.FixedWidthTypes.Timestamp_us},
		{Name: "rate", Type: arrow.PrimitiveTypes.Float64, Nullable: true}, {Name: "name", Type: arrow.BinaryTypes.String},
	}, nil)
	b := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
	defer b.Release()
	for i := range rows {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(1_785_000_000_000_000 + int64(i)))
		b.Field(2).(*array.Float64Builder).Append(float64(i) / 7)
		b.Field(3).(*array.StringBuilder).Append(fmt.Sprintf("driver %d", i*7919))
	}
	record := b.NewRecord()
	defer record.Release()
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out, parquet.NewWriterProperties(parquet.WithMaxRowGroupLength(int64(group)), parquet.WithCompression(compress.Codecs.Snappy)), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(record), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestADamagedPageNamesRowGroupAndColumn damages a file in hundreds of places: what is
// found out names the file, and where it is in a page, row group and column.
func TestADamagedPageNamesRowGroupAndColumn(t *testing.T) {
	good := parquetFile(t, 3000, 1000)
	r := driverRequest
	r.Columns = append(slices.Clone(r.Columns), Column{Name: "name", Column: "name", Type: "string"})
	whole, err := readOut(t, childConfig(Command), write(t, "a.parquet", string(good)), r)
	if err != nil || len(whole) == 0 {
		t.Fatalf("the whole file gives %d batches and %v", len(whole), err)
	}
	var rows map[string][]json.RawMessage
	if err := json.Unmarshal(bytes.TrimPrefix(whole[0].Body, []byte(`"columns":`)), &rows); err != nil || len(rows["driver_id"]) != int(whole[0].Rows) {
		t.Fatalf("the body holds %d rows of %d, %v", len(rows["driver_id"]), whole[0].Rows, err)
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	found := map[string]int{}
	for range 100 {
		bad := slices.Clone(good)
		at := 4 + random.IntN(len(bad)-16)
		for i := range 8 {
			bad[at+i] = byte(random.Uint32())
		}
		_, err := readOut(t, childConfig(Command), write(t, "bad.parquet", string(bad)), r)
		var fault *FileError
		switch {
		case err == nil:
			found["silent"]++ // a value is another one: the format has no checksum here
			continue
		case errors.As(err, &fault) && fault.Died:
			found["deaths"]++
		case fault != nil:
			found["pages"]++
		default:
			found["others"]++
		}
		if !strings.Contains(err.Error(), "bad.parquet") || fault != nil && fault.Group < 0 {
			t.Errorf("seed %d, damage at byte %d: %v", seed, at, err)
		}
		if fault != nil && fault.Column != "" {
			found["columns"]++
		}
	}
	t.Logf("seed %d: %v", seed, found)
	if found["pages"] == 0 || found["columns"] == 0 {
		t.Errorf("seed %d: %v: the test met no damaged page", seed, found)
	}
}

// TestTheColumnThatEndsTheProcessIsNamed has a child that dies of one column.
func TestTheColumnThatEndsTheProcessIsNamed(t *testing.T) {
	_, err := readOut(t, childConfig("dies of name"), write(t, "a.parquet", string(parquetFile(t, 300, 100))), Request{
		Columns:   []Column{{Name: "driver_id", Column: "id", Type: "int64", Key: true}, {Name: "rate", Column: "rate", Type: "float64"}, {Name: "name", Column: "name", Type: "string"}},
		EventTime: "at",
	})
	var fault *FileError
	if !errors.As(err, &fault) || !fault.Died || fault.Group != 1 || fault.After != 120 || fault.Column != "name" {
		t.Fatalf("it gives %+v: %v", fault, err)
	}
	want := "read a.parquet: the file is damaged, or too large for the memory that reading may take: the process that read it died after row 120, in row group 1, column name: exit status 2: panic: slice bounds out of range"
	if err.Error() != want {
		t.Errorf("it says\n%s\nwant\n%s", err, want)
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	err := Config{MemoryBytes: -1, Silence: -1, Args: []string{"x"}}.Validate()
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v", err)
	}
}

func FuzzFrames(f *testing.F) {
	good, err := appendFrame(nil, frameBatch, Batch{Through: 3, Rows: 1}, []byte(`"rows":[]`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:7])
	f.Add([]byte("b\x00\x00\x00\x04\x00\x00\x00\x05"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		in := bytes.NewReader(stream)
		for {
			kind, headers, body, err := readFrame(in)
			if err != nil {
				return
			}
			if len(headers)+len(body) > len(stream) {
				t.Fatal("more came out than went in")
			}
			var value json.RawMessage
			if json.Unmarshal(headers, &value) != nil {
				continue
			}
			again, err := appendFrame(nil, kind, value, body)
			if err != nil {
				t.Fatal(err)
			}
			k, _, b, err := readFrame(bytes.NewReader(again))
			if err != nil || k != kind || !bytes.Equal(b, body) {
				t.Fatalf("a frame that was read and written is another one: %v", err)
			}
		}
	})
}
