package server

import (
	"net/http"
	"strings"
	"testing"

	"featurestore/api"
	"featurestore/feature/definition"
)

const (
	feastRow  = `{"push_source_name": "driver_push", "df": {"driver_id": [1], "trips": [1], "event_timestamp": ["2026-08-21T10:00:00"]}}`
	feastLook = `{"features": ["driver_totals:trips"], "entities": {"driver_id": [1]}}`
)

// TestFeastSessions: tokens, levels and concerns are the native dialect's.
func TestFeastSessions(t *testing.T) {
	c := newFeast(t)
	w := c.ok("/push", feastRow, api.HeaderWriteConcern, "all")
	token := w.Header().Get(api.HeaderSession)
	if token == "" || w.Header().Get(api.HeaderServedBy) != "eu/eu-1" {
		t.Fatalf("got headers %v", w.Header())
	}
	w = c.ok("/get-online-features", feastLook, api.HeaderSession, token, api.HeaderConsistency, "session; within=5ms", api.HeaderTimeout, "1s")
	h := w.Header()
	if h.Get(api.HeaderSession) == "" || h.Get(api.HeaderConsistency) != "session" || h.Get(api.HeaderServedBy) != "eu/eu-1" || h.Get(api.HeaderWaited) != "0" {
		t.Errorf("got headers %v", h)
	}
	w = c.ok("/write-to-online-store", `{"feature_view_name": "driver_fresh", "df": {"driver_id": [1], "speed": [1], "event_timestamp": ["2026-08-21T10:00:00"]}}`, api.HeaderSession, token)
	if w.Header().Get(api.HeaderSession) == "" {
		t.Errorf("got headers %v", w.Header())
	}
	// A native lookup goes on with the same session.
	native := c.do(http.MethodPost, "/v1/projects/drivers/lookup", feastLook, api.HeaderSession, token, api.HeaderConsistency, "session")
	if got := answer[api.LookupResponse](c.house, native); string(got.Rows[0].Values[0]) != "1" {
		t.Errorf("got %+v", got)
	}
}

func TestFeastIdempotency(t *testing.T) {
	c := newFeast(t)
	for range 2 {
		c.ok("/push", feastRow, api.HeaderIdempotency, "a")
	}
	if got := c.served("driver_totals:trips"); !strings.HasPrefix(got, "1 ") {
		t.Errorf("got %s, want the increment once", got)
	}
	err := c.refused("/push", strings.Replace(feastRow, `"trips": [1]`, `"trips": [2]`, 1), api.HeaderIdempotency, "a")
	if err.status != 422 || !strings.Contains(err.message, "idempotency_key_reused") {
		t.Errorf("got %+v", err)
	}
}

// TestFeastIdempotencyKeysAreTheProjects: whichever path a request takes.
func TestFeastIdempotencyKeysAreTheProjects(t *testing.T) {
	c := newFeast(t)
	c.ok("/push", feastRow, api.HeaderIdempotency, "a")
	native := `{"view": "driver_totals", "rows": [{"driver_id": 1, "trips": 1}]}`
	if p := c.problem(c.do(http.MethodPost, "/v1/projects/drivers/push", native, api.HeaderIdempotency, "a")); p.Code != api.CodeIdempotencyKeyReused {
		t.Errorf("the same project: got %+v", p)
	}
	answer[api.PushResponse](c.house, c.do(http.MethodPost, "/v1/projects/rides/push", `{"view": "driver_stats", "rows": [{"driver_id": 1, "trips": 1}]}`, api.HeaderIdempotency, "a"))
}

// TestFeastProject: which project the paths without one serve.
func TestFeastProject(t *testing.T) {
	look := `{"features": ["driver_stats:trips"], "entities": {"driver_id": [1]}}`
	var one feastClient
	one.house = newHouse(t)
	one.ok("/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1], "trips": [3], "event_timestamp": ["2026-08-21T10:00:00"]}}`)
	if got := one.lookup(look)["trips"][0]; got != "3 PRESENT 2026-08-21T10:00:00Z" {
		t.Errorf("the only project: got %s", got)
	}
	d, err := definition.Parse("drivers.yaml", strings.NewReader(drivers))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.store.Apply(t.Context(), d, nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/get-online-features", "/push", "/write-to-online-store", "/materialize"} {
		refused := one.refused(path, look)
		if refused.status != 404 || !strings.Contains(refused.message, "drivers, rides; set feast_project, or use /feast/{project}") {
			t.Errorf("%s with two projects: got %+v", path, refused)
		}
	}
	one.base = "/feast/rides"
	if got := one.lookup(look)["trips"][0]; got != "3 PRESENT 2026-08-21T10:00:00Z" {
		t.Errorf("by path: got %s", got)
	}
	one.base = "/feast/drivers"
	one.ok("/push", feastRow)
	if got := one.lookup(feastLook)["trips"][0]; got != "1 PRESENT 2026-08-21T10:00:00Z" {
		t.Errorf("the other by path: got %s", got)
	}

	absent := feastClient{house: newHouse(t, func(c *Config) { c.FeastProject = "ride" })}
	if refused := absent.refused("/push", feastRow); refused.status != 404 || refused.message != "Project ride does not exist; did you mean rides?" {
		t.Errorf("a project that is not there: got %+v", refused)
	}
}

// TestFeastFollowsTheRegistry: definitions applied later are served at once.
func TestFeastFollowsTheRegistry(t *testing.T) {
	c := newFeast(t)
	look := `{"features": ["driver_late:x"], "entities": {"driver_id": [1]}}`
	if err := c.refused("/get-online-features", look); err.class != "FeatureViewNotFoundException" {
		t.Errorf("got %+v", err)
	}
	d, err := definition.Parse("drivers.yaml", strings.NewReader(strings.Replace(drivers, "views:\n", "views:\n  - {name: driver_late, entity: driver, features: [{name: x, type: int64}]}\n", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.store.Apply(t.Context(), d, nil); err != nil {
		t.Fatal(err)
	}
	if got := c.lookup(look)["x"][0]; got != "null NOT_FOUND "+noTime {
		t.Errorf("got %s", got)
	}
}

func TestFeastHealth(t *testing.T) {
	c := newFeast(t)
	for _, path := range []string{"/health", "/feast/drivers/health"} {
		if w := c.do(http.MethodGet, path, ""); w.Code != http.StatusOK {
			t.Errorf("%s: got status %d", path, w.Code)
		}
	}
}
