package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/batch"
	"featurestore/offline/jobs"
)

// feastMaterialize serves POST /materialize: the rows of a window of event times, or all
// that were not written yet where event times are switched off. It answers null when
// they are written, and with async at once.
func (s *Server) feastMaterialize(r *request) error {
	m, catalog, err := s.scanMaterialize(r, "async", "force")
	if err != nil {
		return err
	}
	request := batch.Request{Project: catalog.Project(), Views: m.Views}
	if !m.AllTime {
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
		request.Window, request.From, request.To = true, time.Unix(0, start), time.Unix(0, end)
	}
	return s.feastJob(r, request)
}

// feastMaterializeIncremental serves POST /materialize-incremental: all rows that were
// not written yet. end_ts has to be a time and holds nothing back: a row that arrives
// after it was named would be lost to the next call.
func (s *Server) feastMaterializeIncremental(r *request) error {
	m, catalog, err := s.scanMaterialize(r, "async", "force")
	if err != nil {
		return err
	}
	if _, err := materializeTime("end_ts", m.End); err != nil {
		return err
	}
	return s.feastJob(r, batch.Request{Project: catalog.Project(), Views: m.Views})
}

// feastWait bounds how long a client may wait for its job, in effect not at all: Feast's
// have no timeout of their own.
const feastWait = 7 * 24 * time.Hour

// feastJob runs a job for a client of Feast.
func (s *Server) feastJob(r *request, request batch.Request) error {
	ctx, cancel := context.WithTimeout(r.Request().Context(), feastWait)
	defer cancel()
	home, away, err := s.home(r)
	if err != nil {
		return err
	}
	if away {
		answer, err := s.ask(ctx, r, home)
		if err != nil {
			return api.Problemf(api.CodeHomeUnreachable, "", "store %s in region %s, which materializes: %v", home.Store, home.Region, err)
		}
		defer answer.Body.Close()
		return s.relay(r, answer)
	}
	j, err := s.startMaterialize(request)
	for errors.Is(err, api.CodeJobBusy) && isSet(r, "force") {
		if err := s.cancelBusy(ctx, err); err != nil {
			return err
		}
		j, err = s.startMaterialize(request)
	}
	if errors.Is(err, api.CodeJobBusy) {
		return r.json(http.StatusConflict, api.FeastBusy{Error: err.Error(), Views: s.busyViews(request)})
	}
	if err != nil {
		return err
	}
	if isSet(r, "async") {
		return r.json(http.StatusAccepted, api.FeastAccepted{Status: "accepted", Views: strings.Split(j.Of, ", ")})
	}
	if j, err = s.cfg.Jobs.Wait(ctx, j.ID); err != nil {
		return err
	}
	switch j.State {
	case jobs.Failed:
		return j.Err
	case jobs.Canceled:
		return api.Problemf(api.CodeCanceled, "", "job %s was canceled", j.ID)
	}
	return r.Blob(http.StatusOK, api.MediaJSON, []byte("null"))
}

// cancelBusy cancels the job that another one has to wait for, and waits for its end.
func (s *Server) cancelBusy(ctx context.Context, busy error) error {
	var by *jobs.BusyError
	if !errors.As(busy, &by) {
		return busy
	}
	if _, err := s.cfg.Jobs.Cancel(by.By); err != nil && !errors.Is(err, jobs.ErrUnknown) {
		return err
	}
	if _, err := s.cfg.Jobs.Wait(ctx, by.By); err != nil && !errors.Is(err, jobs.ErrUnknown) {
		return err
	}
	return nil
}

// busyViews are the views of a request that a job works on now.
func (s *Server) busyViews(request batch.Request) []string {
	busy := []string{}
	for _, j := range s.cfg.Jobs.List(request.Project) {
		if j.Kind != api.KindMaterialize || j.State.HasEnded() {
			continue
		}
		for view := range strings.SplitSeq(j.Of, ", ") {
			if len(request.Views) == 0 || slices.Contains(request.Views, view) {
				busy = append(busy, view)
			}
		}
	}
	return busy
}

// isSet reports whether a switch of the query, which was checked, is on.
func isSet(r *request, name string) bool {
	on, _ := strconv.ParseBool(r.QueryParam(name))
	return on
}

// scanMaterialize reads the body, and checks the switches of the query and the
// names of the views.
func (s *Server) scanMaterialize(r *request, switches ...string) (*api.ScannedMaterialize, *feature.Catalog, error) {
	catalog, err := s.feastCatalog(r)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range switches {
		if text := r.QueryParam(name); text != "" {
			if _, err := strconv.ParseBool(text); err != nil {
				return nil, nil, api.Problemf(api.CodeInvalidRequest, "query."+name, "want true or false, got %s", feature.Clip(text))
			}
		}
	}
	body, err := r.readBody(feastTypes...)
	if err != nil {
		return nil, nil, err
	}
	m, err := api.ScanMaterialize(body)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range m.Views {
		if _, err := pushedViews(catalog, name, ""); err != nil {
			return nil, nil, err
		}
	}
	return m, catalog, nil
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
