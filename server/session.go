package server

import (
	"strings"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/feature"
)

// catalog returns the definitions of the project in the request's path, as
// they are now.
func (s *Server) catalog(r *request) (*feature.Catalog, error) {
	project := r.Param("project")
	registry := s.cfg.Online.Registry()
	c, ok := registry.Catalog(project)
	if !ok {
		return nil, registry.NoProject(project)
	}
	return c, nil
}

// sessionOf returns what the request's session tokens name, merged.
func (s *Server) sessionOf(r *request) (consistency.Token, error) {
	values := r.Request().Header[api.HeaderSession]
	switch len(values) {
	case 0:
		return consistency.Token{}, nil
	case 1:
		return s.cfg.Signer.DecodeAll(values[0])
	}
	return s.cfg.Signer.DecodeAll(strings.Join(values, ","))
}

// mergeSession answers with the request's session tokens merged into one, for
// clients that gathered several side by side: tokens are signed, so only a
// store can merge them.
func (s *Server) mergeSession(r *request) error {
	token, err := s.sessionOf(r)
	if err != nil || token.IsEmpty() {
		return err
	}
	r.Response().Header().Set(api.HeaderSession, string(s.cfg.Signer.Append(nil, &token)))
	return nil
}
