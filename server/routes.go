package server

import (
	"net/http"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
)

// A route is one method at one path. Paths are in Echo's form: ":project" is a
// parameter.
type route struct {
	method string
	path   string
	// dialect is "native" or "feast", a label of metrics.
	dialect string
	handle  func(*request) error
	// fail writes an error in the dialect's form; nil writes problem+json.
	fail func(*request, *problem) error
	// ok are the attributes of answers with status 200, once there was one.
	ok atomic.Pointer[metric.MeasurementOption]
	// always serves the route while draining and beyond the in-flight limit.
	always bool
}

// routeTable lists every route. openapi.json documents each (E5).
func (s *Server) routeTable() []*route {
	native := func(method, path string, handle func(*request) error) *route {
		return &route{method: method, path: path, dialect: "native", handle: handle}
	}
	probe := func(path string, handle func(*request) error) *route {
		return &route{method: http.MethodGet, path: path, dialect: "native", handle: handle, always: true}
	}
	const project = "/v1/projects/:project/"
	table := []*route{
		native(http.MethodPost, project+"lookup", s.lookup),
		native(http.MethodPost, project+"push", s.push),
		native(http.MethodPost, project+"delete", s.delete),
		native(http.MethodPost, project+"erase", s.erase),
		native(http.MethodPost, project+"conflicts", s.conflicts),
		native(http.MethodPost, project+"export", s.export),
		native(http.MethodPost, project+"exports", s.startExport),
		native(http.MethodPost, project+"plan", s.planDefinitions),
		native(http.MethodPost, project+"apply", s.applyDefinitions),
		native(http.MethodPost, project+"materialize", s.materialize),
		native(http.MethodGet, project+"jobs", s.listJobs),
		native(http.MethodGet, project+"jobs/:id", s.job),
		native(http.MethodDelete, project+"jobs/:id", s.cancelJob),
		native(http.MethodGet, project+"groups/:name/leaders", s.leaders),
		native(http.MethodPost, project+"groups/:name/promote", s.promote),
		native(http.MethodGet, "/v1/projects", s.projects),
		native(http.MethodGet, "/v1/replication", s.replication),
		native(http.MethodPost, "/v1/replication/verify", s.verify),
		native(http.MethodGet, "/v1/regions", s.regions),
		native(http.MethodGet, "/v1/members", s.members),
		native(http.MethodPost, "/v1/members", s.changeMembers),
		native(http.MethodGet, "/v1/links/:from/:to", s.link),
		native(http.MethodPut, "/v1/links/:from/:to", s.setLink),
		native(http.MethodGet, "/openapi.json", s.openapi),
		probe("/livez", s.livez),
		probe("/readyz", s.readyz),
		probe("/health", s.readyz),
	}
	table = append(table, s.feastRoutes()...)
	for path, sec := range map[string]section{
		"views": views, "entities": entities, "services": services, "on-demand": onDemands, "groups": groups,
	} {
		table = append(table,
			native(http.MethodGet, project+path, s.listed(sec)),
			native(http.MethodGet, project+path+"/:name", s.named(sec)))
	}
	return table
}
