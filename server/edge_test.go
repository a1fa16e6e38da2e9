package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"featurestore/api"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/labstack/echo/v4"
)

// with adds a route to a house, to see what the edge makes of its handler.
func (h *house) with(path string, handle func(*request) error) {
	rt := &route{method: http.MethodGet, path: path, dialect: "native", handle: handle}
	h.server.echo.Add(rt.method, rt.path, func(c echo.Context) error { return h.server.serve(rt, c) })
}

// journal keeps log lines.
type journal struct {
	mu    sync.Mutex
	lines strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines.String()
}

func logged(j *journal) func(*Config) {
	return func(c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
}

func TestUnroutedRequests(t *testing.T) {
	h := newHouse(t)
	if p := h.problem(h.do(http.MethodGet, "/v2/nothing", "")); p.Code != api.CodeRouteNotFound {
		t.Errorf("got %+v", p)
	}
	w := h.do(http.MethodGet, "/v1/projects/rides/push", "")
	if p := h.problem(w); p.Code != api.CodeMethodNotAllowed || !strings.Contains(p.Detail, "use ") || !strings.Contains(w.Header().Get("Allow"), http.MethodPost) {
		t.Errorf("got %+v, Allow %q", p, w.Header().Get("Allow"))
	}
}

func TestRequestIDs(t *testing.T) {
	h := newHouse(t)
	for given, kept := range map[string]bool{
		"abc-123": true, "": false, strings.Repeat("x", 200): false, "a b": false, `a"b`: false, "a\x7fb": false,
	} {
		got := h.do(http.MethodGet, "/livez", "", api.HeaderRequestID, given).Header().Get(api.HeaderRequestID)
		if (got == given) != kept || got == "" {
			t.Errorf("given %q, got %q", given, got)
		}
	}
	a, b := requestID(""), requestID("")
	if a == b {
		t.Errorf("%q twice", a)
	}
}

// TestUnforeseenErrorsStayInside is invariant E2.
func TestUnforeseenErrorsStayInside(t *testing.T) {
	var log journal
	h := newHouse(t, logged(&log))
	h.with("/panics", func(*request) error { panic("secret of the house") })
	h.with("/fails", func(*request) error { return errors.New("secret of the house") })
	for _, path := range []string{"/panics", "/fails"} {
		w := h.do(http.MethodGet, path, "", api.HeaderRequestID, "find-me"+path)
		p := h.problem(w)
		if p.Code != api.CodeInternal || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: got %s", path, w.Body)
		}
		if !strings.Contains(log.String(), "find-me"+path) || !strings.Contains(log.String(), "secret of the house") {
			t.Errorf("%s: the log does not say what happened: %s", path, &log)
		}
	}
	if n := h.server.InFlight(); n != 0 {
		t.Errorf("%d requests are still in flight", n)
	}
}

func TestAnswerThatBreaksOffEndsTheConnection(t *testing.T) {
	h := newHouse(t)
	h.with("/half", func(r *request) error {
		r.Response().WriteHeader(http.StatusOK)
		if _, err := io.WriteString(r.Response(), "half of "); err != nil {
			return err
		}
		r.Response().Flush()
		return errors.New("the disk went away")
	})
	server := httptest.NewServer(h.server.Handler())
	defer server.Close()
	answer, err := http.Get(server.URL + "/half")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.ReadAll(answer.Body); err == nil {
		t.Error("the answer looks whole")
	}
	if n := h.server.InFlight(); n != 0 {
		t.Errorf("%d requests are still in flight", n)
	}
}

func TestDeadline(t *testing.T) {
	h := newHouse(t)
	h.with("/slow", func(r *request) error {
		<-r.context().Done()
		return fmt.Errorf("wait for what never comes: %w", r.context().Err())
	})
	p := h.problem(h.do(http.MethodGet, "/slow", "", api.HeaderTimeout, "1ms"))
	if p.Code != api.CodeDeadlineExceeded {
		t.Errorf("got %+v", p)
	}
}

// TestSlowBodyEndsWithItsRequest: whoever sends a body byte by byte holds the
// request no longer than its time.
func TestSlowBodyEndsWithItsRequest(t *testing.T) {
	h := newHouse(t)
	server := httptest.NewServer(h.server.Handler())
	defer server.Close()
	body, never := io.Pipe()
	defer never.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/projects/rides/push", body)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = 100
	r.Header.Set("Content-Type", api.MediaJSON)
	r.Header.Set(api.HeaderTimeout, "50ms")
	go never.Write([]byte(`{"view":`))
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil || w.StatusCode != http.StatusGatewayTimeout || !strings.Contains(string(text), "did not arrive in time") {
		t.Errorf("got %d %s, %v", w.StatusCode, text, err)
	}
}

// TestDrain is invariant E4: in-flight requests end, no request begins, and the
// probes say so.
func TestDrain(t *testing.T) {
	h := newHouse(t)
	begun, end := make(chan struct{}), make(chan struct{})
	h.with("/slow", func(r *request) error {
		close(begun)
		<-end
		return r.json(http.StatusOK, struct{}{})
	})
	slow := make(chan int)
	go func() { slow <- h.do(http.MethodGet, "/slow", "").Code }()
	<-begun
	h.server.Drain()
	w := h.post("push", `{"view":"driver_stats","rows":[{"driver_id":1,"vip":true}]}`)
	if p := h.problem(w); p.Code != api.CodeDraining || w.Header().Get("Retry-After") == "" {
		t.Errorf("a new request: got %+v", p)
	}
	if w := h.do(http.MethodGet, "/readyz", ""); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "stopping") {
		t.Errorf("/readyz: got %d %s", w.Code, w.Body)
	}
	if w := h.do(http.MethodGet, "/livez", ""); w.Code != http.StatusOK {
		t.Errorf("/livez: got %d", w.Code)
	}
	if n := h.server.InFlight(); n != 1 {
		t.Errorf("%d in flight, want the slow one", n)
	}
	close(end)
	if code := <-slow; code != http.StatusOK {
		t.Errorf("the request in flight got %d", code)
	}
	if entries, _ := h.stored(); entries != 0 {
		t.Errorf("%d entries were stored", entries)
	}
}

// TestFullDisk: writes are refused as read_only without telling where the disk
// is, lookups go on, and the probes say so.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	body := `{"view":"driver_stats","rows":[{"driver_id":1,"vip":true}]}`
	t.Run("before", func(t *testing.T) {
		h := newHouseOn(t, dir, -1)
		answer[api.PushResponse](h, h.post("push", body))
	})
	h := newHouseOn(t, dir, 1<<60)
	w := h.post("push", body)
	if p := h.problem(w); p.Code != api.CodeReadOnly || strings.Contains(w.Body.String(), dir) || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %s", w.Body)
	}
	look := answer[api.LookupResponse](h, h.post("lookup", `{"features":["driver_stats:vip"],"entities":{"driver_id":[1]}}`))
	if string(look.Rows[0].Values[0]) != "true" {
		t.Errorf("got %+v", look)
	}
	if got := answer[api.Health](h, h.do(http.MethodGet, "/readyz", "")); got.Status != "read_only" || got.Reason == "" {
		t.Errorf("got %+v", got)
	}
}

func TestDocumentIsServed(t *testing.T) {
	h := newHouse(t)
	if got := answer[map[string]any](h, h.do(http.MethodGet, "/openapi.json", "")); got["openapi"] == nil {
		t.Errorf("got %v", got)
	}
}

func TestReadyzSaysWhyNot(t *testing.T) {
	why := errors.New("copying from us-1: 40%")
	h := newHouse(t, func(c *Config) { c.Ready = func() error { return why } })
	if w := h.do(http.MethodGet, "/readyz", ""); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), why.Error()) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	why = nil
	if w := h.do(http.MethodGet, "/health", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"ok"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// TestTooMuchAtOnceIsRefused is invariant E3.
func TestTooMuchAtOnceIsRefused(t *testing.T) {
	h := newHouse(t, func(c *Config) {
		c.Limits = Limits{InFlight: 1, BodyBytes: 64 << 10, HeldBytes: 64 << 10}
	})
	h.with("/inner", func(r *request) error { return nil })
	var inner *httptest.ResponseRecorder
	h.with("/outer", func(r *request) error {
		inner = h.do(http.MethodGet, "/inner", "")
		return r.json(http.StatusOK, struct{}{})
	})
	h.do(http.MethodGet, "/outer", "")
	if p := h.problem(inner); p.Code != api.CodeOverloaded || !strings.Contains(p.Detail, "in flight") {
		t.Errorf("got %+v", p)
	}
	h.server.held.Store(60 << 10) // as if another request held so much
	p := h.problem(h.post("push", `{"view":"driver_stats","rows":[{"driver_id":1,"name":"`+strings.Repeat("x", 40<<10)+`"}]}`))
	if p.Code != api.CodeOverloaded || !strings.Contains(p.Detail, "bytes of bodies") {
		t.Errorf("got %+v", p)
	}
	if held := h.server.held.Load(); held != 60<<10 {
		t.Errorf("%d bytes are counted, want those of the other request", held)
	}
}

func TestMetricsTellRouteDialectStatusAndCode(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	h := newHouse(t, func(c *Config) { c.Meter = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("server") })
	h.post("push", `{"view":"driver_stats","rows":[{"driver_id":1,"vip":true}]}`)
	h.post("push", `{"view":"nothing","rows":[]}`)
	var got metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &got); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%+v", got.ScopeMetrics)
	for _, want := range []string{
		"featurestore.server.request.duration", "featurestore.server.refused", "featurestore.server.in_flight", "featurestore.server.held_bytes",
		"/v1/projects/:project/push", "native", "view_not_found",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
}

func TestSpansCarryTheRoute(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	h := newHouse(t, func(c *Config) { c.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)) })
	h.post("push", `{"view":"driver_stats","rows":[{"driver_id":1,"vip":true}]}`,
		"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	got := spans.GetSpans()
	if len(got) != 1 || got[0].Name != "POST /v1/projects/:project/push" || got[0].SpanContext.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("got %+v", got)
	}
}

func TestAccessLog(t *testing.T) {
	var log journal
	h := newHouse(t, logged(&log))
	h.post("push", `{"view":"nothing","rows":[]}`, api.HeaderRequestID, "find-me")
	for _, want := range []string{"level=DEBUG", "request=find-me", "method=POST", "status=404", "code=view_not_found", "took="} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in %s", want, &log)
		}
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	err := Config{Timeout: time.Hour, Limits: Limits{Rows: -1, BodyBytes: 1 << 30}}.Validate()
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{"Region", "Store", "Online", "Coordinator", "Signer", "MaxTimeout", "Limits.Rows", "HeldBytes"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in %v", want, err)
		}
	}
}

// TestEverySentinelHasItsCode walks the server's half of the table of errors.
func TestEverySentinelHasItsCode(t *testing.T) {
	for _, s := range sentinels {
		got := codeOf(fmt.Errorf("append: %w", s.err))
		if got != s.code || got.Title() == "" {
			t.Errorf("%v has code %q, want %q", s.err, string(got), string(s.code))
		}
		if _, ok := api.CodeOf(s.err); ok {
			t.Errorf("%v is in api's table too", s.err)
		}
	}
}
