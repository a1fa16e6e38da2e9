package server

import (
	_ "embed"
	"net/http"

	"featurestore/api"
)

// openapiDocument describes every route. Tests compare it with the routes, and
// real answers with it (E5).
//
//go:embed openapi.json
var openapiDocument []byte

// openapi serves GET /openapi.json.
func (s *Server) openapi(r *request) error {
	return r.Blob(http.StatusOK, api.MediaJSON, openapiDocument)
}
