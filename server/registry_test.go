package server

import (
	"net/http"
	"strings"
	"testing"

	"featurestore/api"
)

func TestRegistryReads(t *testing.T) {
	h := newHouse(t)
	if got := answer[api.Projects](h, h.do(http.MethodGet, "/v1/projects", "")); len(got.Projects) != 1 || got.Projects[0].Name != "rides" || got.Projects[0].Views != 3 {
		t.Errorf("got %+v", got)
	}
	const base = "/v1/projects/rides/"
	if got := answer[api.Catalog](h, h.do(http.MethodGet, base+"views", "")); len(got.Views) != 3 || got.Views[0].Name != "driver_stats" || got.Revision != 1 {
		t.Errorf("got %+v", got)
	}
	v := answer[api.View](h, h.do(http.MethodGet, base+"views/driver_stats", ""))
	if v.TTL != "24h0m0s" || v.JoinKeys[0] != (api.NamedType{Name: "driver_id", Type: "int64"}) || v.Features[1].Conflict != "counter" || v.PushSource != "driver_push" || v.Group != "default" {
		t.Errorf("got %+v", v)
	}
	if got := answer[api.Entity](h, h.do(http.MethodGet, base+"entities/place", "")); len(got.JoinKeys) != 2 {
		t.Errorf("got %+v", got)
	}
	if got := answer[api.Service](h, h.do(http.MethodGet, base+"services/driver_v1", "")); strings.Join(got.Features, " ") != "driver_stats:conv_rate driver_stats:trips" {
		t.Errorf("got %+v", got)
	}
	if got := answer[api.Group](h, h.do(http.MethodGet, base+"groups/default", "")); got.Placement != "multi_leader" || got.Partitions != 1 {
		t.Errorf("got %+v", got)
	}
	for _, list := range []string{"entities", "services", "on-demand", "groups"} {
		answer[api.Catalog](h, h.do(http.MethodGet, base+list, ""))
	}
	for path, code := range map[string]api.Code{
		"views/driver_stat": api.CodeViewNotFound, "entities/drivers": api.CodeEntityNotFound, "services/driver_v2": api.CodeServiceNotFound,
		"on-demand/surge": api.CodeOnDemandNotFound, "groups/defalt": api.CodeGroupNotFound,
	} {
		p := h.problem(h.do(http.MethodGet, base+path, ""))
		if p.Code != code || path != "on-demand/surge" && !strings.Contains(p.Detail, "did you mean") {
			t.Errorf("%s: got %+v", path, p)
		}
	}
}

func TestRevisionIsTheETag(t *testing.T) {
	h := newHouse(t)
	const path = "/v1/projects/rides/views"
	tag := h.do(http.MethodGet, path, "").Header().Get("ETag")
	if tag != `"1"` {
		t.Fatalf("got %q", tag)
	}
	if w := h.do(http.MethodGet, path, "", "If-None-Match", `"0", `+tag); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := h.do(http.MethodGet, path, "", "If-None-Match", `"2"`); w.Code != http.StatusOK {
		t.Errorf("got %d", w.Code)
	}
}

func TestPlanAndApply(t *testing.T) {
	h := newHouse(t)
	yaml := []string{"Content-Type", api.MediaYAML}
	if got := answer[api.Plan](h, h.post("plan", rides, yaml...)); len(got.Changes) != 0 || got.From != 1 || got.Revision != 1 || got.Applied {
		t.Errorf("unchanged: got %+v", got)
	}
	more := strings.Replace(rides, "{name: demand, type: float64}", "{name: demand, type: float64}, {name: rain, type: bool}", 1)
	plan := answer[api.Plan](h, h.post("plan", more, yaml...))
	if len(plan.Changes) != 1 || plan.Changes[0].Op != "add" || !strings.Contains(plan.Changes[0].Object, "rain") || plan.From != 1 || plan.Revision != 2 || plan.Applied || !strings.Contains(plan.Summary, "rain") {
		t.Errorf("plan: got %+v", plan)
	}
	applied := answer[api.Plan](h, h.post("apply?expect=1", more, yaml...))
	if !applied.Applied || applied.Revision != 2 {
		t.Errorf("apply: got %+v", applied)
	}
	if c, _ := h.store.Registry().Catalog("rides"); c.Revision() != 2 {
		t.Errorf("revision %d", c.Revision())
	}
	p := h.problem(h.post("apply", rides, append(yaml, "If-Match", `"1"`)...))
	if p.Code != api.CodeConflict || len(p.Difference) == 0 || !strings.Contains(strings.Join(p.Difference, "\n"), "rain") {
		t.Errorf("conflict: got %+v", p)
	}
	answer[api.PushResponse](h, h.post("push", `{"view":"place_stats","rows":[{"city":"Rome","zone":1,"rain":true}]}`))
	p = h.problem(h.post("plan", strings.Replace(more, "rain, type: bool", "rain, type: string", 1), yaml...))
	if p.Code != api.CodeIncompatible || len(p.Problems) == 0 {
		t.Errorf("incompatible: got %+v", p)
	}
	asJSON := `{"project": "taxis", "entities": [{"name": "cab", "join_keys": [{"name": "cab_id", "type": "string"}]}]}`
	if got := answer[api.Plan](h, h.do(http.MethodPost, "/v1/projects/taxis/apply", asJSON)); !got.Applied || got.From != 0 || got.Revision != 1 {
		t.Errorf("JSON: got %+v", got)
	}
}

func TestReplicationAndRegions(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.URL = "http://127.0.0.1:8080" })
	before := answer[api.Replication](h, h.do(http.MethodGet, "/v1/replication", ""))
	if len(before.Shards) != 1 || before.Shards[0].Origins[0].Applied != "" || before.Shards[0].Origins[0].LagMs != 0 {
		t.Errorf("before a write: got %+v", before)
	}
	pushed := answer[api.PushResponse](h, h.post("push", `{"view":"driver_stats","rows":[{"driver_id":1,"vip":true}]}`))
	after := answer[api.Replication](h, h.do(http.MethodGet, "/v1/replication", ""))
	o := after.Shards[0].Origins[0]
	if len(after.Shards[0].Origins) != 1 || !o.Self || o.Origin != after.Origin || o.Applied != pushed.Position.At || o.LagMs != 0 || o.Closed < o.Applied {
		t.Errorf("after a write at %s: got %+v", pushed.Position.At, after)
	}
	got := answer[api.Regions](h, h.do(http.MethodGet, "/v1/regions", ""))
	if len(got.Regions) != 1 || !got.Regions[0].Self || got.Regions[0].URL != "http://127.0.0.1:8080" {
		t.Errorf("got %+v", got)
	}
}
