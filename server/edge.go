package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"

	"featurestore/api"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// serve answers one request of a route: admission, then the handler, then
// whatever error it returned, then telemetry. Errors end here.
func (s *Server) serve(rt *route, c echo.Context) error {
	r := s.newRequest(rt, c)
	c.Response().Header()[api.HeaderRequestID] = []string{r.id}
	n := s.inFlight.Add(1)
	defer s.leave(r)
	defer s.recovered(r)
	if s.cfg.Tracer != nil {
		span := trace.SpanFromContext(c.Request().Context())
		span.SetName(rt.method + " " + rt.path)
		span.SetAttributes(attribute.String("http.route", rt.path), attribute.String("featurestore.request.id", r.id))
	}
	err := s.accept(rt, n)
	if err == nil {
		err = r.readTimeout()
	}
	if err == nil {
		err = rt.handle(r)
	}
	if err != nil {
		r.fail(err)
	}
	return nil
}

// accept refuses requests of a store that stops or has too many already (E3, E4).
func (s *Server) accept(rt *route, inFlight int64) error {
	switch {
	case rt.always:
	case s.draining.Load():
		return api.Problemf(api.CodeDraining, "", "store %s is stopping", s.cfg.Store)
	case inFlight > int64(s.cfg.Limits.InFlight):
		return api.Problemf(api.CodeOverloaded, "", "%d requests are in flight already", s.cfg.Limits.InFlight)
	}
	return nil
}

// recovered answers for a handler that panicked.
func (s *Server) recovered(r *request) {
	switch v := recover(); v {
	case nil:
	case http.ErrAbortHandler:
		panic(v)
	default:
		s.cfg.Logger.Error("handler panicked", "request", r.id, "route", r.route.path, "panic", v, "stack", string(debug.Stack()))
		r.fail(api.CodeInternal)
	}
}

// leave counts and logs a request, however it ended.
func (s *Server) leave(r *request) {
	s.inFlight.Add(-1)
	s.metrics.observe(r)
	if log := s.cfg.Logger; log.Enabled(r.Request().Context(), slog.LevelDebug) {
		log.Debug("request", "request", r.id, "method", r.Request().Method, "path", r.Request().URL.Path,
			"status", r.Response().Status, "code", string(r.code), "bytes", r.Response().Size, "took", r.elapsed())
	}
	r.release()
}

// fail answers with the problem that err stands for. When the answer has begun
// already, the connection is all that can still say that it went wrong.
func (r *request) fail(err error) {
	p := r.server.problemOf(r, err)
	r.code = p.Code
	if r.Response().Committed {
		level := slog.LevelError
		if r.Request().Context().Err() != nil { // its client went away
			level = slog.LevelDebug
		}
		r.server.cfg.Logger.Log(context.WithoutCancel(r.Request().Context()), level, "answer broken off", "request", r.id, "route", r.route.path, "error", err)
		panic(http.ErrAbortHandler)
	}
	if p.Status == http.StatusServiceUnavailable {
		r.Response().Header().Set("Retry-After", "1")
	}
	write := r.route.fail
	if write == nil {
		write = (*request).writeProblem
	}
	if err := write(r, p); err != nil && !errors.Is(err, r.Request().Context().Err()) {
		r.server.cfg.Logger.Debug("answer not sent", "request", r.id, "error", err)
	}
}
