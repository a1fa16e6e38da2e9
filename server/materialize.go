package server

import (
	"net/http"
	"time"

	"featurestore/api"
	"featurestore/offline/batch"
	"featurestore/offline/jobs"
)

// Batch sources are materialized at the home alone: there is one, so that two stores do
// not write the same rows at once.

// materialize serves POST /v1/projects/{project}/materialize: it answers with the job
// that was started.
func (s *Server) materialize(r *request) error {
	if _, err := s.catalog(r); err != nil {
		return err
	}
	body, err := r.readBody(api.MediaJSON)
	if err != nil {
		return err
	}
	home, away, err := s.home(r)
	if err != nil {
		return err
	}
	if away {
		return s.relayHome(r, home)
	}
	var asked api.MaterializeRequest
	if err := api.Decode(body, &asked); err != nil {
		return err
	}
	request := batch.Request{Project: r.Param("project"), Views: asked.Views, Again: asked.Again, SkipBadRows: asked.SkipBadRows}
	if asked.From != nil || asked.To != nil {
		if request, err = windowOf(request, asked); err != nil {
			return err
		}
	}
	j, err := s.startMaterialize(request)
	if err != nil {
		return err
	}
	return s.answerJob(r, http.StatusAccepted, j)
}

// windowOf adds the window of event times that was asked for.
func windowOf(request batch.Request, asked api.MaterializeRequest) (batch.Request, error) {
	from, err := materializeTime("from", asked.From)
	if err != nil {
		return request, err
	}
	to, err := materializeTime("to", asked.To)
	if err != nil {
		return request, err
	}
	request.Window, request.From, request.To = true, time.Unix(0, from), time.Unix(0, to)
	return request, nil
}

// startMaterialize starts the job of a request.
func (s *Server) startMaterialize(request batch.Request) (jobs.Job, error) {
	if s.cfg.Batches == nil || s.cfg.Jobs == nil {
		return jobs.Job{}, api.Problemf(api.CodeBatchSource, "", "store %s reads no batch sources: its setting batch_sources names no folder", s.cfg.Store)
	}
	spec, err := s.cfg.Batches.Job(request)
	if err != nil {
		return jobs.Job{}, err
	}
	return started(s.cfg.Jobs.Start(spec))
}
