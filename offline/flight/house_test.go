package flight

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/offline/export"
	"featurestore/offline/history"
	"featurestore/offline/pit"
	"featurestore/online"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

const rides = `
project: rides
entities: [{name: driver, join_keys: [{name: driver_id, type: int64}]}]
views:
  - name: driver_stats
    entity: driver
    max_lateness: 8760h
    features:
      - {name: rate, type: float64}
      - {name: trips, type: int64, conflict: counter}
      - {name: tags, type: "list<string>", conflict: set}
      - {name: note, type: string}
  - {name: empty, entity: driver, features: [{name: rate, type: float64}]}
on_demand:
  - {name: ratio, inputs: ["driver_stats:rate"], request: [{name: demand, type: float64}], features: [{name: of, type: float64, expr: "rate / demand"}]}
services: [{name: driver_v1, features: ["driver_stats:rate", "driver_stats:trips"]}]
`

// noon is when the tests' rows begin; the store's clock is an hour later.
var noon = time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC)

// house is a real store and the history that is kept of it.
type house struct {
	testing.TB
	store   *online.Store
	history *history.History
	files   *history.Disk
	folder  string  // of files
	served  *Server // the last
	random  *rand.Rand
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
	h := &house{TB: t, store: store, folder: t.TempDir(), random: rand.New(rand.NewPCG(1, 5))}
	h.files = history.NewDisk(h.folder)
	h.reopen()
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

// reopen opens the history to write, as a process that begins does.
func (h *house) reopen() {
	h.Helper()
	var err error
	if h.history, err = history.Open(h.Context(), history.Config{Files: h.files, Keep: time.Nanosecond, WholeEvery: 1}); err != nil {
		h.Fatal(err)
	}
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

// write writes rows of a hundred drivers, over days, and brings history up to them.
func (h *house) write(rows int) {
	h.Helper()
	c, _ := h.store.Registry().Catalog("rides")
	v, _ := c.View("driver_stats")
	for from := 0; from < rows; from += 500 {
		var w online.Write
		for range min(500, rows-from) {
			key, err := feature.AppendKeyValue(nil, feature.OfInt64(int64(h.random.IntN(100))))
			if err != nil {
				h.Fatal(err)
			}
			change := feature.Change{View: v.ID, Key: key, EventTime: noon.Add(-time.Duration(h.random.IntN(72*3600)) * time.Second).UnixNano()}
			for _, f := range v.Fields {
				if h.random.IntN(3) > 0 {
					change.Assignments = append(change.Assignments, feature.Assignment{Feature: f.ID, Rule: f.Rule, Type: f.Type, Value: h.value(f.Type)})
				}
			}
			change.Delete = len(change.Assignments) == 0
			w.Changes = append(w.Changes, online.Placed{Change: change, Shard: v.Shard(key)})
		}
		if _, err := h.store.Append(h.Context(), w); err != nil {
			h.Fatal(err)
		}
	}
	h.ingest()
}

func (h *house) value(t feature.Type) feature.Value {
	text, err := feature.OfString(fmt.Sprint("text ", h.random.IntN(1000)))
	if err == nil && t.Shape == feature.List {
		text, err = feature.OfList(feature.String, text)
	}
	if err != nil {
		h.Fatal(err)
	}
	switch t.Kind {
	case feature.Float64:
		return feature.OfFloat64(h.random.Float64())
	case feature.Int64:
		return feature.OfInt64(int64(h.random.IntN(100)))
	}
	return text
}

// ingest brings history up to the log.
func (h *house) ingest() {
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
}

func (h *house) source() export.Source { return export.Source{History: h.history, Files: h.files} }

func (h *house) past() *export.Past {
	h.Helper()
	p, err := h.source().Now(h.Context())
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(p.Close)
	return p
}

// serve serves the history, and returns a stock client.
func (h *house) serve(edit ...func(*Config)) flight.Client {
	h.Helper()
	client, _ := h.server(edit...)
	return client
}

// server is serve, with what stops the server in order.
func (h *house) server(edit ...func(*Config)) (flight.Client, func()) {
	h.Helper()
	cfg := Config{
		Source: h.source(), Join: pit.Config{SpillDir: h.TempDir()}, Logger: slog.New(slog.NewTextHandler(h.Output(), nil)),
	}
	var err error
	if cfg.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		h.Fatal(err)
	}
	for _, e := range edit {
		e(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		h.Fatal(err)
	}
	h.served = s
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	client, err := flight.NewClientWithMiddleware(s.Addr().String(), nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		h.Fatal(err)
	}
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			h.Error(err)
		}
	}
	h.Cleanup(func() {
		if err := client.Close(); err != nil {
			h.Error(err)
		}
		stop()
	})
	return client, stop
}

// hold begins an exchange whose entity rows do not end, and returns once it runs.
func (h *house) hold(c flight.Client, rec arrow.Record) flight.FlightService_DoExchangeClient {
	h.Helper()
	held, err := c.DoExchange(h.Context())
	if err != nil {
		h.Fatal(err)
	}
	w := flight.NewRecordWriter(held, ipc.WithSchema(rec.Schema()))
	w.SetFlightDescriptor(command(h, api.ExportRequest{Service: "driver_v1"}))
	if err := w.Write(rec); err != nil {
		h.Fatal(err)
	}
	for len(h.served.trainings) == 0 { // each call is a turn of the server
		if _, err := c.GetFlightInfo(h.Context(), command(h, api.ExportRequest{Rows: "driver_stats"})); err != nil {
			h.Fatal(err)
		}
	}
	return held
}

// exported is what an export gives in this process.
func (h *house) exported(e export.Export, err error) *table {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
	out := &table{}
	out.manifest, err = e.Run(h.Context(), func(rec arrow.Record) error {
		out.schema = rec.Schema()
		out.add(rec)
		return nil
	})
	if err != nil {
		h.Fatal(err)
	}
	return out
}
