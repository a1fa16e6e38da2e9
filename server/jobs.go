package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"featurestore/api"
	"featurestore/meta"
	"featurestore/offline/jobs"
)

// Jobs are those of one store, and they run there: a request for a job of another
// store is sent on to it, which the id tells.

// jobStates are the words of the contract for the states of jobs.
var _ = [...]jobs.State{api.JobDone, api.JobFailed, api.JobCanceled}

// listJobs serves GET /v1/projects/{project}/jobs: those of this store.
func (s *Server) listJobs(r *request) error {
	if _, err := s.catalog(r); err != nil {
		return err
	}
	out := api.Jobs{Jobs: []api.Job{}}
	if s.cfg.Jobs != nil {
		for _, j := range s.cfg.Jobs.List(r.Param("project")) {
			job, err := s.jobOf(j)
			if err != nil {
				return err
			}
			out.Jobs = append(out.Jobs, job)
		}
	}
	return r.json(http.StatusOK, out)
}

// job serves GET /v1/projects/{project}/jobs/{id}. With ?wait=10s it answers when
// the job has ended, or after that time.
func (s *Server) job(r *request) error {
	return s.withJob(r, func(j jobs.Job) (jobs.Job, error) {
		text := r.QueryParam("wait")
		if text == "" {
			return j, nil
		}
		limit, err := time.ParseDuration(text)
		if err != nil || limit < 0 {
			return j, api.Problemf(api.CodeInvalidRequest, "query.wait", "%q is no time such as 10s", text)
		}
		// A part of the request's time is left for the answer.
		left := time.Until(r.deadline())
		ctx, cancel := context.WithTimeout(r.context(), min(limit, left-left/10))
		defer cancel()
		j, err = s.cfg.Jobs.Wait(ctx, j.ID)
		if errors.Is(err, context.DeadlineExceeded) {
			err = nil
		}
		return j, err
	})
}

// cancelJob serves DELETE /v1/projects/{project}/jobs/{id}. It answers at once: a job
// that runs ends soon after.
func (s *Server) cancelJob(r *request) error {
	return s.withJob(r, func(j jobs.Job) (jobs.Job, error) { return s.cfg.Jobs.Cancel(j.ID) })
}

// withJob answers with what do returns for the job that the path names.
func (s *Server) withJob(r *request, do func(jobs.Job) (jobs.Job, error)) error {
	if _, err := s.catalog(r); err != nil {
		return err
	}
	id, project := r.Param("id"), r.Param("project")
	if at, away := s.jobStore(id); away && !r.isForwarded() {
		answer, err := s.ask(r.context(), r, at)
		if err != nil {
			return api.Problemf(api.CodeJobNotFound, "", "it runs at store %s in region %s, which did not answer: %v", at.Store, at.Region, err)
		}
		defer answer.Body.Close()
		return s.relay(r, answer)
	}
	var j jobs.Job
	err := jobs.ErrUnknown
	if s.cfg.Jobs != nil {
		j, err = s.cfg.Jobs.Get(jobs.ID(id))
	}
	if err == nil && j.Project != project {
		err = jobs.ErrUnknown
	}
	if err == nil {
		j, err = do(j)
	}
	if errors.Is(err, jobs.ErrUnknown) {
		return api.Problemf(api.CodeJobNotFound, "", "store %s knows no job %q of project %s: it forgets those that ended long ago, and all of them when it is restarted", s.cfg.Store, id, project)
	}
	if err != nil {
		return err
	}
	return s.answerJob(r, http.StatusOK, j)
}

// jobStore returns the other store that a job's id tells of; false for this one and
// for ids of no store.
func (s *Server) jobStore(id string) (meta.Member, bool) {
	cut := strings.LastIndexByte(id, '-')
	if cut < 0 || id[:cut] == s.cfg.Store {
		return meta.Member{}, false
	}
	return s.cfg.Coordinator.Membership().Member(meta.StoreID(id[:cut]))
}

func (s *Server) answerJob(r *request, status int, j jobs.Job) error {
	out, err := s.jobOf(j)
	if err != nil {
		return err
	}
	return r.json(status, out)
}

// jobOf is a job in the words of the contract.
func (s *Server) jobOf(j jobs.Job) (api.Job, error) {
	out := api.Job{
		ID: string(j.ID), Kind: string(j.Kind), Of: j.Of, State: string(j.State), Store: s.cfg.Store,
		Done: j.Done, Total: j.Total, Unit: j.Unit,
		Created: moment(j.Created), Started: moment(j.Started), Ended: moment(j.Ended),
	}
	if j.Detail != nil {
		var err error
		if out.Detail, err = json.Marshal(j.Detail); err != nil {
			return out, err
		}
	}
	if j.Err != nil {
		var p *api.Problem
		if errors.As(j.Err, &p) {
			clone := *p
			clone.Detail = strings.ReplaceAll(j.Err.Error(), p.Error(), p.Detail) // the code is told beside
			out.Error = &clone
		} else {
			out.Error = api.NewProblem(codeOf(j.Err), j.Err.Error())
		}
	}
	return out, nil
}

// moment prints a time, "" for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// started turns what Start refused into a problem.
func started(j jobs.Job, err error) (jobs.Job, error) {
	switch {
	case errors.Is(err, jobs.ErrBusy):
		return j, &busyProblem{api.Problemf(api.CodeJobBusy, "", "%v", err), err}
	case errors.Is(err, jobs.ErrFull):
		return j, api.Problemf(api.CodeOverloaded, "", "%v", err)
	case errors.Is(err, jobs.ErrClosed):
		return j, api.Problemf(api.CodeDraining, "", "%v", err)
	}
	return j, err
}

// busyProblem is the problem of a lock that a job has, with the error that tells which.
type busyProblem struct {
	*api.Problem
	err error
}

// Unwrap returns the problem and the error.
func (b *busyProblem) Unwrap() []error { return []error{b.Problem, b.err} }
