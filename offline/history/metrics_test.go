package history

import (
	"context"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"featurestore/hlc"
)

func TestWhatAnIngesterMeasures(t *testing.T) {
	reader := sdk.NewManualReader()
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	s := openStore(t, "eu-1")
	s.write(5, "driver_stats")
	now := time.Now().Add(time.Hour)
	in := ingester(t, s, open(t, newTestDisk(t)), func(c *IngestConfig) {
		c.Meter, c.MaxAge, c.Wall = provider.Meter("test"), time.Hour, func() time.Time { return now }
	})
	values := func() map[string]float64 {
		t.Helper()
		var all metricdata.ResourceMetrics
		if err := reader.Collect(context.Background(), &all); err != nil {
			t.Fatal(err)
		}
		out := map[string]float64{}
		for _, scope := range all.ScopeMetrics {
			for _, m := range scope.Metrics {
				if m.Unit == "" || m.Description == "" {
					t.Errorf("%s has no unit or no description", m.Name)
				}
				switch d := m.Data.(type) {
				case metricdata.Gauge[int64]:
					out[m.Name] = float64(d.DataPoints[0].Value)
				case metricdata.Gauge[float64]:
					out[m.Name] = d.DataPoints[0].Value
				case metricdata.Sum[int64]:
					out[m.Name] = float64(d.DataPoints[0].Value)
				case metricdata.Histogram[float64]:
					out[m.Name] = float64(d.DataPoints[0].Count)
				}
			}
		}
		return out
	}
	if _, err := in.turn(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	in.works()
	got := values()
	if got["featurestore.history.held.bytes"] == 0 || got["featurestore.history.lag"] < 3500 || got["featurestore.history.lag"] > 3700 {
		t.Errorf("while rows are held: %v", got)
	}
	rows := in.buffer.rows
	if err := in.flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	got = values()
	for name, want := range map[string]float64{
		"featurestore.history.held.bytes": 0, "featurestore.history.lag": 0,
		"featurestore.history.rows": float64(rows), "featurestore.history.commit.duration": 1,
		"featurestore.history.files": float64(len(in.cfg.History.state().data)),
	} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
	if got["featurestore.history.bytes"] == 0 {
		t.Error("files of no bytes")
	}
	if lag := (Status{Oldest: hlc.FromTime(now.Add(time.Minute))}).lag(now); lag != 0 {
		t.Errorf("an entry of a clock that is ahead has the lag %v", lag)
	}
}
