package server

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"featurestore/api"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// discard is an answer that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkEdge is what a request costs besides its handler, beside Echo alone.
func BenchmarkEdge(b *testing.B) {
	body := []byte("{}\n")
	plain := echo.New()
	plain.GET("/nothing", func(c echo.Context) error { return c.Blob(http.StatusOK, api.MediaJSON, body) })
	run := func(name string, handler http.Handler) {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/nothing", nil)
			w := discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				handler.ServeHTTP(w, r)
			}
		})
	}
	run("edge=none", plain)
	for name, meter := range map[string]metric.Meter{
		"edge=silent": nil, "edge=metered": sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())).Meter("server"),
	} {
		h := newHouse(b, func(c *Config) { c.Meter = meter })
		h.with("/nothing", func(r *request) error { return r.Blob(http.StatusOK, api.MediaJSON, body) })
		run(name, h.server.Handler())
	}
}
