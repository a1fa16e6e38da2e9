package server

import "net/http"

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
	// always serves the route while draining and beyond the in-flight limit.
	always bool
}

// routeTable lists every route. openapi.json documents each (S5).
func (s *Server) routeTable() []*route {
	native := func(method, path string, handle func(*request) error) *route {
		return &route{method: method, path: path, dialect: "native", handle: handle}
	}
	probe := func(path string, handle func(*request) error) *route {
		return &route{method: http.MethodGet, path: path, dialect: "native", handle: handle, always: true}
	}
	_ = native
	return []*route{
		probe("/livez", s.livez),
		probe("/readyz", s.readyz),
		probe("/health", s.readyz),
	}
}
