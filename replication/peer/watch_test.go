package peer

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// eventually asks until it is so, or ctx ends.
func eventually(ctx context.Context, t testing.TB, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			t.Fatalf("never happened: %s", what)
		case <-tick.C:
		}
	}
}

// lines is a log that a test reads.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *lines) wait(ctx context.Context, t testing.TB, want string) {
	t.Helper()
	eventually(ctx, t, "a log line with "+want, func() bool { return strings.Contains(l.String(), want) })
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// figures reads the instruments of a transport.
type figures struct {
	reader *sdk.ManualReader
	meter  metric.Meter
}

func newFigures(t testing.TB) *figures {
	t.Helper()
	reader := sdk.NewManualReader()
	return &figures{reader: reader, meter: sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("test")}
}

// sum adds up the points of a counter whose attributes include a pair.
func (f *figures) sum(t testing.TB, name, key, value string) int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := f.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			data, ok := m.Data.(metricdata.Sum[int64])
			if !ok || m.Name != name {
				continue
			}
			for _, p := range data.DataPoints {
				for _, kv := range p.Attributes.ToSlice() {
					if string(kv.Key) == key && kv.Value.AsString() == value {
						total += p.Value
					}
				}
			}
		}
	}
	return total
}

// wait returns when a peer was refused for a reason.
func (f *figures) wait(ctx context.Context, t testing.TB, reason string) {
	t.Helper()
	eventually(ctx, t, "a peer refused as "+reason, func() bool {
		return f.sum(t, "featurestore.replication.peer.refused", "reason", reason) > 0
	})
}
