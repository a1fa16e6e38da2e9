package verify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/hlc"
	"featurestore/offline/history"
	"featurestore/offline/served"
	"featurestore/offline/training"
	"featurestore/replication/oplog"
)

// VF1, VF3, VF4: of what was served nothing is a defect, whatever came meanwhile; every
// cell is compared; and every cause shows.
func TestWhatWasServedIsNoDefect(t *testing.T) {
	causes := map[training.Cause]int64{}
	for seed := range uint64(3) {
		w := newWorld(t)
		w.live(seed, 600)
		w.follow()
		r := w.verify(Config{History: w.history(&altered{}), Served: w.logged(nil)})
		if r.Logged != int64(len(w.served)) || r.Lookups != r.Logged {
			t.Errorf("%d lookups are verified of %d, %d were served", r.Lookups, r.Logged, len(w.served))
		}
		var cells int64
		for _, f := range r.Features {
			cells += f.Cells
			if f.Compared != f.Cells {
				t.Errorf("of %s:%s %d of %d cells are compared: %v", f.View, f.Feature, f.Compared, f.Cells, f.Untold)
			}
			for c, n := range f.Causes {
				causes[c] += n
			}
		}
		if want := int64(5 * len(w.served)); cells != want {
			t.Errorf("%d cells are counted, want %d", cells, want)
		}
		for _, d := range r.Defects {
			t.Errorf("%s %s:%s of driver %s: served %s, recomputed %s", d.Request, d.View, d.Feature, d.Key, d.Served, d.Recomputed)
		}
	}
	for _, c := range training.Causes() {
		if causes[c] == 0 && c != training.TTL { // of which the next test has a world
			t.Errorf("no cell was served otherwise because of %s", c)
		}
	}
	t.Log(causes)
}

// VF3: worlds in which the cause is known.
func TestCausesAreThoseOfTheWorld(t *testing.T) {
	one := func(v float64) map[string]feature.Value {
		return map[string]feature.Value{"rate": feature.OfFloat64(v)}
	}
	for _, c := range []struct {
		want  training.Cause
		live  func(w *world)
		after func(w *world)
	}{
		{training.Same, func(w *world) { w.push(w.eu, 1, 0, false, one(1)) }, nil},
		{training.ReplicationLag, func(w *world) { w.push(w.eu, 1, time.Second, false, one(1)); w.push(w.us, 1, 0, false, one(2)) }, nil},
		{training.LateData, nil, func(w *world) { w.push(w.eu, 1, time.Minute, false, one(1)) }},
		{training.TTL, func(w *world) { w.push(w.eu, 1, 2*time.Hour, false, one(1)); w.push(w.us, 1, 0, false, one(1)) }, nil},
		{training.Conflict, func(w *world) {
			w.push(w.eu, 1, 0, false, one(1))
			w.now = w.now.Add(time.Second)
			w.push(w.us, 1, time.Second, false, one(2)) // of the same event time, and accepted later
		}, nil},
		{training.HistoryOnly, func(w *world) { w.push(w.eu, 1, 0, true, one(1)) }, nil},
		{training.EarlyData, func(w *world) { w.push(w.eu, 1, -10*time.Second, false, one(1)) }, nil},
	} {
		w := newWorld(t)
		if c.live != nil {
			c.live(w)
		}
		w.lookup(1, 2, false, nil)
		w.now = w.now.Add(30 * time.Second)
		if c.after != nil {
			c.after(w)
		}
		w.follow()
		r := w.verify(Config{History: w.history(&altered{}), Served: w.logged(nil)})
		for _, f := range r.Features {
			want := "map[]"
			if c.want != training.Same && (f.Feature == "rate" || f.Feature == "score") {
				want = fmt.Sprint(map[training.Cause]int64{c.want: 1})
			}
			if fmt.Sprint(f.Causes) != want || f.Compared != 1 || f.Defects != 0 {
				t.Errorf("%s: of %s there are %+v, want %s", c.want, f.Feature, f, want)
			}
		}
	}
}

// VF1: a log that was forged in any way is found out, in that cell.
func TestAForgedLogIsADefect(t *testing.T) {
	w := newWorld(t)
	w.push(w.eu, 1, time.Minute, false, map[string]feature.Value{"rate": feature.OfFloat64(1), "trips": feature.OfInt64(1), "seen": feature.OfInt64(4)})
	w.push(w.us, 1, 0, false, map[string]feature.Value{"rate": feature.OfFloat64(2)})
	w.follow()
	w.lookup(1, 3, false, nil)
	w.lookup(2, 3, false, nil)
	past := w.history(&altered{})
	for name, c := range map[string]struct {
		forge func(l *served.Lookup)
		want  string
	}{
		"nothing":   {func(*served.Lookup) {}, ""},
		"a value":   {func(l *served.Lookup) { l.Rows[0].Cells[0].Value = feature.OfFloat64(1) }, "rate"},
		"a total":   {func(l *served.Lookup) { l.Rows[0].Cells[1].Value = feature.OfInt64(2) }, "trips"},
		"an event":  {func(l *served.Lookup) { l.Rows[0].Cells[2].EventTime++ }, "seen"},
		"a status":  {func(l *served.Lookup) { l.Rows[0].Cells[0].Status = served.OutsideMaxAge }, "rate"},
		"a default": {func(l *served.Lookup) { l.Rows[0].Cells[3].Value = feature.OfInt64(8) }, "rank"},
		"a null": {func(l *served.Lookup) {
			l.Rows[0].Cells[2].Value, l.Rows[0].Cells[2].Status = feature.Value{}, served.NullValue
		}, "seen"},
		"a key":         {func(l *served.Lookup) { l.Rows[0].Key = key(t, 2) }, "rate score seen trips"},
		"a vector":      {func(l *served.Lookup) { l.Rows[0].From, l.Rows[0].Until = hlc.Vector{}, hlc.Vector{} }, "rate score seen trips"},
		"a score":       {func(l *served.Lookup) { l.Rows[1].Cells[1].Value = feature.OfFloat64(5) }, "score"},
		"a demand":      {func(l *served.Lookup) { l.Rows[1].Cells[0].Value = feature.OfFloat64(5) }, "score"},
		"a score's age": {func(l *served.Lookup) { l.Rows[1].Cells[1].EventTime-- }, "score"},
		"a time":        {func(l *served.Lookup) { l.At += int64(2 * time.Hour) }, "rate score seen trips"},
	} {
		r := w.verify(Config{History: past, Served: w.logged(func(all []*served.Lookup) { c.forge(all[0]) })})
		var found []string
		for _, f := range r.Features {
			if f.Defects > 0 {
				found = append(found, f.Feature)
			}
			if f.Defects > 1 {
				t.Errorf("%s forged: %d defects of %s", name, f.Defects, f.Feature)
			}
		}
		sorted := strings.Fields(strings.Join(found, " "))
		if got := strings.Join(sorted, " "); got != sortedWords(c.want) || r.DefectCells() != int64(len(r.Defects)) {
			t.Errorf("%s forged: defects in %q, want %q: %+v", name, got, c.want, r.Defects)
		}
		for _, d := range r.Defects {
			if d.Request != "r0" || d.Served == d.Recomputed {
				t.Errorf("%s forged: %+v", name, d)
			}
		}
	}
}

func sortedWords(s string) string { // by view, then name
	var views []string
	for _, w := range strings.Fields(s) {
		if w != "score" {
			views = append(views, w)
		}
	}
	if strings.Contains(s, "score") {
		views = append(views, "score")
	}
	return strings.Join(views, " ")
}

// VF1: history that lost or changed a row is found out, by each lookup that was served of
// it.
func TestAForgedHistoryIsADefect(t *testing.T) {
	w := newWorld(t)
	w.push(w.eu, 1, time.Minute, false, map[string]feature.Value{"rate": feature.OfFloat64(1)})
	w.lookup(1, 3, false, nil)
	w.push(w.eu, 1, 0, false, map[string]feature.Value{"rate": feature.OfFloat64(2)})
	w.lookup(1, 3, false, nil)
	w.lookup(2, 3, false, nil)
	n := 0
	log := w.logged(nil)
	for name, c := range map[string]struct {
		change func(e *oplog.Entry)
		want   int64 // defects of rate
	}{
		"nothing":        {func(*oplog.Entry) {}, 0},
		"the first lost": {func(e *oplog.Entry) { drop(e, n == 0); n++ }, 1},
		"the last lost":  {func(e *oplog.Entry) { drop(e, n == 1); n++ }, 1},
		"all lost":       {func(e *oplog.Entry) { drop(e, true) }, 2},
		"a value": {func(e *oplog.Entry) {
			if n++; n == 1 {
				cells := append([]feature.Cell(nil), e.Rows[0].Delta.Cells...)
				cells[0].Value = feature.OfFloat64(9)
				e.Rows = []oplog.Row{{View: e.Rows[0].View, Key: e.Rows[0].Key, Delta: feature.Row{Cells: cells}}}
			}
		}, 1},
		"never served": {func(e *oplog.Entry) { e.LogOnly = true }, 2},
	} {
		n = 0
		r := w.verify(Config{History: w.history(&altered{change: c.change}), Served: log})
		for _, f := range r.Features {
			want := c.want
			if f.Feature != "rate" && f.Feature != "score" {
				want = 0
			}
			if f.Defects != want {
				t.Errorf("%s: %d defects of %s, want %d: %+v", name, f.Defects, f.Feature, want, r.Defects)
			}
		}
	}
}

func drop(e *oplog.Entry, yes bool) {
	if yes {
		e.Rows = nil
	}
}

// VF2: what history cannot tell is counted, by reason, and is no defect.
func TestWhatHistoryDoesNotTellIsNoDefect(t *testing.T) {
	w := newWorld(t)
	w.push(w.eu, 1, time.Minute, false, map[string]feature.Value{"rate": feature.OfFloat64(1)})
	early := w.eu.Heads(w.shard(1))[w.eu.Identity().Origin]
	w.now = w.now.Add(time.Second)
	w.push(w.eu, 1, 0, false, map[string]feature.Value{"rate": feature.OfFloat64(2)})
	w.lookup(1, 3, false, nil)
	whole := w.history(&altered{})
	for name, c := range map[string]struct {
		past   history.Files
		forge  func(l *served.Lookup)
		reason Reason
	}{
		"behind":      {w.history(&altered{until: early}), nil, NotYet},
		"gap":         {w.history(&altered{floor: w.eu.Heads(w.shard(1))[w.eu.Identity().Origin]}), nil, InGap},
		"several":     {whole, func(l *served.Lookup) { l.Joined = true }, Several},
		"definitions": {whole, func(l *served.Lookup) { l.Revision += 7 }, Undefined},
	} {
		r := w.verify(Config{History: c.past, Served: w.logged(func(all []*served.Lookup) {
			if c.forge != nil {
				c.forge(all[0])
			}
		})})
		for _, f := range r.Features {
			if untold := f.Untold[c.reason]; f.Defects > 0 || f.Compared+untold != f.Cells || f.Feature == "rate" && untold != 1 {
				t.Errorf("%s: of %s there are %+v", name, f.Feature, f)
			}
		}
	}
	// A view that is not for history: its definitions are in force with the next revision.
	left := newWorld(t)
	d, err := definition.Parse("rides.yaml", strings.NewReader(strings.Replace(rides, "ttl: 1h", "ttl: 1h\n    offline: false", 1)))
	if err == nil {
		_, err = left.eu.Apply(t.Context(), d, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	left.push(left.eu, 1, time.Minute, false, map[string]feature.Value{"rate": feature.OfFloat64(1)})
	left.lookup(1, 3, false, nil)
	for _, f := range left.verify(Config{History: left.history(&altered{}), Served: left.logged(nil)}).Features {
		if untold := f.Untold[NotKept]; f.Defects > 0 || f.Compared+untold != 1 || f.Feature == "rate" && untold != 1 {
			t.Errorf("a view that is not for history: of %s there are %+v", f.Feature, f)
		}
	}
	// Retention took the day.
	past := w.history(&altered{change: func(e *oplog.Entry) { drop(e, true) }})
	if err := past.Create(t.Context(), "_retained/2026-08-22", nil); err != nil {
		t.Fatal(err)
	}
	r := w.verify(Config{History: past, Served: w.logged(nil)})
	if n := r.DefectCells(); n != 0 {
		t.Errorf("retention made %d defects: %+v", n, r.Defects)
	}
}

// What cannot be read is an error that says so, and no verdict.
func TestADamagedLogIsNoVerdict(t *testing.T) {
	w := newWorld(t)
	w.lookup(1, 3, false, nil)
	past := w.history(&altered{})
	if _, err := Run(t.Context(), Config{}); err == nil {
		t.Error("no files: got no error")
	}
	if _, err := Run(t.Context(), Config{History: history.NewDisk(t.TempDir()), Served: w.logged(nil)}); !errors.Is(err, ErrNoDefinitions) {
		t.Errorf("no history: got %v", err)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "event_date=2026-08-21"), 0o700); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "event_date=2026-08-21", "00000000000000000001-000001-"+strings.Repeat("0", 64)+".parquet")
	if err := os.WriteFile(name, []byte("PAR1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), Config{History: past, Served: history.NewDisk(dir)}); !errors.Is(err, served.ErrCorrupt) || !strings.Contains(err.Error(), filepath.Base(name)) {
		t.Errorf("a damaged log: got %v", err)
	}
}

// VF5: the sample is as large as it may be, and the same each time.
func TestTheSampleIsBounded(t *testing.T) {
	w := newWorld(t)
	for i := range 40 {
		w.lookup(int64(i), 1, false, nil)
	}
	past, log := w.history(&altered{}), w.logged(nil)
	for _, c := range []struct{ lookups, cells, want int }{{10, 0, 10}, {0, 60, 10}, {0, 1, 1}, {0, 0, 40}} {
		for range 2 {
			r, err := Run(t.Context(), Config{History: past, Served: log, Lookups: c.lookups, MaxCells: c.cells, TempDir: t.TempDir()})
			if err != nil || r.Lookups != int64(c.want) || r.Logged != 40 {
				t.Errorf("%d lookups, %d cells: got %d of %d, %v, want %d", c.lookups, c.cells, r.Lookups, r.Logged, err, c.want)
			}
		}
	}
}
