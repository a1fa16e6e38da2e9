package server

import (
	"net/http"
	"strings"
	"testing"

	"featurestore/api"
)

// Expressions are bounded one by one; a lookup of many entities computes many.
// The values are chosen so that all of them would take far longer.
func TestALookupStopsComputingWhenItsTimeIsUp(t *testing.T) {
	h := newHouse(t)
	h.apply(`
project: rides
entities:
  - {name: driver, join_keys: [{name: driver_id, type: int64}]}
views:
  - {name: stats, entity: driver, features: [{name: x, type: int64}]}
on_demand:
  - name: pairs
    inputs: ["stats:x"]
    request: [{name: xs, type: "list<int64>"}]
    features: [{name: all, type: bool, expr: "xs.all(a, xs.all(b, a + b >= 0))"}]
`)
	const entities = 1000
	list := `[1` + strings.Repeat(",1", 150) + `]`
	w := h.post("lookup", `{"features": ["pairs:all"], "entities": {"driver_id": [1`+strings.Repeat(",1", entities-1)+
		`]}, "request": {"xs": [`+list+strings.Repeat(","+list, entities-1)+`]}}`, api.HeaderTimeout, "20ms")
	if p := h.problem(w); w.Code != http.StatusGatewayTimeout || p.Code != api.CodeDeadlineExceeded {
		t.Errorf("got %+v", p)
	}
}
