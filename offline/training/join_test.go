package training

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/offline/history"
	"featurestore/offline/pit"
	"featurestore/online"
)

const rides = `
project: rides
entities:
  - {name: driver, join_keys: [{name: driver_id, type: int64}]}
  - {name: place, join_keys: [{name: city, type: string}, {name: zone, type: int32}]}
views:
  - name: driver_stats
    entity: driver
    ttl: 1h
    features: [{name: rate, type: float64}, {name: note, type: string}, {name: trips, type: int64, conflict: counter}, {name: rank, type: int64, default: 7}]
  - name: place_stats
    entity: place
    features: [{name: demand, type: float64}, {name: taste, type: "vector<float32,2>"}, {name: kind, type: string, default: "other"}]
on_demand:
  - {name: ratio, inputs: ["driver_stats:rate"], request: [{name: other_id, type: int64}], features: [{name: of, type: float64, expr: "rate / double(other_id)"}]}
  - {name: twice, inputs: ["driver_stats:rate"], features: [{name: rate, type: float64, expr: "rate * 2.0"}]}
`

// noon is when the tests' rows begin; the store's clock is an hour later.
var noon = time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC)

// house is a real store, and the history that is kept of it.
type house struct {
	testing.TB
	store   *online.Store
	history *history.History
}

func open(t testing.TB) *house {
	t.Helper()
	store, err := online.Open(online.Config{
		Dir: t.TempDir(), Store: "eu-1", Region: "eu", Deployment: "test", HotBytes: -1, MemTableBytes: 8 << 20,
		Wall: func() time.Time { return noon.Add(time.Hour) },
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{TB: t, store: store}
	if h.history, err = history.Open(t.Context(), history.Config{Files: history.NewDisk(t.TempDir())}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Run(ctx) }()
	t.Cleanup(func() {
		h.history.Close()
		cancel()
		if err := errors.Join(<-ended, store.Close()); err != nil {
			t.Error(err)
		}
	})
	d, err := definition.Parse("rides.yaml", strings.NewReader(rides))
	if err == nil {
		_, err = store.Apply(t.Context(), d, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) view(name string) *feature.ResolvedView {
	h.Helper()
	c, _ := h.store.Registry().Catalog("rides")
	v, ok := c.View(name)
	if !ok {
		h.Fatalf("no view %s", name)
	}
	return v
}

// push writes features of one entity at so long after noon.
func (h *house) push(view string, after time.Duration, key []feature.Value, values map[string]feature.Value) {
	h.Helper()
	v := h.view(view)
	c := feature.Change{View: v.ID, EventTime: noon.Add(after).UnixNano()}
	for _, k := range key {
		var err error
		if c.Key, err = feature.AppendKeyValue(c.Key, k); err != nil {
			h.Fatal(err)
		}
	}
	for _, f := range v.Fields {
		if value, ok := values[f.Name]; ok {
			c.Assignments = append(c.Assignments, feature.Assignment{Feature: f.ID, Rule: f.Rule, Type: f.Type, Value: value})
		}
	}
	if values == nil {
		c.Delete = true
	}
	if _, err := h.store.Append(h.Context(), online.Write{Changes: []online.Placed{{Change: c, Shard: v.Shard(c.Key)}}}); err != nil {
		h.Fatal(err)
	}
}

// ingest brings history up to the log.
func (h *house) ingest() *history.Reader {
	h.Helper()
	in, err := history.NewIngester(history.IngestConfig{Log: h.store, History: h.history, Region: "eu", Poll: time.Millisecond})
	if err != nil {
		h.Fatal(err)
	}
	ctx, cancel := context.WithCancel(h.Context())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	limit := time.Now().Add(time.Minute)
	for behind := true; behind; {
		cancel() // Run reads and commits what there is before it ends
		if err := <-ended; err != nil {
			h.Fatal(err)
		}
		behind = false
		for _, shard := range h.store.Shards("eu") {
			for o, head := range h.store.Heads(shard) {
				behind = behind || h.history.Progress(shard)[o] < head
			}
		}
		if behind {
			if time.Now().After(limit) {
				h.Fatal("history is behind the log for a minute")
			}
			ctx, cancel = context.WithTimeout(h.Context(), 50*time.Millisecond)
			go func() { ended <- in.Run(ctx) }()
			<-ctx.Done()
		}
	}
	cancel()
	r := h.history.Reader()
	h.Cleanup(r.Close)
	return r
}

// entityRows are drivers, places and times after noon; -1 is null.
type entityRow struct {
	driver, other int64
	city          string
	zone          int32
	after         time.Duration
}

func recordsOf(rows []entityRow) array.RecordReader {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "driver_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "other_id", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		{Name: "city", Type: arrow.BinaryTypes.String}, {Name: "zone", Type: arrow.PrimitiveTypes.Int32},
		{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}},
	}, nil)
	b := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
	defer b.Release()
	for _, r := range rows {
		if r.driver < 0 {
			b.Field(0).AppendNull()
		} else {
			b.Field(0).(*array.Int64Builder).Append(r.driver)
		}
		b.Field(1).(*array.Int32Builder).Append(int32(r.other))
		b.Field(2).(*array.StringBuilder).Append(r.city)
		b.Field(3).(*array.Int32Builder).Append(r.zone)
		b.Field(4).(*array.TimestampBuilder).Append(arrow.Timestamp(noon.Add(r.after).UnixMilli()))
	}
	rec := b.NewRecord()
	defer rec.Release()
	out, err := array.NewRecordReader(schema, []arrow.Record{rec})
	if err != nil {
		panic(err)
	}
	return out
}

// join prints the features of each entity row, and the bytes of all.
func (h *house) join(in *history.Reader, c pit.Config, rows []entityRow, r Request) (lines []string, encoded []byte) {
	h.Helper()
	c.SpillDir = h.TempDir()
	entities := recordsOf(rows)
	defer entities.Release()
	var out bytes.Buffer
	var w *ipc.Writer
	_, err := Join(h.Context(), c, in, entities, r, func(rec arrow.Record) error {
		if w == nil {
			w = ipc.NewWriter(&out, ipc.WithSchema(rec.Schema()))
		}
		for i := range int(rec.NumRows()) {
			var cells []string
			for n := 5; n < int(rec.NumCols()); n++ {
				cells = append(cells, rec.ColumnName(n)+"="+rec.Column(n).ValueStr(i))
			}
			lines = append(lines, strings.Join(cells, " "))
		}
		return w.Write(rec)
	})
	if err != nil {
		h.Fatal(err)
	}
	if err := w.Close(); err != nil {
		h.Fatal(err)
	}
	left, err := os.ReadDir(c.SpillDir)
	if err != nil || len(left) > 0 {
		h.Errorf("left in the spill directory: %v, %v", left, err)
	}
	return lines, out.Bytes()
}

func texts(s string) feature.Value {
	v, err := feature.OfString(s)
	if err != nil {
		panic(err)
	}
	return v
}

// U1, U2, U4 with a real store and its history: features that were written apart,
// and each as old as it is.
func TestATrainingSetIsWhatTheStoreWouldHaveServed(t *testing.T) {
	h := open(t)
	driver := []feature.Value{feature.OfInt64(7)}
	h.push("driver_stats", 0, driver, map[string]feature.Value{"rate": feature.OfFloat64(0.5), "note": texts("first"), "trips": feature.OfInt64(1)})
	h.push("driver_stats", 30*time.Minute, driver, map[string]feature.Value{"rate": feature.OfFloat64(0.75), "trips": feature.OfInt64(2)})
	h.push("driver_stats", 10*time.Minute, driver, map[string]feature.Value{"trips": feature.OfInt64(10)}) // late
	h.push("driver_stats", 40*time.Minute, []feature.Value{feature.OfInt64(8)}, map[string]feature.Value{"note": texts("other"), "rate": {}})
	h.push("driver_stats", 50*time.Minute, driver, nil)
	h.push("place_stats", 5*time.Minute, []feature.Value{texts("Rome"), feature.OfInt64(1)}, map[string]feature.Value{
		"demand": feature.OfFloat64(3), "taste": feature.OfVector([]float32{1, 2}),
	})
	in := h.ingest()
	stats, places := h.view("driver_stats"), h.view("place_stats")
	request := Request{EventTime: "at", Features: []Feature{
		{View: stats, Name: "rate"}, {View: stats, Name: "note"}, {View: stats, Name: "trips"},
		{View: stats, Name: "note", As: "other_note", Keys: []string{"other_id"}},
		{View: places, Name: "taste"}, {View: places, Name: "demand"},
	}}
	rows := []entityRow{
		{7, 8, "Rome", 1, 45 * time.Minute},
		{7, 8, "Rome", 2, -time.Millisecond},
		{7, 8, "Rome", 1, 0},
		{-1, 7, "Oslo", 1, 20 * time.Minute},
		{7, 9, "Rome", 1, 20 * time.Minute},
		{7, 7, "Rome", 1, 55 * time.Minute},
		{8, 8, "Rome", 1, 40*time.Minute + time.Hour},
		{8, 8, "Rome", 1, 40*time.Minute + time.Hour + time.Millisecond},
	}
	want := []string{
		"rate=0.75 note=first trips=13 other_note=other taste=[1,2] demand=3",
		"rate=(null) note=(null) trips=(null) other_note=(null) taste=(null) demand=(null)",
		"rate=0.5 note=first trips=1 other_note=(null) taste=(null) demand=(null)",
		"rate=(null) note=(null) trips=(null) other_note=first taste=(null) demand=(null)",
		"rate=0.5 note=first trips=11 other_note=(null) taste=[1,2] demand=3",
		"rate=(null) note=(null) trips=(null) other_note=(null) taste=[1,2] demand=3",
		"rate=(null) note=other trips=(null) other_note=other taste=[1,2] demand=3",
		"rate=(null) note=(null) trips=(null) other_note=(null) taste=[1,2] demand=3",
	}
	got, encoded := h.join(in, pit.Config{}, rows, request)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("row %d:\ngot  %s\nwant %s", i, got[i], want[i])
		}
	}
	if _, again := h.join(in, pit.Config{Threads: 1, MemoryLimit: 64 << 20}, rows, request); !bytes.Equal(encoded, again) {
		t.Error("with one thread and a memory limit the bytes differ")
	}
	request.KnownAsOf = noon
	if got, _ = h.join(in, pit.Config{}, rows[:1], request); got[0] != want[1] {
		t.Errorf("before anything was known: got %s", got[0])
	}
}

// U5: in the order of the request, whether its inputs are asked for or not.
func TestWhatIsComputedOnDemandIsComputed(t *testing.T) {
	h := open(t)
	h.push("driver_stats", 0, []feature.Value{feature.OfInt64(7)}, map[string]feature.Value{"rate": feature.OfFloat64(0.5)})
	catalog, _ := h.store.Registry().Catalog("rides")
	twice, _ := catalog.OnDemand("twice")
	stats := h.view("driver_stats")
	rows := []entityRow{{7, 7, "", 0, time.Minute}, {8, 7, "", 0, time.Minute}, {7, 7, "", 0, 2 * time.Hour}}
	for _, c := range []struct {
		features []Feature
		want     []string
	}{
		{[]Feature{{OnDemand: twice, Name: "rate"}, {View: stats, Name: "rank"}}, []string{"rate=1 rank=7", "rate=(null) rank=7", "rate=(null) rank=7"}},
		{[]Feature{{View: stats, Name: "rate"}, {OnDemand: twice, Name: "rate", As: "double"}}, []string{"rate=0.5 double=1", "rate=(null) double=(null)", "rate=(null) double=(null)"}},
	} {
		got, _ := h.join(h.ingest(), pit.Config{}, rows, Request{EventTime: "at", Catalog: catalog, Features: c.features})
		for i := range c.want {
			if got[i] != c.want[i] {
				t.Errorf("row %d: got %s, want %s", i, got[i], c.want[i])
			}
		}
	}
}

// U2: each feature is as old as its own write: one that the last write left alone
// may be too old, though the row is not.
func TestEachFeatureHasItsOwnAge(t *testing.T) {
	h := open(t)
	driver := []feature.Value{feature.OfInt64(7)}
	h.push("driver_stats", -30*time.Minute, driver, map[string]feature.Value{"note": texts("old")})
	h.push("driver_stats", 0, driver, map[string]feature.Value{"rate": feature.OfFloat64(1)})
	stats := h.view("driver_stats")
	got, _ := h.join(h.ingest(), pit.Config{}, []entityRow{{7, 7, "", 0, 30 * time.Minute}, {7, 7, "", 0, 31 * time.Minute}, {7, 7, "", 0, 61 * time.Minute}},
		Request{EventTime: "at", Features: []Feature{{View: stats, Name: "note"}, {View: stats, Name: "rate"}}})
	for i, want := range []string{"note=old rate=1", "note=(null) rate=1", "note=(null) rate=(null)"} {
		if got[i] != want {
			t.Errorf("row %d: got %s, want %s", i, got[i], want)
		}
	}
}

// U2: a feature's default stands where a store would serve it: where nothing was
// written, or too long ago, in a view with a ttl and in one without; a null that was
// written is no gap.
func TestDefaultsStandWhereAStoreServesThem(t *testing.T) {
	h := open(t)
	driver := []feature.Value{feature.OfInt64(7)}
	h.push("driver_stats", 0, driver, map[string]feature.Value{"rank": feature.OfInt64(1)})
	h.push("driver_stats", 30*time.Minute, driver, map[string]feature.Value{"rank": {}})
	h.push("place_stats", 0, []feature.Value{texts("Rome"), feature.OfInt64(1)}, map[string]feature.Value{"demand": feature.OfFloat64(1)})
	h.push("place_stats", 0, []feature.Value{texts("Oslo"), feature.OfInt64(1)}, map[string]feature.Value{"kind": texts("port")})
	rows := []entityRow{
		{7, 7, "Rome", 1, time.Minute}, {7, 7, "Oslo", 1, 31 * time.Minute}, {7, 7, "Oslo", 2, 91 * time.Minute}, {8, 7, "Oslo", 1, -time.Minute}, {-1, 7, "Oslo", 1, time.Minute},
	}
	got, _ := h.join(h.ingest(), pit.Config{}, rows, Request{EventTime: "at", Features: []Feature{
		{View: h.view("driver_stats"), Name: "rank"}, {View: h.view("place_stats"), Name: "kind"}, {View: h.view("place_stats"), Name: "demand"},
	}})
	for i, want := range []string{
		"rank=1 kind=other demand=1", "rank=(null) kind=port demand=(null)", "rank=7 kind=other demand=(null)", "rank=7 kind=other demand=(null)", "rank=7 kind=port demand=(null)",
	} {
		if got[i] != want {
			t.Errorf("row %d: got %s, want %s", i, got[i], want)
		}
	}
}

// U1: entity rows see what was readable in the region at their time, not what had
// become true by then.
func TestServedInARegionHasItsLag(t *testing.T) {
	h := open(t)
	h.push("place_stats", 0, []feature.Value{texts("Rome"), feature.OfInt64(1)}, map[string]feature.Value{"demand": feature.OfFloat64(3)})
	h.push("driver_stats", 0, []feature.Value{feature.OfInt64(7)}, map[string]feature.Value{"trips": feature.OfInt64(1)})
	in := h.ingest()
	steps, err := in.Steps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// It was readable when this test ran, which is long after noon; by then the
	// driver's row was too old.
	rows := []entityRow{{7, 7, "Rome", 1, time.Since(noon) + time.Minute}, {7, 7, "Rome", 1, 10 * time.Minute}}
	request := Request{EventTime: "at", Features: []Feature{{View: h.view("place_stats"), Name: "demand"}, {View: h.view("driver_stats"), Name: "trips"}}}
	for _, c := range []struct {
		in   *history.Steps
		want []string
	}{
		{nil, []string{"demand=3 trips=(null)", "demand=3 trips=1"}},
		{steps, []string{"demand=3 trips=(null)", "demand=(null) trips=(null)"}},
	} {
		request.ServedIn = c.in
		got, _ := h.join(in, pit.Config{}, rows, request)
		for i := range c.want {
			if got[i] != c.want[i] {
				t.Errorf("as served %t, row %d: got %s, want %s", c.in != nil, i, got[i], c.want[i])
			}
		}
	}
}

func TestARequestThatDoesNotFitSaysWhy(t *testing.T) {
	h := open(t)
	in := h.ingest()
	stats := h.view("driver_stats")
	catalog, _ := h.store.Registry().Catalog("rides")
	ratio, _ := catalog.OnDemand("ratio")
	twice, _ := catalog.OnDemand("twice")
	for _, c := range []struct {
		request Request
		want    string
	}{
		{Request{EventTime: "at", Catalog: catalog, Features: []Feature{{OnDemand: ratio, Name: "of"}}}, "column other_id of the entity rows is int32, on-demand view ratio wants int64"},
		{Request{EventTime: "at", Catalog: catalog, Features: []Feature{{OnDemand: ratio, Name: "off"}}}, `on-demand view ratio has no feature "off"`},
		{Request{EventTime: "at", Features: []Feature{{OnDemand: ratio, Name: "of"}}}, "Catalog is nil"},
		{Request{EventTime: "at", Catalog: catalog, Features: []Feature{{View: stats, Name: "rate"}, {OnDemand: twice, Name: "rate"}}}, `two columns of the output are named "rate"`},
		{Request{Features: []Feature{{View: stats, Name: "rate"}}}, "EventTime is empty"},
		{Request{EventTime: "at"}, "Features is empty"},
		{Request{EventTime: "at", Features: []Feature{{View: stats, Name: "rats"}}}, `view driver_stats has no feature "rats"`},
		{Request{EventTime: "at", Features: []Feature{{View: stats, Name: "rate", Keys: []string{"a", "b"}}}}, "1 join keys, and 2 columns"},
		{Request{EventTime: "at", Features: []Feature{{View: stats, Name: "rate", Keys: []string{"nobody"}}}}, `"nobody"`},
		{Request{EventTime: "at", Features: []Feature{{View: stats, Name: "rate", Keys: []string{"city"}}}}, "join key driver_id of view driver_stats by city is int64, column city of the entity rows is utf8"},
		{Request{EventTime: "when", Features: []Feature{{View: stats, Name: "rate"}}}, `"when"`},
	} {
		entities := recordsOf([]entityRow{{7, 7, "", 0, 0}})
		_, err := Join(t.Context(), pit.Config{SpillDir: t.TempDir()}, in, entities, c.request, func(arrow.Record) error { return nil })
		entities.Release()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// Many drivers and times at random, over several files of history, against a plain
// look at all writes.
func TestManyRowsAgreeWithAPlainLook(t *testing.T) {
	h := open(t)
	random := rand.New(rand.NewPCG(7, 7))
	type event struct {
		driver int64
		after  time.Duration
		rate   float64
	}
	var events []event
	for range 400 {
		e := event{random.Int64N(10), time.Duration(random.IntN(240)-200) * time.Minute / 2, float64(random.IntN(1000))}
		events = append(events, e)
		h.push("driver_stats", e.after, []feature.Value{feature.OfInt64(e.driver)}, map[string]feature.Value{"rate": feature.OfFloat64(e.rate)})
		if len(events)%8 == 0 { // fifty files: more than are read at once
			h.ingest()
		}
	}
	var rows []entityRow
	var want []string
	for range 500 {
		r := entityRow{driver: random.Int64N(11), after: time.Duration(random.IntN(300)-210) * time.Minute / 2}
		rows = append(rows, r)
		best := -1
		for i, e := range events { // of equal times the later write counts
			if e.driver == r.driver && e.after <= r.after && e.after >= r.after-time.Hour && (best < 0 || e.after >= events[best].after) {
				best = i
			}
		}
		if best < 0 {
			want = append(want, "rate=(null)")
		} else {
			want = append(want, fmt.Sprintf("rate=%v", events[best].rate))
		}
	}
	in := h.ingest()
	files := in.Files(h.view("driver_stats").ID, history.AllTime)
	if len(files) <= fanIn {
		t.Errorf("history has %d files: no runs are made of them", len(files))
	}
	rowsIn := func(width int) (all []string) {
		dir := t.TempDir()
		for r, err := range inOrder(t.Context(), in, files, dir, width) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("%x %v %v %t %x", []byte(r.Key), r.Log, r.Version, r.LogOnly, feature.AppendRow(nil, r.Delta)))
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("runs are left: %v, %v", left, err)
		}
		return all
	}
	if all, few := rowsIn(len(files)), rowsIn(3); len(all) != len(events) || !slices.Equal(all, few) {
		t.Errorf("%d rows are read of all files at once, %d of three at a time; %d were written, or they differ", len(all), len(few), len(events))
	}
	got, _ := h.join(in, pit.Config{}, rows, Request{EventTime: "at", Features: []Feature{{View: h.view("driver_stats"), Name: "rate"}}})
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("row %d, driver %d at %v: got %s, want %s", i, rows[i].driver, rows[i].after, got[i], want[i])
		}
	}
}
