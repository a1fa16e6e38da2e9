package server

import (
	"encoding/json"
	"strconv"

	"featurestore/api"
	"featurestore/feature"
)

// feastMaterialize serves POST /materialize as far as this version goes: it
// says what is wrong with a request, and of a right one that it does not read
// batch sources.
func (s *Server) feastMaterialize(r *request) error {
	m, err := s.scanMaterialize(r, "async", "force")
	if err != nil {
		return err
	}
	if m.AllTime {
		return errNoMaterialize()
	}
	start, err := materializeTime("start_ts", m.Start)
	if err != nil {
		return err
	}
	end, err := materializeTime("end_ts", m.End)
	if err != nil {
		return err
	}
	if start >= end {
		return api.Problemf(api.CodeInvalidValue, "start_ts", "start_ts %s is not before end_ts %s", m.Start, m.End)
	}
	return errNoMaterialize()
}

// feastMaterializeIncremental serves POST /materialize-incremental likewise.
func (s *Server) feastMaterializeIncremental(r *request) error {
	m, err := s.scanMaterialize(r)
	if err != nil {
		return err
	}
	if _, err := materializeTime("end_ts", m.End); err != nil {
		return err
	}
	return errNoMaterialize()
}

func errNoMaterialize() error {
	return api.NewProblem(api.CodeNotImplemented, "this version does not read batch sources, so nothing was materialized; push the rows instead, with POST /push or featurestore push")
}

// scanMaterialize reads the body, and checks the switches of the query and the
// names of the views.
func (s *Server) scanMaterialize(r *request, switches ...string) (*api.ScannedMaterialize, error) {
	catalog, err := s.feastCatalog(r)
	if err != nil {
		return nil, err
	}
	for _, name := range switches {
		if text := r.QueryParam(name); text != "" {
			if _, err := strconv.ParseBool(text); err != nil {
				return nil, api.Problemf(api.CodeInvalidRequest, "query."+name, "want true or false, got %s", feature.Clip(text))
			}
		}
	}
	body, err := r.readBody(feastTypes...)
	if err != nil {
		return nil, err
	}
	m, err := api.ScanMaterialize(body)
	if err != nil {
		return nil, err
	}
	for _, name := range m.Views {
		if _, err := pushedViews(catalog, name, ""); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// materializeTime reads a time, or a date for its first instant in UTC.
func materializeTime(field string, raw json.RawMessage) (int64, error) {
	if raw == nil {
		return 0, api.Problemf(api.CodeInvalidRequest, field, "the time is missing")
	}
	if day, ok := dateOf(raw); ok {
		raw = day
	}
	ns, err := api.DecodeTime(raw)
	if err != nil {
		return 0, api.Problemf(api.CodeInvalidValue, field, "%v", err)
	}
	return ns, nil
}

// dateOf returns the midnight that starts a date such as "2026-08-21".
func dateOf(raw json.RawMessage) (json.RawMessage, bool) {
	const quoted = len(`"2026-08-21"`)
	if len(raw) != quoted || raw[0] != '"' {
		return nil, false
	}
	return json.RawMessage(string(raw[:quoted-1]) + `T00:00:00"`), true
}
