package server

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"featurestore/api"
	"featurestore/feature"
)

// projects serves GET /v1/projects.
func (s *Server) projects(r *request) error {
	registry := s.cfg.Online.Registry()
	out := api.Projects{Revision: registry.Revision(), Projects: []api.Project{}}
	for _, name := range registry.Projects() {
		c, ok := registry.Catalog(name)
		if !ok {
			continue
		}
		out.Projects = append(out.Projects, api.Project{
			Name: name, Revision: c.Revision(), Views: len(c.Views()), Services: len(c.Definitions().Services),
		})
	}
	return r.json(http.StatusOK, out)
}

// A section is one kind of object in a project's registry.
type section struct {
	list func(*feature.Catalog, *api.Catalog)
	one  func(c *feature.Catalog, name string) (any, error)
}

var (
	views = section{
		list: func(c *feature.Catalog, out *api.Catalog) { out.Views = api.Views(c) },
		one: func(c *feature.Catalog, name string) (any, error) {
			v, ok := c.View(name)
			if !ok {
				return nil, c.NoView(name)
			}
			return api.ViewOf(v), nil
		},
	}
	entities = section{
		list: func(c *feature.Catalog, out *api.Catalog) {
			for _, e := range c.Definitions().Entities {
				out.Entities = append(out.Entities, api.EntityOf(&e))
			}
		},
		one: func(c *feature.Catalog, name string) (any, error) {
			e, ok := c.Entity(name)
			if !ok {
				return nil, c.NoEntity(name)
			}
			return api.EntityOf(e), nil
		},
	}
	services = section{
		list: func(c *feature.Catalog, out *api.Catalog) {
			for _, v := range c.Definitions().Services {
				out.Services = append(out.Services, api.ServiceOf(&v))
			}
		},
		one: func(c *feature.Catalog, name string) (any, error) {
			v, ok := c.Service(name)
			if !ok {
				return nil, c.NoService(name)
			}
			return api.ServiceOf(v), nil
		},
	}
	onDemands = section{
		list: func(c *feature.Catalog, out *api.Catalog) {
			for _, o := range c.Definitions().OnDemands {
				out.OnDemands = append(out.OnDemands, api.OnDemandOf(&o))
			}
		},
		one: func(c *feature.Catalog, name string) (any, error) {
			o, ok := c.OnDemand(name)
			if !ok {
				return nil, notFound(api.CodeOnDemandNotFound, c, "on-demand view", name)
			}
			return api.OnDemandOf(o), nil
		},
	}
	groups = section{
		list: func(c *feature.Catalog, out *api.Catalog) {
			for _, g := range c.Groups() {
				out.Groups = append(out.Groups, api.GroupOf(g))
			}
		},
		one: func(c *feature.Catalog, name string) (any, error) {
			g, ok := c.Group(name)
			if !ok {
				return nil, notFound(api.CodeGroupNotFound, c, "group", name)
			}
			return api.GroupOf(g), nil
		},
	}
)

// notFound is the problem of kinds that the feature room has no sentinel for.
func notFound(code api.Code, c *feature.Catalog, kind, name string) error {
	var known []string
	for _, o := range c.Definitions().OnDemands {
		if code == api.CodeOnDemandNotFound {
			known = append(known, o.Name)
		}
	}
	for _, g := range c.Groups() {
		if code == api.CodeGroupNotFound {
			known = append(known, g.Name)
		}
	}
	p := api.Problemf(code, "", "no %s %q in project %q", kind, feature.Clip(name), c.Project())
	if near := feature.Nearest(name, known); near != "" {
		p.Detail += "; did you mean " + strconv.Quote(near) + "?"
	}
	return p
}

// listed serves the list of a section.
func (s *Server) listed(sec section) func(*request) error {
	return func(r *request) error {
		c, err := s.catalog(r)
		if err != nil {
			return err
		}
		if err := s.mergeSession(r); err != nil {
			return err
		}
		out := api.Catalog{Project: c.Project(), Revision: c.Revision()}
		sec.list(c, &out)
		return r.tagged(c.Revision(), out)
	}
}

// named serves one object of a section.
func (s *Server) named(sec section) func(*request) error {
	return func(r *request) error {
		c, err := s.catalog(r)
		if err != nil {
			return err
		}
		one, err := sec.one(c, r.Param("name"))
		if err != nil {
			return err
		}
		return r.tagged(c.Revision(), one)
	}
}

// tagged answers with v under the project's revision as its ETag, or with 304
// when the client has it already.
func (r *request) tagged(revision uint64, v any) error {
	tag := etag(revision)
	r.Response().Header().Set("ETag", tag)
	known := strings.Split(r.Request().Header.Get("If-None-Match"), ",")
	if slices.ContainsFunc(known, func(t string) bool { return strings.TrimSpace(t) == tag }) {
		return r.NoContent(http.StatusNotModified)
	}
	return r.json(http.StatusOK, v)
}

func etag(revision uint64) string { return `"` + strconv.FormatUint(revision, 10) + `"` }
