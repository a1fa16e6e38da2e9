package export

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"go.uber.org/goleak"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/offline/history"
	"featurestore/offline/pit"
	"featurestore/online"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

const rides = `
project: rides
entities:
  - {name: driver, join_keys: [{name: driver_id, type: int64}]}
  - {name: place, join_keys: [{name: city, type: string}, {name: zone, type: int32}]}
groups: [{name: parts, placement: multi_leader, partitions: 4}]
views:
  - name: driver_stats
    entity: driver
    ttl: 1h
    max_lateness: 8760h
    features:
      - {name: rate, type: float64}
      - {name: trips, type: int64, conflict: counter}
      - {name: tags, type: "list<string>", conflict: set}
      - {name: rank, type: int64, default: 7}
      - {name: note, type: string, conflict: write_time}
  - name: place_stats
    entity: place
    group: parts
    max_lateness: 8760h
    features: [{name: demand, type: float64}, {name: taste, type: "vector<float32,2>"}]
services: [{name: driver_v1, features: ["driver_stats:rate", "driver_stats:trips"]}]
`

// noon is when the tests' rows begin; the store's clock is an hour later.
var noon = time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC)

// house is a real store, and the history that is kept of it.
type house struct {
	testing.TB
	store   *online.Store
	history *history.History
	files   history.Files
	random  *rand.Rand
}

func open(t testing.TB, seed uint64) *house {
	t.Helper()
	store, err := online.Open(online.Config{
		Dir: t.TempDir(), Store: "eu-1", Region: "eu", Deployment: "test", HotBytes: -1, MemTableBytes: 8 << 20,
		Wall: func() time.Time { return noon.Add(time.Hour) },
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{TB: t, store: store, files: history.NewDisk(t.TempDir()), random: rand.New(rand.NewPCG(seed, 5))}
	if h.history, err = history.Open(t.Context(), history.Config{Files: h.files}); err != nil {
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

// apply applies definitions, and keeps them in history.
func (h *house) apply(text string) {
	h.Helper()
	d, err := definition.Parse("rides.yaml", strings.NewReader(text))
	if err == nil {
		_, err = h.store.Apply(h.Context(), d, nil)
	}
	if err == nil {
		var encoded []byte
		var version feature.RegistryVersion
		if version, encoded, err = h.store.EncodedRegistry(); err == nil {
			err = h.history.KeepDefinitions(h.Context(), version, encoded)
		}
	}
	if err == nil {
		err = h.history.KeepRegion(h.Context(), "eu")
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

// keys are the entities that are written.
func (h *house) keys(view string) (keys []feature.Key) {
	h.Helper()
	for i := range 12 {
		k, err := feature.AppendKeyValue(nil, feature.OfInt64(int64(i)))
		if view == "place_stats" {
			k, err = feature.AppendKeyValue(nil, h.text(fmt.Sprint("city ", i%3)))
			if err == nil {
				k, err = feature.AppendKeyValue(k, feature.OfInt64(int64(i)))
			}
		}
		if err != nil {
			h.Fatal(err)
		}
		keys = append(keys, k)
	}
	return keys
}

func (h *house) text(s string) feature.Value {
	v, err := feature.OfString(s)
	if err != nil {
		h.Fatal(err)
	}
	return v
}

// write writes so many random changes: parts of rows, late ones, deletes, nulls, some for
// history alone.
func (h *house) write(n int) {
	h.Helper()
	for range n {
		name := []string{"driver_stats", "driver_stats", "place_stats"}[h.random.IntN(3)]
		v, keys := h.view(name), h.keys(name)
		c := feature.Change{View: v.ID, Key: keys[h.random.IntN(len(keys))], EventTime: noon.Add(time.Duration(h.random.IntN(7200)-3600) * time.Second).UnixNano()}
		if c.Delete = h.random.IntN(6) == 0; !c.Delete {
			for _, f := range v.Fields {
				if h.random.IntN(2) == 0 {
					c.Assignments = append(c.Assignments, feature.Assignment{Feature: f.ID, Rule: f.Rule, Type: f.Type, Value: h.value(&f)})
				}
			}
			if len(c.Assignments) == 0 {
				continue
			}
		}
		w := online.Write{Changes: []online.Placed{{Change: c, Shard: v.Shard(c.Key)}}, LogOnly: h.random.IntN(8) == 0}
		if _, err := h.store.Append(h.Context(), w); err != nil {
			h.Fatal(err)
		}
	}
}

func (h *house) value(f *feature.Field) feature.Value {
	if h.random.IntN(8) == 0 && f.Rule != feature.Counter && f.Rule != feature.Set {
		return feature.Value{}
	}
	switch {
	case f.Type.Shape == feature.Vector:
		return feature.OfVector([]float32{h.random.Float32(), -1})
	case f.Type.Shape == feature.List:
		v, err := feature.OfList(feature.String, h.text(fmt.Sprint("tag ", h.random.IntN(3))))
		if err != nil {
			h.Fatal(err)
		}
		return v
	case f.Type.Kind == feature.Float64:
		return feature.OfFloat64(float64(h.random.IntN(100)))
	case f.Type.Kind == feature.Int64:
		return feature.OfInt64(int64(h.random.IntN(100)))
	}
	return h.text(fmt.Sprint("note ", h.random.IntN(100)))
}

// past brings history up to the log, and opens it.
func (h *house) past() *Past {
	h.Helper()
	in, err := history.NewIngester(history.IngestConfig{Log: h.store, History: h.history, Region: "eu", Poll: time.Millisecond})
	if err != nil {
		h.Fatal(err)
	}
	ctx, cancel := context.WithCancel(h.Context())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	for behind := true; behind; {
		committed := h.history.Committed()
		behind = false
		for _, shard := range h.store.Shards("eu") {
			behind = behind || !h.history.Progress(shard).Covers(h.store.Heads(shard))
		}
		if behind {
			in.Hurry()
			select {
			case <-committed:
			case <-time.After(time.Minute):
				h.Fatal("history is behind the log for a minute")
			}
		}
	}
	cancel()
	if err := <-ended; err != nil {
		h.Fatal(err)
	}
	p, err := Of(h.Context(), h.history.Reader(), h.files)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(p.Close)
	return p
}

func (h *house) config() pit.Config { return pit.Config{SpillDir: h.TempDir()} }

// table is an export's rows, each printed, and its manifest.
type table struct {
	schema   *arrow.Schema
	rows     [][]string
	manifest *api.ExportManifest
}

func (h *house) run(e Export, err error) table {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
	var out table
	out.manifest, err = e.Run(h.Context(), func(rec arrow.Record) error {
		if out.schema != nil && !out.schema.Equal(rec.Schema()) {
			h.Fatalf("records of schemas %v and %v", out.schema, rec.Schema())
		}
		out.schema = rec.Schema()
		for i := range int(rec.NumRows()) {
			var row []string
			for c := range int(rec.NumCols()) {
				row = append(row, rec.Column(c).ValueStr(i))
			}
			out.rows = append(out.rows, row)
		}
		return nil
	})
	if err != nil {
		h.Fatal(err)
	}
	if out.manifest.Rows != int64(len(out.rows)) {
		h.Fatalf("the manifest says %d rows, there are %d", out.manifest.Rows, len(out.rows))
	}
	return out
}

// byKey are rows by the text of their first n columns.
func byKey(rows [][]string, n int) map[string][]string {
	out := map[string][]string{}
	for _, r := range rows {
		out[strings.Join(r[:n], "|")] = slices.Clone(r)
	}
	return out
}
