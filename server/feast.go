package server

import (
	"errors"
	"net/http"

	"featurestore/api"
	"featurestore/feature"
)

// Feast's dialect: what its clients ask of its feature server, at the same
// paths and in the same form, so that they work unchanged. docs/feast.md says
// where it differs on purpose.

// feastTypes are the media types of bodies. Feast's own examples send JSON with
// curl -d, which calls it a form.
var feastTypes = []string{api.MediaJSON, "application/x-www-form-urlencoded"}

// feastRoutes lists Feast's paths: at the root for the project of
// Config.FeastProject, and below /feast/{project} for every project.
// GET /health at the root is the native probe.
func (s *Server) feastRoutes() []*route {
	var table []*route
	for _, base := range []string{"", "/feast/:project"} {
		for path, handle := range map[string]func(*request) error{
			"/get-online-features":       s.feastLookup,
			"/push":                      s.feastPush,
			"/write-to-online-store":     s.feastWriteView,
			"/materialize":               s.feastMaterialize,
			"/materialize-incremental":   s.feastMaterializeIncremental,
			"/search":                    s.feastSearch,
			"/retrieve-online-documents": s.feastSearch,
		} {
			table = append(table, &route{
				method: http.MethodPost, path: base + path, dialect: "feast",
				handle: inFeastWords(handle), fail: (*request).writeFeastError,
			})
		}
	}
	return append(table, &route{
		method: http.MethodGet, path: "/feast/:project/health", dialect: "feast",
		handle: s.readyz, fail: (*request).writeFeastError, always: true,
	})
}

// inFeastWords says what was not found as Feast does, and whether another name
// is near.
func inFeastWords(handle func(*request) error) func(*request) error {
	return func(r *request) error {
		err := handle(r)
		var missing *feature.NotFoundError
		if !errors.As(err, &missing) {
			return err
		}
		code, _ := api.CodeOf(err)
		name := feature.Clip(missing.Name)
		detail := map[string]string{
			"project":     "Project " + name + " does not exist",
			"view":        "Feature view " + name + " does not exist in project " + missing.Project,
			"feature":     "Feature " + name + " does not exist in project " + missing.Project,
			"service":     "Feature service " + name + " does not exist in project " + missing.Project,
			"entity":      "Entity " + name + " does not exist in project " + missing.Project,
			"push source": "Unable to find push source '" + name + "'.",
		}[missing.Kind]
		if missing.Similar != "" {
			detail += "; did you mean " + missing.Similar + "?"
		}
		return api.NewProblem(code, detail)
	}
}

// feastSearch refuses searches by vector, which this version does not have.
func (s *Server) feastSearch(*request) error {
	return api.NewProblem(api.CodeNotImplemented, "this version does not search by vector; use /get-online-features")
}
