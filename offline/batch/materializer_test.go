package batch

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/jobs"
)

var stats = Request{Views: []string{"stats"}}

func TestEachRowIsWrittenOnce(t *testing.T) {
	w := newWorld(t)
	w.write("a.csv", lines(1, 2, 3, 1))
	w.write("b.jsonl", `{"id": 1, "at": "2020-01-01T00:00:00Z", "trips": 5}`+"\n")
	if d := w.done(stats); d.Rows != 5 || d.Files != 2 || d.FilesDone != 2 || d.FilesUnchanged != 0 {
		t.Errorf("the first run did %+v", d)
	}
	want := map[int64]int64{1: 7, 2: 1, 3: 1}
	w.wantTotals(want)
	pushes := w.edge.pushes
	if d := w.done(stats); d.Rows != 0 || d.FilesUnchanged != 2 || w.edge.pushes != pushes {
		t.Errorf("the second run did %+v in %d pushes", d, w.edge.pushes-pushes)
	}
	// A late row, by its event time, in a new file.
	w.write("c.csv", "id,at,trips\n9,1999-01-01,2\n")
	if d := w.done(stats); d.Rows != 1 || d.FilesUnchanged != 2 {
		t.Errorf("the third run did %+v", d)
	}
	want[9] = 2
	w.wantTotals(want)
}

// TestAFileIsKnownByItsContents is BA2, case by case.
func TestAFileIsKnownByItsContents(t *testing.T) {
	w := newWorld(t)
	in := func(name string) string { return filepath.Join(w.dir, "in", name) }
	w.write("a.csv", lines(1, 2, 3))
	w.done(stats)
	want := map[int64]int64{1: 1, 2: 1, 3: 1}
	step := func(what string, rows int64) {
		t.Helper()
		if d := w.done(stats); rows >= 0 && d.Rows != rows {
			t.Errorf("%s: %d rows were pushed, want %d", what, d.Rows, rows)
		}
		w.wantTotals(want)
	}
	// Another time alone.
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(in("a.csv"), later, later); err != nil {
		t.Fatal(err)
	}
	step("touched", 0)
	// Renamed, and copied.
	if err := os.Rename(in("a.csv"), in("b.csv")); err != nil {
		t.Fatal(err)
	}
	step("renamed", -1)
	w.write("c.csv", lines(1, 2, 3))
	step("copied", -1)
	// Grown by whole lines.
	w.write("b.csv", lines(1, 2, 3, 4, 4))
	want[4] = 2
	step("grown", 2)
	w.write("b.csv", lines(1, 2, 3, 4, 4, 5))
	want[5] = 1
	step("grown again", 1)
	// Replaced: another file.
	w.write("b.csv", lines(6, 2))
	want[6], want[2] = 1, want[2]+1
	step("replaced", 2)
	// And back again: those rows were written.
	w.write("b.csv", lines(1, 2, 3))
	step("put back", -1)
}

// Files that began alike, as by a header alone, go on apart (BA2).
func TestFilesThatBeganAlikeGoOnApart(t *testing.T) {
	for _, began := range [][]int{nil, {1, 2}} {
		w := newWorld(t)
		want := map[int64]int64{}
		for _, id := range began {
			want[int64(id)] = 1 // the two are copies
		}
		w.write("a.csv", lines(began...))
		w.write("b.csv", lines(began...))
		w.done(stats)
		w.write("a.csv", lines(append(slices.Clone(began), 71)...))
		want[71] = 1
		w.done(stats)
		w.wantTotals(want)
		w.write("b.csv", lines(append(slices.Clone(began), 72)...))
		want[72] = 1
		w.done(stats)
		w.write("a.csv", lines(append(slices.Clone(began), 71, 73, 74)...))
		w.write("b.csv", lines(append(slices.Clone(began), 72, 75)...))
		want[73], want[74], want[75] = 1, 1, 1
		w.done(stats)
		w.wantTotals(want)
	}
}

// A file that grew and has another name then is known, and so is its copy; what grew
// before all of it was written is finished first (BA2).
func TestAGrownFileIsKnownByItsContents(t *testing.T) {
	w := newWorld(t)
	in := func(name string) string { return filepath.Join(w.dir, "in", name) }
	w.write("a.csv", lines(1, 2))
	w.done(stats)
	w.write("a.csv", lines(1, 2, 3, 4))
	w.done(stats)
	want := map[int64]int64{1: 1, 2: 1, 3: 1, 4: 1}
	w.wantTotals(want)
	if err := os.Rename(in("a.csv"), in("z.csv")); err != nil {
		t.Fatal(err)
	}
	w.write("copy.csv", lines(1, 2, 3, 4))
	w.done(stats)
	w.wantTotals(want)
	w.write("z.csv", lines(1, 2, 3, 4, 5))
	w.write("copy.csv", lines(1, 2, 3, 4, 5))
	want[5] = 1
	w.done(stats)
	w.wantTotals(want)
}

func TestALineThatGrowsIsAnError(t *testing.T) {
	w := newWorld(t)
	w.write("a.csv", "id,at,trips\n1,2026-08-01,1\n2,2026-08-01,1")
	w.done(stats)
	w.write("a.csv", "id,at,trips\n1,2026-08-01,1\n2,2026-08-01,10\n3,2026-08-01,1\n")
	j, err := w.run(stats)
	if err != nil || j.State != jobs.Failed || !strings.Contains(j.Err.Error(), "in/a.csv grew within its last line, after byte 41") {
		t.Fatalf("it is %s: %v, %v", j.State, j.Err, err)
	}
	w.wantTotals(map[int64]int64{1: 1, 2: 1})
}

// TestABadRowIsFoundBeforeAnyIsWritten is BA3.
func TestABadRowIsFoundBeforeAnyIsWritten(t *testing.T) {
	w := newWorld(t)
	var good []int
	for i := range 50 {
		good = append(good, i+1)
	}
	w.write("a.csv", lines(good...)+"51,never,1,1\n52,2026-08-01,x,1\n53,2026-08-01,1,1\n")
	j, err := w.run(stats)
	if err != nil {
		t.Fatal(err)
	}
	var p *api.Problem
	if !errors.As(j.Err, &p) || p.Code != api.CodeBatchSource || p.BadRows != 2 || len(p.Problems) != 2 ||
		!strings.Contains(p.Detail, "in/a.csv:52: column at") || !strings.Contains(p.Detail, "in/a.csv:53: column trips") {
		t.Fatalf("it is %s: %+v", j.State, p)
	}
	w.wantTotals(map[int64]int64{})
	d := w.done(Request{Views: []string{"stats"}, SkipBadRows: true})
	if d.Rows != 51 || d.BadRows != 2 || len(d.Faults) != 2 {
		t.Errorf("with bad rows left out it did %+v", d)
	}
	if w.edge.totals[53] != 1 || w.edge.totals[50] != 1 {
		t.Error("a good row was left out")
	}
}

// TestRowsThatTheStoreRefusesAreNamed: the store has rules of its own.
func TestRowsThatTheStoreRefusesAreNamed(t *testing.T) {
	w := newWorld(t)
	w.edge.refuse = 13
	w.write("a.csv", lines(1, 2, 3, 4, 5, 6, 7, 8, 13, 9, 13, 10))
	j, err := w.run(stats)
	if err != nil || j.State != jobs.Failed {
		t.Fatalf("it is %s, %v", j.State, err)
	}
	for _, want := range []string{"2 rows are bad", "in/a.csv:10: column at: event time too far", "in/a.csv:12: column at", "the rows of in/a.csv up to 8 are stored"} {
		if !strings.Contains(j.Err.Error(), want) {
			t.Errorf("%v does not say %q", j.Err, want)
		}
	}
	if d := w.done(Request{Views: []string{"stats"}, SkipBadRows: true}); d.BadRows != 2 || len(d.Faults) != 2 {
		t.Errorf("with them left out it did %+v", d)
	}
	want := map[int64]int64{}
	for i := range 10 {
		want[int64(i+1)] = 1
	}
	w.wantTotals(want)
}

func TestAWindowWritesAgain(t *testing.T) {
	w := newWorld(t)
	w.write("a.csv", "id,at,trips,rate\n1,2026-08-01,1,1\n2,2026-08-02,1,1\n3,2026-08-03,1,1\n")
	w.done(stats)
	window := Request{
		Views: []string{"stats"}, Window: true,
		From: time.Date(2026, 8, 2, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 8, 3, 0, 0, 0, 0, time.UTC),
	}
	if _, err := w.run(window); err == nil || !strings.Contains(err.Error(), "trips under the rule counter") {
		t.Errorf("over a counter it gives %v", err)
	}
	window.Again = true
	for range 2 {
		if d := w.done(window); d.Rows != 1 || d.BesideRows != 2 {
			t.Errorf("it did %+v", d)
		}
	}
	w.wantTotals(map[int64]int64{1: 1, 2: 3, 3: 1})
	// The window left no mark: the rest goes on as before.
	w.write("a.csv", "id,at,trips,rate\n1,2026-08-01,1,1\n2,2026-08-02,1,1\n3,2026-08-03,1,1\n4,2026-08-02,1,1\n")
	w.done(stats)
	w.wantTotals(map[int64]int64{1: 1, 2: 3, 3: 1, 4: 1})
}

// A window writes nothing where one of its files is bad, for it would write the others
// again (BA3).
func TestAWindowWritesNothingWhereAFileIsBad(t *testing.T) {
	w := newWorld(t)
	w.write("a.csv", lines(1, 2))
	w.write("b.csv", lines(3)+"x,2026-08-01,1,1\n")
	from := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	j, err := w.run(Request{Window: true, Again: true, From: from, To: from.AddDate(100, 0, 0)})
	if err != nil || j.State != jobs.Failed || !strings.Contains(j.Err.Error(), "b.csv:3") {
		t.Errorf("it is %s: %v, %v", j.State, j.Err, err)
	}
	w.wantTotals(map[int64]int64{})
}

func TestRequestsThatMakeNoSense(t *testing.T) {
	w := newWorld(t)
	day := time.Date(2026, 8, 2, 0, 0, 0, 0, time.UTC)
	for want, r := range map[string]Request{
		"did you mean \"stats\"":          {Views: []string{"stat"}},
		"view pushed has no batch_source": {Views: []string{"pushed"}},
		"is not before":                   {Window: true, From: day, To: day},
	} {
		_, err := w.run(r)
		if err == nil || !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "stats") {
			t.Errorf("%+v gives %v, want %q", r, err, want)
		}
	}
	j, err := w.run(Request{})
	if err != nil || j.State != jobs.Failed || !strings.Contains(j.Err.Error(), "names no file") {
		t.Errorf("an empty folder gives %s: %v, %v", j.State, j.Err, err)
	}
}

func TestWhatPassesIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.write("a.csv", lines(1, 2, 3))
	fails := 3
	w.edge.fault = func(stored bool) error {
		if fails--; fails >= 0 {
			return api.Problemf(api.CodeOverloaded, "", "too much")
		}
		return nil
	}
	w.done(stats)
	w.wantTotals(map[int64]int64{1: 1, 2: 1, 3: 1})
	// What does not pass is told at once.
	w.write("b.csv", lines(4))
	w.edge.fault = func(bool) error { return api.Problemf(api.CodeReadOnly, "", "no room") }
	w.m.cfg.RetryFor = time.Millisecond
	j, err := w.run(stats)
	if err != nil || !errors.Is(j.Err, api.CodeReadOnly) || !strings.Contains(j.Err.Error(), "view stats") {
		t.Errorf("it is %s: %v, %v", j.State, j.Err, err)
	}
}

// TestAnyInterruptionLosesNothingAndRepeatsNothing draws files that come, grow and are
// replaced, and runs that are broken off before a push or after it was stored, which
// nobody is told. In the end each row of each file was written once.
func TestAnyInterruptionLosesNothingAndRepeatsNothing(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	broken := 0
	for range 15 {
		w := newWorld(t)
		want := map[int64]int64{}
		files := map[string][]int{}
		for step := range 6 {
			name := fmt.Sprintf("%d.csv", random.IntN(3))
			rows := files[name]
			if random.IntN(4) == 0 && rows != nil { // replaced
				rows = nil
			}
			if rows == nil {
				rows = []int{1000 + step*17 + random.IntN(1_000_000)} // no two files begin alike
				want[int64(rows[0])]++
			}
			for range random.IntN(40) {
				d := random.IntN(30)
				rows = append(rows, d)
				want[int64(d)]++
			}
			files[name] = rows
			w.write(name, lines(rows...))
			left := random.IntN(12)
			w.edge.fault = func(bool) error {
				switch left--; {
				case left != 0:
					return nil
				case random.IntN(2) == 0:
					w.edge.cancel()
					return nil
				}
				return errGone
			}
			w.m.cfg.BatchRows = 1 + random.IntN(20) // as after another version was installed
			if random.IntN(2) == 0 {
				w.edge.requests = map[string]bool{} // they are forgotten after a day
			}
			j, err := w.run(stats)
			if err != nil {
				t.Fatal(err)
			}
			if j.State == jobs.Failed && !strings.Contains(j.Err.Error(), errGone.Error()) {
				t.Fatalf("seed %d: %v", seed, j.Err)
			}
			if j.State != jobs.Done {
				broken++
				w.edge.fault = nil
				w.done(stats) // before the files change again: what is replaced unread is gone
			}
			w.wantTotals(want)
			if t.Failed() {
				t.Fatalf("seed %d, step %d", seed, step)
			}
		}
	}
	if broken < 5 {
		t.Errorf("seed %d: only %d runs were broken off", seed, broken)
	}
}

func TestNotesAreReadBack(t *testing.T) {
	n := note{ID: markID(7, "file", []byte("x")), SizeBytes: 5, Modified: -1, Tag: "etag", Sum: []byte{1, 2}, Whole: true, Through: 9}
	text, err := n.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeNote(text)
	if err != nil || fmt.Sprint(*got) != fmt.Sprint(n) {
		t.Errorf("got %+v, %v", got, err)
	}
	// What version 1 wrote.
	const old = "\x01" + `{"ID":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16],"SizeBytes":5,"Modified":3,"Tag":"","Sum":"AQI=","Whole":true,"Through":9}`
	if got, err = decodeNote([]byte(old)); err != nil || got.Through != 9 || got.ID[15] != 16 || !got.Whole || len(got.Sum) != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := decodeNote([]byte("\x02{}")); err == nil || !strings.Contains(err.Error(), "begins with 02, want 01") {
		t.Errorf("another format gives %v", err)
	}
	if a, b := markID(1, "file", []byte("x")), markID(2, "file", []byte("x")); a == b {
		t.Error("two views share an id")
	}
	id := markID(1, "note", []byte("x"))
	if back, err := feature.ParseMarkID(id.String()); err != nil || back != id {
		t.Errorf("an id is read back as %v, %v", back, err)
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	err := Config{BatchRows: -1, RetryFor: -1}.Validate()
	if err == nil || strings.Count(err.Error(), "\n") != 5 {
		t.Errorf("got %v", err)
	}
}
