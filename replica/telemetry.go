package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// telemetry holds what the rooms are handed, and what must be flushed at the
// end.
type telemetry struct {
	log     *slog.Logger
	metrics *sdkmetric.MeterProvider
	traces  *sdktrace.TracerProvider // nil when spans go nowhere
	page    http.Handler             // /metrics
}

// newTelemetry starts what the configuration asks for. ctx bounds nothing
// beyond the call.
func newTelemetry(ctx context.Context, c Config) (_ *telemetry, err error) {
	t := &telemetry{log: newLogger(c)}
	about := resource.NewSchemaless(
		attribute.String("service.name", "featurestore"),
		attribute.String("service.instance.id", c.Store),
		attribute.String("service.version", version()),
		attribute.String("featurestore.region", c.Region),
	)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	options := append(views(), sdkmetric.WithResource(about), sdkmetric.WithReader(reader))
	if c.OTLP.Endpoint != "" {
		sender, err := t.startOTLP(ctx, c, about)
		if err != nil {
			return nil, fmt.Errorf("telemetry: otlp_endpoint %s: %w", c.OTLP.Endpoint, err)
		}
		options = append(options, sdkmetric.WithReader(sender))
	}
	t.metrics = sdkmetric.NewMeterProvider(options...)
	if err := runtime.Start(runtime.WithMeterProvider(t.metrics)); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	t.page = promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(t.log.Handler(), slog.LevelError),
		// Scrapers that never finish must not pile up.
		MaxRequestsInFlight: 4,
	})
	return t, nil
}

// NewMetrics returns what a program beside a store counts with, and the page that
// shows it to Prometheus: histograms have the buckets of a store's.
func NewMetrics() (metric.MeterProvider, http.Handler, error) {
	registry := prometheus.NewRegistry()
	reader, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, nil, fmt.Errorf("telemetry: %w", err)
	}
	provider := sdkmetric.NewMeterProvider(append(views(), sdkmetric.WithReader(reader))...)
	return provider, promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}), nil
}

// startOTLP makes the tracer and returns the reader that sends metrics. Both
// connect in the background: a collector that is away does not stop a store.
func (t *telemetry) startOTLP(ctx context.Context, c Config, about *resource.Resource) (sdkmetric.Reader, error) {
	u, err := url.Parse(c.OTLP.Endpoint)
	if err != nil {
		return nil, err
	}
	traceOptions := []otlptracegrpc.Option{otlptracegrpc.WithEndpoint(u.Host)}
	metricOptions := []otlpmetricgrpc.Option{otlpmetricgrpc.WithEndpoint(u.Host)}
	if u.Scheme == "http" {
		traceOptions = append(traceOptions, otlptracegrpc.WithInsecure())
		metricOptions = append(metricOptions, otlpmetricgrpc.WithInsecure())
	}
	spans, err := otlptracegrpc.New(ctx, traceOptions...)
	if err != nil {
		return nil, err
	}
	measurements, err := otlpmetricgrpc.New(ctx, metricOptions...)
	if err != nil {
		return nil, errors.Join(err, spans.Shutdown(ctx))
	}
	ratio := DefaultTraceRatio
	if c.OTLP.TraceRatio != nil {
		ratio = *c.OTLP.TraceRatio
	}
	t.traces = sdktrace.NewTracerProvider(
		sdktrace.WithResource(about),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio))),
		sdktrace.WithBatcher(spans),
	)
	return sdkmetric.NewPeriodicReader(measurements, sdkmetric.WithInterval(c.OTLP.Interval)), nil
}

// views give every histogram of a unit the same buckets, so that rooms can be
// compared, and buckets that Prometheus shows: its text form of exponential
// histograms has one.
func views() []sdkmetric.Option {
	buckets := func(unit string, bounds ...float64) sdkmetric.Option {
		return sdkmetric.WithView(sdkmetric.NewView(
			sdkmetric.Instrument{Kind: sdkmetric.InstrumentKindHistogram, Name: "featurestore.*", Unit: unit},
			sdkmetric.Stream{Aggregation: sdkmetric.AggregationExplicitBucketHistogram{Boundaries: bounds, NoMinMax: true}},
		))
	}
	counts := []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000}
	return []sdkmetric.Option{
		buckets("s", .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60),
		buckets("By", 1<<8, 1<<10, 1<<12, 1<<14, 1<<16, 1<<18, 1<<20, 1<<22, 1<<24, 1<<26),
		buckets("{row}", counts...),
		buckets("{entity}", counts...),
		buckets("{write}", counts...),
	}
}

// meter returns the meter of a room.
func (t *telemetry) meter(room string) metric.Meter { return t.metrics.Meter("featurestore/" + room) }

// tracer returns nil when there is nowhere to send spans: making them costs.
func (t *telemetry) tracer() trace.TracerProvider {
	if t.traces == nil {
		return nil
	}
	return t.traces
}

// stop sends what is left, until ctx ends. Both are stopped at once, so that
// the one does not take the other's time where the collector is away.
func (t *telemetry) stop(ctx context.Context) error {
	var metrics, traces error
	var both sync.WaitGroup
	both.Go(func() { metrics = t.metrics.Shutdown(ctx) })
	if t.traces != nil {
		both.Go(func() { traces = t.traces.Shutdown(ctx) })
	}
	both.Wait()
	return errors.Join(metrics, traces)
}

func newLogger(c Config) *slog.Logger {
	out := c.LogOutput
	if out == nil {
		out = io.Discard
	}
	options := &slog.HandlerOptions{Level: c.LogLevel}
	var handler slog.Handler = slog.NewTextHandler(out, options)
	if c.LogFormat == LogJSON {
		handler = slog.NewJSONHandler(out, options)
	}
	return slog.New(handler).With("region", c.Region, "store", c.Store)
}

// version is the module's version as it was built in.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
