package server

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/feature/definition"
)

// mediaDefinitions are what plan and apply accept. JSON is YAML.
var mediaDefinitions = []string{api.MediaYAML, "application/x-yaml", "text/yaml", "text/x-yaml", api.MediaJSON}

// planDefinitions serves POST /v1/projects/{project}/plan.
func (s *Server) planDefinitions(r *request) error {
	d, err := r.definitions()
	if err != nil {
		return err
	}
	if home, away, err := s.home(r); away && err == nil {
		// The home knows what is applied. While it is away, what is known here
		// is the best there is; an apply compares revisions anyway.
		if answer, err := s.atHome(r, home); err == nil {
			defer answer.Body.Close()
			return s.relay(r, answer)
		}
	}
	plan, err := s.cfg.Online.Registry().Plan(d)
	if err != nil {
		return err
	}
	return r.json(http.StatusOK, api.PlanOf(plan, false))
}

// applyDefinitions serves POST /v1/projects/{project}/apply. With
// ?expect=REVISION, or If-Match and the ETag of a read, it applies only to
// that revision.
func (s *Server) applyDefinitions(r *request) error {
	d, err := r.definitions()
	if err != nil {
		return err
	}
	expect, err := r.expected()
	if err != nil {
		return err
	}
	home, away, err := s.home(r)
	if err != nil {
		return err
	}
	if away {
		return s.applyAtHome(r, home)
	}
	plan, err := s.cfg.Online.Apply(r.context(), d, expect)
	if err != nil {
		return err
	}
	answer := api.PlanOf(plan, true)
	r.Response().Header().Set("ETag", etag(answer.Revision))
	return r.json(http.StatusOK, answer)
}

// definitions reads the body, which must be of the project in the path.
func (r *request) definitions() (feature.Definitions, error) {
	body, err := r.readBody(mediaDefinitions...)
	if err != nil {
		return feature.Definitions{}, err
	}
	d, err := definition.Parse("body", bytes.NewReader(body))
	if err != nil {
		return feature.Definitions{}, err
	}
	if project := r.Param("project"); d.Project != project {
		p := api.Problemf(api.CodeInvalidDefinitions, "project", "the definitions are of project %q, the path names %q", feature.Clip(d.Project), feature.Clip(project))
		p.Problems = []string{"project: " + p.Detail}
		return feature.Definitions{}, p
	}
	return d, nil
}

// expected returns the revision that an apply was planned against, nil when it
// takes whatever is there.
func (r *request) expected() (*uint64, error) {
	field, text := "expect", r.QueryParam("expect")
	if text == "" {
		field, text = "If-Match", strings.Trim(r.Request().Header.Get("If-Match"), `"`)
	}
	if text == "" || text == "*" {
		return nil, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, api.Problemf(api.CodeInvalidRequest, field, "%q is not a revision, which is a whole number from 0", feature.Clip(text))
	}
	return &n, nil
}

// describe adds what the errors of definitions say beyond their text.
func describeDefinitions(p *api.Problem, err error) {
	var invalid *feature.InvalidError
	var conflict *feature.ConflictError
	switch {
	case errors.As(err, &conflict):
		p.Difference = conflict.Difference
	case errors.As(err, &invalid):
		for _, fault := range invalid.Problems {
			p.Problems = append(p.Problems, fault.String())
		}
		if invalid.More > 0 {
			p.Problems = append(p.Problems, "and "+strconv.Itoa(invalid.More)+" more")
		}
		p.Field = invalid.Problems[0].Path
	case errors.Is(err, feature.ErrInvalid):
		p.Problems = strings.Split(err.Error(), "\n")
		var fault *definition.FaultError
		if errors.As(err, &fault) {
			p.Field = fault.Path
		}
	}
	if n := len(p.Problems); n > 1 {
		p.Detail = strconv.Itoa(n) + " faults; nothing was applied"
	}
}
