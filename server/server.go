package server

import (
	"net/http"
	"sync/atomic"

	"featurestore/api"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
)

// Server answers the REST requests of one store. It starts no goroutine and
// opens no socket: the caller serves Handler.
type Server struct {
	cfg     Config
	echo    *echo.Echo
	handler http.Handler
	routes  []*route
	metrics *metrics
	plans   plans
	feast   feastProject
	// servedBy is the value of a header that every answer shares.
	servedBy []string
	// forward carries requests to other stores.
	forward http.RoundTripper

	draining atomic.Bool
	inFlight atomic.Int64
	held     atomic.Int64 // bytes of bodies, at most Limits.HeldBytes
}

// New returns a server for cfg, which must be valid.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.WithDefaults()
	s := &Server{cfg: cfg, echo: echo.New(), servedBy: []string{cfg.Region + "/" + cfg.Store}, forward: cfg.Forward}
	if s.forward == nil {
		s.forward = defaultForward()
	}
	var err error
	if s.metrics, err = newMetrics(cfg.Meter, s); err != nil {
		return nil, err
	}
	s.echo.HideBanner, s.echo.HidePort = true, true
	s.echo.IPExtractor = echo.ExtractIPDirect() // the default believes what a client says of itself
	s.echo.HTTPErrorHandler = s.unrouted
	s.routes = s.routeTable()
	for _, rt := range s.routes {
		s.echo.Add(rt.method, rt.path, func(c echo.Context) error { return s.serve(rt, c) })
	}
	s.handler = s.traced()
	return s, nil
}

// Handler returns the handler of every route. It is safe for concurrent use.
func (s *Server) Handler() http.Handler { return s.handler }

// Drain makes /readyz fail and refuses new requests with 503; those in flight
// go on. It returns at once: http.Server.Shutdown waits for them.
func (s *Server) Drain() { s.draining.Store(true) }

// InFlight returns the number of requests that are being answered.
func (s *Server) InFlight() int { return int(s.inFlight.Load()) }

// traced wraps the routes in spans named for the route, where there is a
// tracer. Metrics of otelhttp are left out: ours carry the dialect and code.
func (s *Server) traced() http.Handler {
	if s.cfg.Tracer == nil {
		return s.echo
	}
	return otelhttp.NewHandler(s.echo, "http",
		otelhttp.WithTracerProvider(s.cfg.Tracer),
		otelhttp.WithMeterProvider(noop.NewMeterProvider()),
		otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method }),
	)
}

// unrouted answers what Echo's router refuses: no such path, or not with this
// method.
func (s *Server) unrouted(err error, c echo.Context) {
	rt := &route{method: c.Request().Method, path: "", dialect: "native", handle: func(r *request) error {
		switch httpErr, _ := err.(*echo.HTTPError); {
		case httpErr != nil && httpErr.Code == http.StatusMethodNotAllowed:
			return api.Problemf(api.CodeMethodNotAllowed, "", "%s is not allowed at %s; use %s",
				r.Request().Method, r.Request().URL.Path, r.Response().Header().Get(echo.HeaderAllow))
		case httpErr != nil && httpErr.Code == http.StatusNotFound:
			return api.Problemf(api.CodeRouteNotFound, "", "%s is no path of this store", r.Request().URL.Path)
		}
		return err
	}}
	_ = s.serve(rt, c) // serve answers every error itself
}
