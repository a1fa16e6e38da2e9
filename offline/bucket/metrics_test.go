package bucket_test

import (
	"io"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"featurestore/offline/bucket"
	"featurestore/offline/bucket/buckettest"
)

func TestWhatABucketMeasures(t *testing.T) {
	s := buckettest.New(t)
	reader := sdk.NewManualReader()
	b, err := bucket.Open(t.Context(), s.URL("p"), bucket.Options{Meter: sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("test")})
	if err != nil {
		t.Fatal(err)
	}
	b.Hurry(3, patient)
	s.SetFault(once("PutObject", buckettest.Refuse, buckettest.Lose))
	size := 2*bucket.BlockBytes + 7
	if err := b.Create(t.Context(), "a", noise(size)); err != nil { // failed twice, refused, looked at
		t.Fatal(err)
	}
	if err := b.Create(t.Context(), "b", noise(5)); err != nil {
		t.Fatal(err)
	}
	f, err := b.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		switch d := m.Data.(type) {
		case metricdata.Sum[int64]:
			got[m.Name] = d.DataPoints[0].Value
		case metricdata.Histogram[float64]:
			for _, p := range d.DataPoints {
				got[text(p.Attributes, "operation")+" "+text(p.Attributes, "outcome")] = int64(p.Count)
			}
		}
	}
	for name, want := range map[string]int64{
		"featurestore.bucket.sent": 5, "featurestore.bucket.received": int64(size),
		"create failed": 2, "create refused": 1, "look ok": 1, "create ok": 1, "read ok": 2,
	} {
		if got[name] != want {
			t.Errorf("%s: got %d, want %d; all are %v", name, got[name], want, got)
		}
	}
}

func text(s attribute.Set, key attribute.Key) string {
	v, _ := s.Value(key)
	return v.AsString()
}
