package server

import (
	"net/url"
	"slices"
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
		return nil, s.noProject(registry, project)
	}
	return c, nil
}

// noProject is the answer where a project is not found. A store that joins may
// not have the definitions yet: nobody is told that there is no such project.
func (s *Server) noProject(registry *feature.Registry, project string) error {
	if err := s.cfg.Coordinator.Serves(); err != nil {
		return err
	}
	return registry.NoProject(project)
}

// sessionOf returns what the request's session tokens name, merged: those of
// its own header, and those that came with the caller's own request as baggage.
func (s *Server) sessionOf(r *request) (consistency.Token, error) {
	header := r.Request().Header
	values := header[api.HeaderSession]
	if carried := header["Baggage"]; len(carried) > 0 {
		values = append(slices.Clip(values), baggageSessions(carried)...)
	}
	switch len(values) {
	case 0:
		return consistency.Token{}, nil
	case 1:
		return s.cfg.Signer.DecodeAll(values[0])
	}
	return s.cfg.Signer.DecodeAll(strings.Join(values, ","))
}

// baggageSessions returns the session tokens of W3C baggage: a list of members
// key=value;property. A token has no character that would be escaped, but a
// careful sender may escape the commas between several.
func baggageSessions(headers []string) (out []string) {
	for _, h := range headers {
		for member := range strings.SplitSeq(h, ",") {
			pair, _, _ := strings.Cut(member, ";")
			key, value, _ := strings.Cut(pair, "=")
			if strings.TrimSpace(key) != api.BaggageSession {
				continue
			}
			value = strings.TrimSpace(value)
			if plain, err := url.PathUnescape(value); err == nil {
				value = plain
			}
			out = append(out, value)
		}
	}
	return out
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
