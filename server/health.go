package server

import (
	"errors"
	"net/http"

	"featurestore/api"
	"featurestore/online"
)

// livez answers 200 as long as the process can answer at all.
func (s *Server) livez(r *request) error {
	return r.json(http.StatusOK, api.Health{Status: "ok", Region: s.cfg.Region, Store: s.cfg.Store})
}

// readyz answers 200 while the store may be sent requests, else 503 with the
// reason.
func (s *Server) readyz(r *request) error {
	h := api.Health{Status: "ok", Region: s.cfg.Region, Store: s.cfg.Store}
	status := http.StatusOK
	if why := s.unready(); why != "" {
		h.Status, h.Reason = "unavailable", why
		status = http.StatusServiceUnavailable
	} else if err := s.cfg.Online.Health(); err != nil {
		h.Status, h.Reason = "read_only", err.Error() // lookups go on
	}
	return r.json(status, h)
}

func (s *Server) unready() string {
	if s.draining.Load() {
		return "stopping: in-flight requests end, new ones are refused"
	}
	if err := s.cfg.Online.Health(); errors.Is(err, online.ErrClosed) {
		return err.Error()
	}
	if s.cfg.Ready != nil {
		if err := s.cfg.Ready(); err != nil {
			return err.Error()
		}
	}
	return ""
}
