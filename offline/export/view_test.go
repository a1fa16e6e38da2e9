package export

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/offline/history"
	"featurestore/offline/training"
	"featurestore/online"
)

// wantServed is a snapshot as the store itself has the rows: the plain twin.
func (h *house) wantServed(view string) (rows [][]string) {
	h.Helper()
	v := h.view(view)
	var batch online.Batch
	keys := h.keys(view)
	slices.SortFunc(keys, func(a, b feature.Key) int { return strings.Compare(string(a), string(b)) })
	for _, k := range keys {
		batch.Add(v.Shard(k), v.ID, k)
	}
	if err := h.store.Read(h.Context(), &batch); err != nil {
		h.Fatal(err)
	}
	for i, k := range keys {
		raw := batch.Row(i)
		if raw == nil {
			continue
		}
		row, err := feature.DecodeRow(raw)
		if err != nil {
			h.Fatal(err)
		}
		if len(row.Cells) == 0 {
			continue
		}
		parts, _ := feature.DecodeKey(k)
		var line []string
		for _, p := range parts {
			line = append(line, p.String())
		}
		event := row.Cells[0].Version.EventTime
		for _, c := range row.Cells {
			event = max(event, c.Version.EventTime)
		}
		line = append(line, time.Unix(0, event).UTC().Format("2006-01-02 15:04:05Z"))
		for _, f := range v.Fields {
			value := f.Default
			if c, ok := row.Cell(f.ID); ok {
				value = c.Read()
			}
			text := "(null)"
			if !value.IsNull() {
				text = strings.ReplaceAll(value.String(), " ", "")
			}
			line = append(line, text)
		}
		rows = append(rows, line)
	}
	return rows
}

// plain brings Arrow's and our text of values to one form.
func plain(rows [][]string) string {
	var b strings.Builder
	for _, r := range rows {
		line := strings.Join(r, "|")
		for _, cut := range []string{" ", `"`, ",", ".000000000"} {
			line = strings.ReplaceAll(line, cut, "")
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// EX5: a snapshot is what the store has, of whatever was written in whatever order, and
// a snapshot with the changes since is the later one.
func TestSnapshotsAndChangesAreWhatTheStoreHas(t *testing.T) {
	deleted, unchanged := 0, 0
	for seed := range uint64(4) {
		h := open(t, seed)
		kept := map[string]table{} // the snapshots before
		for round := range 5 {
			h.write([]int{0, 40, 3, 0, 60}[round])
			p := h.past()
			for view, keys := range map[string]int{"driver_stats": 1, "place_stats": 2} {
				now := h.run(p.Snapshot(ViewRequest{View: view}, h.config()))
				if got, want := plain(now.rows), plain(h.wantServed(view)); got != want {
					t.Fatalf("seed %d, round %d, %s: got\n%s\nwant\n%s", seed, round, view, got, want)
				}
				before, ok := kept[view]
				kept[view] = now
				if !ok {
					continue
				}
				changes := h.run(p.Changes(ViewRequest{View: view, Since: &before.manifest.History}, h.config()))
				merged := byKey(before.rows, keys)
				for key, row := range byKey(changes.rows, keys) {
					last := len(row) - 1
					if row[last] == "true" {
						delete(merged, key)
						deleted++
						continue
					}
					if slices.Equal(merged[key], row[:last]) {
						unchanged++
					}
					merged[key] = row[:last]
				}
				if want := byKey(now.rows, keys); !maps.EqualFunc(merged, want, slices.Equal) {
					t.Fatalf("seed %d, round %d, %s: the changes make\n%v\nwant\n%v", seed, round, view, merged, want)
				}
				if round == 3 && len(changes.rows) > 0 {
					t.Errorf("%d changes where nothing was written", len(changes.rows))
				}
			}
		}
	}
	if deleted == 0 || unchanged == 0 {
		t.Errorf("%d deletes and %d late writes were among the changes: the test has become too simple", deleted, unchanged)
	}
}

// Rows are all that was written, and with a vector what came after: together those before
// it and those after it are all, of logs of one and of several shards.
func TestRowsAreWhatWasWritten(t *testing.T) {
	h := open(t, 7)
	h.write(50)
	first := h.past()
	h.write(50)
	second := h.past()
	for _, view := range []string{"driver_stats", "place_stats"} {
		before := h.run(first.Rows(ViewRequest{View: view}, h.config()))
		after := h.run(second.Rows(ViewRequest{View: view, Since: &before.manifest.History}, h.config()))
		all := h.run(second.Rows(ViewRequest{View: view}, h.config()))
		want := int64(0)
		for _, f := range second.in.Files(h.view(view).ID, history.AllTime) {
			want += f.Rows
		}
		if all.manifest.Rows != want {
			t.Errorf("%s: %d rows, history has %d", view, all.manifest.Rows, want)
		}
		sorted := func(tables ...table) (lines []string) {
			for _, tb := range tables {
				for _, r := range tb.rows {
					lines = append(lines, strings.Join(r, "|"))
				}
			}
			slices.Sort(lines)
			return lines
		}
		if len(after.rows) == 0 || !slices.Equal(sorted(before, after), sorted(all)) {
			t.Errorf("%s: %d rows before and %d after are not the %d of all", view, len(before.rows), len(after.rows), len(all.rows))
		}
	}
}

// What a store would call too old at a time is what it would serve then.
func TestASnapshotCanBeThatOfATime(t *testing.T) {
	h := open(t, 3)
	h.write(80)
	p := h.past()
	all := h.run(p.Snapshot(ViewRequest{View: "driver_stats"}, h.config()))
	at := noon.Add(90 * time.Minute)
	some := h.run(p.Snapshot(ViewRequest{View: "driver_stats", ServedAt: at}, h.config()))
	v := h.view("driver_stats")
	var want int
	for _, r := range all.rows {
		event, err := time.Parse("2006-01-02 15:04:05.999999999Z", r[1])
		if err != nil {
			t.Fatal(err)
		}
		if feature.WithinTTL(event.UnixNano(), at.UnixNano(), v.TTL) {
			want++
		}
	}
	if want == 0 || want == len(all.rows) || len(some.rows) != want {
		t.Errorf("%d of %d rows are left, want %d", len(some.rows), len(all.rows), want)
	}
	if some.manifest.ServedAt != at.Format(time.RFC3339) {
		t.Errorf("the manifest says %q", some.manifest.ServedAt)
	}
}

// EX4: what has no rows has its schema, in every format and kind.
func TestAnExportWithoutRowsIsComplete(t *testing.T) {
	h := open(t, 1)
	p := h.past()
	empty := h.run(p.Snapshot(ViewRequest{View: "driver_stats"}, h.config()))
	for kind, e := range map[string]func() (Export, error){
		"snapshot": func() (Export, error) { return p.Snapshot(ViewRequest{View: "driver_stats"}, h.config()) },
		"changes": func() (Export, error) {
			return p.Changes(ViewRequest{View: "driver_stats", Since: &empty.manifest.History}, h.config())
		},
		"rows": func() (Export, error) { return p.Rows(ViewRequest{View: "driver_stats"}, h.config()) },
	} {
		for _, ending := range []string{".parquet", ".arrow", ".csv"} {
			out, err := e()
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), kind+ending)
			m, err := Write(t.Context(), out, path)
			if err != nil || m.Rows != 0 || m.Bytes == 0 {
				t.Errorf("%s%s: got %+v, %v", kind, ending, m, err)
			}
			if columns := columnsOf(t, path); !slices.Contains(columns, "trips") || !slices.Contains(columns, "driver_id") {
				t.Errorf("%s%s has the columns %v", kind, ending, columns)
			}
		}
	}
}

// A manifest says what its export is made of, and its definition can be applied.
func TestAManifestSaysWhatItIsMadeOf(t *testing.T) {
	h := open(t, 2)
	h.write(30)
	p := h.past()
	m := h.run(p.Snapshot(ViewRequest{View: "driver_stats"}, h.config())).manifest
	d, err := definition.Parse("manifest", strings.NewReader(m.Definition))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Views) != 1 || d.Views[0].Name != "driver_stats" || len(d.Entities) != 1 || len(d.Services) != 0 || d.Project != "rides" {
		t.Errorf("the definition is\n%s", m.Definition)
	}
	if m.Kind != api.ExportSnapshot || m.View != "driver_stats" || len(m.Features) != 5 || m.RegistryRevision == 0 || m.History.CommittedAt == "" {
		t.Errorf("got %+v", m)
	}
	committed, err := time.Parse(time.RFC3339Nano, m.History.CommittedAt)
	if err != nil || len(m.History.Progress) == 0 {
		t.Fatalf("got %+v, %v", m.History, err)
	}
	for _, at := range m.History.Progress {
		// The store's clock stands still at one o'clock.
		if want := committed.Sub(noon.Add(time.Hour)).Milliseconds(); at.LagMS < want-1000 || at.LagMS > want+1000 {
			t.Errorf("the lag of %s is %d ms, want about %d", at.Origin, at.LagMS, want)
		}
	}
}

// What is asked for wrongly is named by field, and says what would be right.
func TestWrongViewRequestsAreNamed(t *testing.T) {
	h := open(t, 4)
	h.write(10)
	p := h.past()
	later := p.manifest()
	h.write(10)
	now := h.past().manifest()
	foreign := now
	foreign.Region = "us"
	bad := func(edit func(*api.HistoryProgress)) *api.HistoryManifest {
		m := later
		m.Progress = slices.Clone(m.Progress)
		edit(&m.Progress[0])
		return &m
	}
	snapshot := func(r ViewRequest) (Export, error) { return p.Snapshot(r, h.config()) }
	changes := func(r ViewRequest) (Export, error) { return p.Changes(r, h.config()) }
	rows := func(r ViewRequest) (Export, error) { return p.Rows(r, h.config()) }
	for _, c := range []struct {
		ask   func(ViewRequest) (Export, error)
		r     ViewRequest
		field string
		is    error
		text  string
	}{
		{snapshot, ViewRequest{View: "driver_stat"}, "view", feature.ErrNoView, "driver_stats"},
		{snapshot, ViewRequest{Project: "rider", View: "driver_stats"}, "project", ErrNoProject, "rides"},
		{snapshot, ViewRequest{View: "driver_stats", Since: &later}, "since", nil, "ask for changes"},
		{changes, ViewRequest{View: "driver_stats"}, "since", nil, "missing"},
		{changes, ViewRequest{View: "driver_stats", Since: &later, ServedAt: noon}, "served_at", nil, "snapshots"},
		{rows, ViewRequest{View: "driver_stats", ServedAt: noon}, "served_at", nil, "snapshots"},
		{changes, ViewRequest{View: "driver_stats", Since: &now}, "since", ErrOtherHistory, "up to"},
		{changes, ViewRequest{View: "driver_stats", Since: &foreign}, "since", ErrOtherHistory, "region us"},
		{changes, ViewRequest{View: "driver_stats", Since: bad(func(at *api.HistoryProgress) { at.Shard = "x" })}, "since", nil, "progress[0]"},
		{changes, ViewRequest{View: "driver_stats", Since: bad(func(at *api.HistoryProgress) { at.Origin = "7" })}, "since", nil, "progress[0]"},
		{changes, ViewRequest{View: "driver_stats", Since: bad(func(at *api.HistoryProgress) { at.At = "soon" })}, "since", nil, "progress[0]"},
	} {
		_, err := c.ask(c.r)
		var field *FieldError
		if !errors.As(err, &field) || field.Field != c.field || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%+v: got %v, want field %s and %q", c.r, err, c.field, c.text)
		}
	}
}

// A vector from before what retention left is told to be one.
func TestChangesSinceBeforeRetentionAreRefused(t *testing.T) {
	h := open(t, 5)
	h.write(10)
	before := h.past().manifest()
	h.history.Close()
	now := noon.Add(72 * time.Hour)
	var err error
	if h.history, err = history.Open(t.Context(), history.Config{Files: h.files, Retain: 24 * time.Hour, Wall: func() time.Time { return now }}); err != nil {
		t.Fatal(err)
	}
	u, err := history.NewUpkeep(history.UpkeepConfig{History: h.history, Registry: h.store.Registry})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Of(t.Context(), h.history.Reader(), h.files)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Changes(ViewRequest{View: "driver_stats", Since: &before}, h.config()); err != nil {
		t.Fatalf("before retention: %v", err)
	}
	if err := u.Retain(t.Context()); err != nil {
		t.Fatal(err)
	}
	q, err := Of(t.Context(), h.history.Reader(), h.files)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if _, err := q.Changes(ViewRequest{View: "driver_stats", Since: &before}, h.config()); !errors.Is(err, ErrRetained) || !strings.Contains(err.Error(), "take a new snapshot") {
		t.Errorf("got %v, want %v", err, ErrRetained)
	}
}

// Whoever ends an export ends it at once, and nothing is left of it.
func TestAnEndedExportLeavesNothing(t *testing.T) {
	h := open(t, 6)
	h.write(40)
	p := h.past()
	enough := errors.New("enough")
	for kind, ask := range map[string]func() (Export, error){
		"snapshot": func() (Export, error) { return p.Snapshot(ViewRequest{View: "driver_stats"}, h.config()) },
		"rows":     func() (Export, error) { return p.Rows(ViewRequest{View: "driver_stats"}, h.config()) },
	} {
		e, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Run(t.Context(), func(rec arrow.Record) error {
			if rec.NumRows() == 0 {
				return nil
			}
			return enough
		}); !errors.Is(err, enough) {
			t.Errorf("%s: got %v, want %v", kind, err, enough)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if e, err = ask(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "out.parquet")
		cancel()
		if _, err := Write(ctx, e, path); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want %v", kind, err, context.Canceled)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) > 0 {
			t.Errorf("%s left %v", kind, left)
		}
	}
}

// columnsOf are the columns of a file of any format.
func columnsOf(t *testing.T, path string) (names []string) {
	t.Helper()
	rows, err := training.OpenEntityRows(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range rows.Schema().Fields() {
		names = append(names, f.Name)
	}
	if rows.Next() && rows.Record().NumRows() > 0 {
		t.Errorf("%s has rows", path)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Error(err)
	}
	return names
}
