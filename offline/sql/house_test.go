package sql

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/offline/history"
	"featurestore/offline/training"
	"featurestore/online"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata")

const rides = `
project: rides
entities:
  - {name: driver, join_keys: [{name: driver_id, type: int64}]}
  - {name: place, join_keys: [{name: city, type: string}, {name: zone, type: int32}]}
views:
  - name: stats
    entity: driver
    ttl: 90s
    features:
      - {name: rate, type: float64}
      - {name: seen, type: timestamp, conflict: write_time}
      - {name: trips, type: int64, conflict: counter, default: 0}
      - {name: spent, type: decimal, conflict: counter}
      - {name: top, type: float64, conflict: max}
      - {name: low, type: int64, conflict: min}
      - {name: tags, type: "list<string>", conflict: set}
      - {name: mark, type: string, conflict: siblings}
  - name: places
    entity: place
    features:
      - {name: kind, type: string, default: "it's \\ here"}
      - {name: taste, type: "vector<float32,2>"}
      - {name: event_date, type: string}
  - {name: unused, entity: place, features: [{name: some, type: string}]}
on_demand:
  - {name: twice, inputs: ["stats:rate"], features: [{name: rate, type: float64, expr: "rate * 2.0"}]}
`

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
		Wall: func() time.Time { return noon },
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
	h.apply(rides)
	return h
}

func (h *house) apply(text string) {
	h.Helper()
	d, err := definition.Parse("rides.yaml", strings.NewReader(text))
	if err == nil {
		_, err = h.store.Apply(h.Context(), d, nil)
	}
	if err != nil {
		h.Fatal(err)
	}
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

// assign is what a write says of a feature.
type assign struct {
	name          string
	value, remove feature.Value
}

// push writes features of one entity; none: it deletes the row.
func (h *house) push(view string, key []feature.Value, assigned ...assign) {
	h.Helper()
	v := h.view(view)
	c := feature.Change{View: v.ID, EventTime: noon.UnixNano(), Delete: len(assigned) == 0}
	for _, k := range key {
		var err error
		if c.Key, err = feature.AppendKeyValue(c.Key, k); err != nil {
			h.Fatal(err)
		}
	}
	for _, f := range v.Fields {
		for _, a := range assigned {
			if a.name == f.Name {
				c.Assignments = append(c.Assignments, feature.Assignment{Feature: f.ID, Rule: f.Rule, Type: f.Type, Value: a.value, Remove: a.remove})
			}
		}
	}
	if _, err := h.store.Append(h.Context(), online.Write{Changes: []online.Placed{{Change: c, Shard: v.Shard(c.Key)}}}); err != nil {
		h.Fatal(err)
	}
}

// ingest brings history up to the log.
func (h *house) ingest() *history.Reader {
	h.Helper()
	in, err := history.NewIngester(history.IngestConfig{Log: h.store, History: h.history, Region: "eu", MaxAge: time.Millisecond, Poll: time.Millisecond})
	if err != nil {
		h.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(h.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for h.behind() {
		select {
		case err := <-ended:
			h.Fatal("the ingester ended before it had all", err)
		case <-look.C:
		}
	}
	cancel()
	if err := <-ended; err != nil {
		h.Fatal(err)
	}
	r := h.history.Reader()
	h.Cleanup(r.Close)
	return r
}

func (h *house) behind() bool {
	for _, shard := range h.store.Shards("eu") {
		for origin, head := range h.store.Heads(shard) {
			if h.history.Progress(shard)[origin] < head {
				return true
			}
		}
	}
	return false
}

func texts(s string) feature.Value {
	v, err := feature.OfString(s)
	if err != nil {
		panic(err) // of constants
	}
	return v
}

func tags(t testing.TB, elems ...string) feature.Value {
	t.Helper()
	var all []feature.Value
	for _, e := range elems {
		all = append(all, texts(e))
	}
	v, err := feature.OfList(feature.String, all...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var (
	driver = []feature.Value{feature.OfInt64(7)}
	rome   = []feature.Value{texts("Rome"), feature.OfInt64(1)}
)

// entity are the columns of the tests' entity rows.
func entity() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		{Name: "driver_id", Type: arrow.PrimitiveTypes.Int64}, {Name: "origin's `id\"", Type: arrow.PrimitiveTypes.Int64},
		{Name: "city", Type: arrow.BinaryTypes.String}, {Name: "zone", Type: arrow.PrimitiveTypes.Int32},
		{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}},
	}, nil)
}

func (h *house) features(view string, names ...string) []training.Feature {
	var out []training.Feature
	for _, name := range names {
		out = append(out, training.Feature{View: h.view(view), Name: name})
	}
	return out
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; -update rewrites it. Got:\n%s", path, got)
	}
}
