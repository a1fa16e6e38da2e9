package online

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"featurestore/hlc"
)

func TestMetricsTellWhatHappened(t *testing.T) {
	reader := metric.NewManualReader()
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	h := openHouse(t, func(c *Config) { c.Meter = provider.Meter("test") })
	h.append(write(change(1, 2, setRate(1)), change(2, 2, setRate(1))))
	h.append(write(change(1, 1, setRate(1))))
	now, err := h.Clock().Now()
	if err != nil {
		t.Fatal(err)
	}
	r := newRemote(77)
	r.write(t, 10, false, change(3, 1, setRate(1)))
	r.write(t, now+hlc.New(3_600_000, 0), false, change(3, 1, setRate(1)))
	h.mustJoin(r.after(0))
	collecting(t, h)
	h.append(write(deletion(4, 1)))
	if err := h.Collect(t.Context(), shardA, h.own(shardA)+1); err != nil {
		t.Fatal(err)
	}
	var b Batch
	b.Add(shardA, 1, entity(1)) // hot
	b.Add(shardA, 1, entity(9)) // not there
	if err := h.Read(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		if m.Description == "" || m.Unit == "" {
			t.Errorf("%s has no description or unit", m.Name)
		}
		got[m.Name] = figure(m.Data)
	}
	for name, want := range map[string]float64{
		"commit.duration": 6, "commit.rows": 6, "writes": 3, "joined.entries": 2, "clock.ahead": 1, "collected": 1, "superseded": 1, "read.duration": 1,
		"conflicts.superseded": 1, "conflicts.concurrent": 0, "conflicts.dropped": 0,
		"hot.hits": 1, "hot.misses": 1, "queue.length": 0, "waiters": 0, "snapshots": 0, "read_only": 0,
	} {
		if have, ok := got["featurestore.online."+name]; !ok || have != want {
			t.Errorf("%s = %v (there: %v), want %v", name, have, ok, want)
		}
	}
	for _, name := range []string{"log.bytes", "hot.bytes"} {
		if got["featurestore.online."+name] <= 0 {
			t.Errorf("%s = %v, want some", name, got["featurestore.online."+name])
		}
	}
}

// figure is the sum or the gauge, and the count of a histogram.
func figure(data metricdata.Aggregation) float64 {
	total := 0.0
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range d.DataPoints {
			total += float64(p.Value)
		}
	case metricdata.Gauge[int64]:
		for _, p := range d.DataPoints {
			total += float64(p.Value)
		}
	case metricdata.Histogram[int64]:
		for _, p := range d.DataPoints {
			total += float64(p.Count)
		}
	case metricdata.Histogram[float64]:
		for _, p := range d.DataPoints {
			total += float64(p.Count)
		}
	}
	return total
}
