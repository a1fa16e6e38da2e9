package server

import (
	"fmt"
	"net/http"
	"time"

	"featurestore/api"
	"featurestore/feature"
)

// Links are the ways between the regions of a deployment that runs in one
// process (featurestore dev).
type Links interface {
	// Links returns every link as it is now.
	Links() []Link
	// SetLink changes one direction between two regions that Links names.
	SetLink(from, to string, l Link) error
}

// Link is one direction of the way between two regions.
type Link struct {
	From, To string
	Delay    time.Duration
	// Loss is a part, 0 to 1.
	Loss float64
	Cut  bool
}

// maxDelay bounds a link's delay: beyond it the link is cut.
const maxDelay = time.Minute

// link serves GET /v1/links/{from}/{to}.
func (s *Server) link(r *request) error {
	l, err := s.findLink(r)
	if err != nil {
		return err
	}
	return r.json(http.StatusOK, linkOf(l))
}

// setLink serves PUT /v1/links/{from}/{to}.
func (s *Server) setLink(r *request) error {
	body, err := r.readBody(api.MediaJSON)
	if err != nil {
		return err
	}
	l, err := s.findLink(r)
	if err != nil {
		return err
	}
	var asked api.Link
	if err := api.Decode(body, &asked); err != nil {
		return err
	}
	l.Delay, l.Loss, l.Cut = 0, asked.Loss, asked.Cut
	if asked.Delay != "" {
		if l.Delay, err = time.ParseDuration(asked.Delay); err != nil || l.Delay < 0 || l.Delay > maxDelay {
			return api.Problemf(api.CodeInvalidValue, "delay", "%q is not a duration from 0 to %v, such as 80ms", feature.Clip(asked.Delay), maxDelay)
		}
	}
	if !(asked.Loss >= 0 && asked.Loss <= 1) {
		return api.Problemf(api.CodeInvalidValue, "loss", "%v is not a part from 0 to 1", asked.Loss)
	}
	if err := s.cfg.Links.SetLink(l.From, l.To, l); err != nil {
		return err
	}
	return r.json(http.StatusOK, linkOf(l))
}

func (s *Server) findLink(r *request) (Link, error) {
	from, to := r.Param("from"), r.Param("to")
	if s.cfg.Links == nil {
		return Link{}, api.Problemf(api.CodeLinkNotFound, "", "only featurestore dev, which runs several regions in one process, has links to change")
	}
	var known []string
	for _, l := range s.cfg.Links.Links() {
		if l.From == from && l.To == to {
			return l, nil
		}
		known = append(known, l.From+"/"+l.To)
	}
	return Link{}, api.Problemf(api.CodeLinkNotFound, "", "no link %s/%s; there are %v", feature.Clip(from), feature.Clip(to), known)
}

func linkOf(l Link) api.Link {
	return api.Link{Delay: fmt.Sprint(l.Delay), Loss: l.Loss, Cut: l.Cut}
}
