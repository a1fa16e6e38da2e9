package replica

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracespb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
)

// collector is an OTLP receiver in this process.
type collector struct {
	metricspb.UnimplementedMetricsServiceServer
	url string
	mu  struct {
		sync.Mutex
		metrics, spans []string
	}
}

type spanSink struct {
	tracespb.UnimplementedTraceServiceServer
	*collector
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{url: "http://" + listener.Addr().String()}
	s := grpc.NewServer()
	metricspb.RegisterMetricsServiceServer(s, c)
	tracespb.RegisterTraceServiceServer(s, spanSink{collector: c})
	done := make(chan error, 1)
	go func() { done <- s.Serve(listener) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-done; err != nil {
			t.Errorf("collector: %v", err)
		}
	})
	return c
}

func (c *collector) Export(_ context.Context, r *metricspb.ExportMetricsServiceRequest) (*metricspb.ExportMetricsServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range r.ResourceMetrics {
		for _, scope := range resource.ScopeMetrics {
			for _, m := range scope.Metrics {
				c.mu.metrics = append(c.mu.metrics, m.Name)
			}
		}
	}
	return &metricspb.ExportMetricsServiceResponse{}, nil
}

func (s spanSink) Export(_ context.Context, r *tracespb.ExportTraceServiceRequest) (*tracespb.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range r.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				s.mu.spans = append(s.mu.spans, span.Name)
			}
		}
	}
	return &tracespb.ExportTraceServiceResponse{}, nil
}

func TestTelemetryReachesACollectorAtTheLatestWhenStopped(t *testing.T) {
	c := startCollector(t)
	all := 1.0
	r, stop := start(t, Config{OTLP: OTLP{Endpoint: c.url, Interval: time.Hour, TraceRatio: &all}})
	get(t, r.URL()+"/livez")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.mu.metrics, "featurestore.server.request.duration") {
		t.Errorf("the collector got the metrics %q", c.mu.metrics)
	}
	if !slices.ContainsFunc(c.mu.spans, func(name string) bool { return strings.Contains(name, "GET") }) {
		t.Errorf("the collector got the spans %q, want one of the request", c.mu.spans)
	}
}

func TestACollectorThatIsAwayDoesNotStopAStore(t *testing.T) {
	r, stop := start(t, Config{OTLP: OTLP{Endpoint: "http://127.0.0.1:1", Interval: time.Hour}})
	if status, _ := get(t, r.URL()+"/livez"); status != 200 {
		t.Errorf("/livez answers %d", status)
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}
