package sdk_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/sdk"
	"featurestore/server"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

func TestABatchBeyondTheStoresLimitsIsSentInHalves(t *testing.T) {
	s := newStore(t, server.Limits{BodyBytes: 4096, HeldBytes: 1 << 20, Rows: 30})
	c := newClient(t, s.url)
	w := newWriter[driver](t, c, sdk.View("driver_stats"), sdk.WriterConfig{MaxBatchRows: 100, MaxDelay: time.Hour, MaxInFlight: 1})
	ctx := within(t, time.Minute)
	var futures []*sdk.Future
	for i := range 100 {
		row := driver{ID: int64(i), ConvRate: sdk.Some[float32](1)}
		switch {
		case i < 50:
			row.Tags = []string{strings.Repeat("x", 200)} // too many bytes
		case i == 99:
			row.Tags = []string{strings.Repeat("x", 5000)} // more than any body may have
		}
		f, err := w.Push(ctx, row)
		if err != nil {
			t.Fatal(err)
		}
		futures = append(futures, f)
	}
	if err := w.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	for i, f := range futures {
		r, err := f.Wait(ctx)
		if i < 99 && r.Verdict != sdk.Accepted {
			t.Errorf("row %d: got %v, %v; want accepted", i, r.Verdict, err)
		}
		if i == 99 && (r.Verdict != sdk.Refused || !errors.Is(err, api.CodePayloadTooLarge)) {
			t.Errorf("the row that no body can hold: got %v, %v; want refused, %v", r.Verdict, err, api.CodePayloadTooLarge)
		}
	}
}

func TestAnAnswerBeyondResponseBytesIsRefused(t *testing.T) {
	c := newClient(t, newStore(t).url, func(cfg *sdk.Config) { cfg.ResponseBytes = 20 })
	if _, err := c.Views(t.Context()); !errors.Is(err, sdk.ErrBadAnswer) {
		t.Errorf("got %v, want %v", err, sdk.ErrBadAnswer)
	}
}

func TestMetricsCountOperationsRetriesAndRows(t *testing.T) {
	reader := metric.NewManualReader()
	meter := metric.NewMeterProvider(metric.WithReader(reader)).Meter("sdk")
	s := newStore(t)
	var connections atomic.Int64
	r := newRelay(t, s.url, func() int {
		if connections.Add(1) == 1 {
			return 1
		}
		return 0
	})
	c := newClient(t, r.url, func(cfg *sdk.Config) { cfg.Meter = meter })
	w := newWriter[trip](t, c, sdk.View("driver_stats"), sdk.WriterConfig{})
	ctx := within(t, time.Minute)
	for i := range 5 {
		if _, err := w.Push(ctx, trip{ID: int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	got := counted(t, reader)
	if got["featurestore.client.retries"] != 1 || got["featurestore.client.writer.rows"] != 5 ||
		got["featurestore.client.writer.buffered"] != 0 || got["featurestore.client.operation.duration"] < 4 {
		t.Errorf("got %v, want 1 retry, 5 rows, none buffered, and at least 4 operations", got)
	}
}

func TestMetricsCountMovesAndHedges(t *testing.T) {
	reader := metric.NewManualReader()
	eu, us := newStoreIn(t, "eu"), newStoreIn(t, "us")
	slow := newRelay(t, eu.url, never)
	c := newClient(t, slow.url, alsoAt(us.url), func(cfg *sdk.Config) {
		cfg.Meter = metric.NewMeterProvider(metric.WithReader(reader)).Meter("sdk")
		cfg.HedgeShare, cfg.Retry.TryTimeout = 0.001, 500*time.Millisecond
	})
	if got := servedBy(t, t.Context(), c); got != "eu" {
		t.Fatalf("region %s answers, want eu", got)
	}
	slow.hold.Store(true)
	q := sdk.Features().At(sdk.ReadOptions{Hedge: time.Millisecond})
	for range 3 { // one that hedges; by the last, eu is found to be far or away
		if r, err := sdk.Lookup[trip](within(t, time.Minute), c, q, sdk.Keys(trip{ID: 1})); err != nil || r.Met.Region != "us" {
			t.Fatalf("got %+v, %v; want us to answer", r, err)
		}
	}
	if got := counted(t, reader); got["featurestore.client.hedges"] < 1 || got["featurestore.client.moves"] != 1 {
		t.Errorf("got %v, want a hedge that won, and a move", got)
	}
}

// A client of one store has nobody to hedge with, and counts that it would have.
func TestMetricsCountHedgesThatWereRefused(t *testing.T) {
	reader := metric.NewManualReader()
	slow := newRelay(t, newStoreIn(t, "eu").url, never)
	c := newClient(t, slow.url, func(cfg *sdk.Config) {
		cfg.Meter = metric.NewMeterProvider(metric.WithReader(reader)).Meter("sdk")
	})
	if got := servedBy(t, t.Context(), c); got != "eu" {
		t.Fatalf("region %s answers, want eu", got)
	}
	slow.hold.Store(true)
	q := sdk.Features().At(sdk.ReadOptions{Hedge: time.Millisecond})
	for ctx := within(t, time.Minute); counted(t, reader)["featurestore.client.hedges"] < 1; {
		if ctx.Err() != nil {
			t.Fatalf("got %v, want a hedge that was refused", counted(t, reader))
		}
		try, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		_, _ = sdk.Lookup[trip](try, c, q, sdk.Keys(trip{ID: 1})) // nobody answers
		cancel()
	}
}

// counted collects every sum, and the number of each histogram's samples.
func counted(t *testing.T, reader metric.Reader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				got[m.Name] += p.Value
			}
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				got[m.Name] += int64(p.Count)
			}
		}
	}
	return got
}
