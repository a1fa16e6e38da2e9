package server

import (
	"featurestore/api"
	"featurestore/feature"
)

// feastCatalog returns the definitions of the project that Feast's clients
// read, whose paths name none: the configured one, else the only one there is.
func (s *Server) feastCatalog() (*feature.Catalog, error) {
	registry := s.cfg.Online.Registry()
	project := s.cfg.FeastProject
	if project == "" {
		projects := registry.Projects()
		if len(projects) != 1 {
			return nil, api.Problemf(api.CodeProjectNotFound, "",
				"Feast's paths name no project and the store has %d; set feast_project", len(projects))
		}
		project = projects[0]
	}
	c, ok := registry.Catalog(project)
	if !ok {
		return nil, registry.NoProject(project)
	}
	return c, nil
}
