package server

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"featurestore/api"

	"github.com/getkin/kin-openapi/openapi3"
)

// document is openapi.json, parsed and validated once.
var document = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(openapiDocument)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background())
})

func mustDocument(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := document()
	if err != nil {
		t.Fatalf("openapi.json: %v", err)
	}
	return doc
}

// TestEveryRouteIsDocumentedAndEveryPathRouted is invariant E5.
func TestEveryRouteIsDocumentedAndEveryPathRouted(t *testing.T) {
	h := newHouse(t)
	var routed, documented []string
	for _, r := range h.server.echo.Routes() {
		routed = append(routed, r.Method+" "+documentPath(r.Path))
	}
	for path, item := range mustDocument(t).Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	for _, r := range routed {
		if !slices.Contains(documented, r) {
			t.Errorf("%s is routed and not in openapi.json", r)
		}
	}
	for _, d := range documented {
		if !slices.Contains(routed, d) {
			t.Errorf("%s is in openapi.json and not routed", d)
		}
	}
}

// documentPath turns Echo's /v1/projects/:project into OpenAPI's form.
func documentPath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}

// TestDocumentNamesEveryHeader: what clients may send and will get.
func TestDocumentNamesEveryHeader(t *testing.T) {
	doc := mustDocument(t)
	var names []string
	for _, p := range doc.Components.Parameters {
		names = append(names, p.Value.Name)
	}
	for _, name := range []string{
		api.HeaderSession, api.HeaderConsistency, api.HeaderWriteConcern, api.HeaderTimeout, api.HeaderOnUnmet, api.HeaderIdempotency,
	} {
		if !slices.Contains(names, name) {
			t.Errorf("header %s is not in openapi.json", name)
		}
	}
}

// checkAgainstDocument fails when an answer, or a request that was served, does
// not have the form that openapi.json says. Every test that sends a request
// calls it.
func checkAgainstDocument(h *house, r *http.Request, body string, w *httptest.ResponseRecorder) {
	h.Helper()
	op := operation(mustDocument(h), r)
	if op == nil {
		return // a test of what is not routed
	}
	response := op.Responses.Status(w.Code)
	if response == nil {
		response = op.Responses.Default()
	}
	checkContent(h, "answer", response.Value.Content, w.Header().Get("Content-Type"), w.Body.Bytes())
	if w.Code == http.StatusOK && op.RequestBody != nil && r.Header.Get("Content-Encoding") == "" && r.Header.Get("Content-Type") == api.MediaJSON {
		checkContent(h, "request", op.RequestBody.Value.Content, api.MediaJSON, []byte(body))
	}
}

func checkContent(h *house, what string, content openapi3.Content, media string, body []byte) {
	h.Helper()
	if len(content) == 0 && len(body) == 0 {
		return
	}
	known := content[media]
	if known == nil {
		h.Errorf("%s of type %q, which openapi.json does not have: %s", what, media, body)
		return
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		h.Errorf("%s: %v: %s", what, err, body)
		return
	}
	if err := known.Schema.Value.VisitJSON(v); err != nil {
		h.Errorf("%s is not as openapi.json says: %v\n%s", what, err, body)
	}
}

// operation finds what serves a request.
func operation(doc *openapi3.T, r *http.Request) *openapi3.Operation {
	parts := strings.Split(r.URL.Path, "/")
	for path, item := range doc.Paths.Map() {
		pattern := strings.Split(path, "/")
		fits := len(pattern) == len(parts)
		for i := 0; fits && i < len(parts); i++ {
			fits = pattern[i] == parts[i] || strings.HasPrefix(pattern[i], "{")
		}
		if fits {
			return item.GetOperation(r.Method)
		}
	}
	return nil
}

// TestDocumentRefusesOtherForms is the negative control of the checks above.
func TestDocumentRefusesOtherForms(t *testing.T) {
	schema := mustDocument(t).Components.Schemas["PushResponse"].Value
	good := map[string]any{
		"accepted": 1.0, "superseded": 0.0, "session": "", "position": map[string]any{"region": "eu", "at": ""},
		"concern": map[string]any{"asked": "local", "met": true, "acked": map[string]any{"stores": 1.0, "regions": []any{"eu"}}},
	}
	if err := schema.VisitJSON(good); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(){
		func() { good["extra"] = true },
		func() { delete(good, "extra"); delete(good, "session") },
		func() { good["session"] = 7.0 },
	} {
		change()
		if schema.VisitJSON(good) == nil {
			t.Errorf("%v passes for a PushResponse", good)
		}
	}
}
