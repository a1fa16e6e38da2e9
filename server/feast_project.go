package server

import (
	"strings"
	"sync/atomic"

	"featurestore/api"
	"featurestore/feature"
)

// feastProject remembers which definitions Feast's paths serve, for as long as
// the registry is the same: every lookup asks.
type feastProject struct {
	last atomic.Pointer[feastChoice]
}

type feastChoice struct {
	registry *feature.Registry
	catalog  *feature.Catalog
}

// feastCatalog returns the definitions of the project in the request's path; of
// paths that name none, which Feast's own do not, those of the configured
// project, or of the only one there is.
func (s *Server) feastCatalog(r *request) (*feature.Catalog, error) {
	if r.Param("project") != "" {
		return s.catalog(r)
	}
	registry := s.cfg.Online.Registry()
	if last := s.feast.last.Load(); last != nil && last.registry == registry {
		return last.catalog, nil
	}
	project, err := s.chooseFeastProject(registry)
	if err != nil {
		return nil, err
	}
	c, ok := registry.Catalog(project)
	if !ok {
		return nil, s.noProject(registry, project)
	}
	s.feast.last.Store(&feastChoice{registry: registry, catalog: c})
	return c, nil
}

func (s *Server) chooseFeastProject(registry *feature.Registry) (string, error) {
	if s.cfg.FeastProject != "" {
		return s.cfg.FeastProject, nil
	}
	switch projects := registry.Projects(); len(projects) {
	case 1:
		return projects[0], nil
	case 0:
		if err := s.cfg.Coordinator.Serves(); err != nil {
			return "", err
		}
		return "", api.NewProblem(api.CodeProjectNotFound, "there is no project yet; apply definitions first")
	default:
		return "", api.Problemf(api.CodeProjectNotFound, "",
			"this path names no project and the store has several: %s; set feast_project, or use /feast/{project} as the base of the URL",
			strings.Join(projects[:min(len(projects), 8)], ", "))
	}
}
