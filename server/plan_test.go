package server

import (
	"slices"
	"strings"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/feature/definition"
)

// mixed has views that differ in what they are read at and in how they type
// one join key.
const mixed = `
project: rides
entities:
  - {name: narrow, join_keys: [{name: id, type: int32}]}
  - {name: wide, join_keys: [{name: id, type: int64}]}
  - {name: named, join_keys: [{name: id, type: string}]}
views:
  - {name: plain, entity: narrow, features: [{name: x, type: int64}]}
  - {name: eventual, entity: narrow, features: [{name: x, type: int64}], read: {level: eventual}}
  - {name: loose, entity: narrow, features: [{name: x, type: int64}], read: {level: bounded, max_staleness: 10s, fallback: ["wait:1ms", degrade]}}
  - {name: tight, entity: narrow, features: [{name: x, type: int64}], read: {level: bounded, max_staleness: 1s, fallback: ["wait:1ms", degrade]}}
  - {name: session, entity: narrow, features: [{name: x, type: int64}], read: {level: session}}
  - {name: wide, entity: wide, features: [{name: x, type: int64}]}
  - {name: named, entity: named, features: [{name: x, type: int64}]}
`

// apply replaces the definitions of a house.
func (h *house) apply(yaml string) {
	h.Helper()
	d, err := definition.Parse("test.yaml", strings.NewReader(yaml))
	if err != nil {
		h.Fatal(err)
	}
	if _, err := h.store.Apply(h.Context(), d, nil); err != nil {
		h.Fatal(err)
	}
}

func TestNoViewIsReadAtLessThanItsOwnDefault(t *testing.T) {
	h := newHouse(t)
	h.apply(mixed)
	catalog, _ := h.store.Registry().Catalog("rides")
	level := func(l consistency.Level, staleness time.Duration) consistency.Alternative {
		return consistency.Alternative{Level: l, MaxStaleness: staleness}
	}
	for _, tt := range []struct {
		views string
		want  consistency.Alternative
		unmet consistency.Unmet
	}{
		{"plain", level(consistency.Session, 0), consistency.Fail},
		{"eventual", level(consistency.Eventual, 0), consistency.Fail},
		{"eventual plain", level(consistency.Session, 0), consistency.Fail},
		{"loose tight", level(consistency.Bounded, time.Second), consistency.Degrade},
		{"loose eventual", level(consistency.Bounded, 10*time.Second), consistency.Degrade},
		{"tight session", level(consistency.Bounded, time.Second), consistency.Fail},
		{"loose plain", level(consistency.Bounded, 10*time.Second), consistency.Fail},
	} {
		views := strings.Fields(tt.views)
		for range 2 {
			list := `["` + strings.Join(views, `:x","`) + `:x"]`
			p, err := h.server.plans.find(catalog, nil, []byte(list), h.server.cfg.Limits)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.read.alternatives[0]; got != tt.want || p.read.fallback.Unmet != tt.unmet {
				t.Errorf("%s is read at %v and ends in %v, want %v and %v", list, got, p.read.fallback.Unmet, tt.want, tt.unmet)
			}
			slices.Reverse(views)
		}
	}
}

func TestOneKeyIsReadForViewsThatTypeItDifferently(t *testing.T) {
	h := newHouse(t)
	h.apply(mixed)
	answer[api.PushResponse](h, h.post("push", `{"view": "wide", "rows": [{"id": 5000000000, "x": 1}, {"id": 7, "x": 2}]}`))
	answer[api.PushResponse](h, h.post("push", `{"view": "plain", "rows": [{"id": 7, "x": 3}]}`))
	for _, features := range []string{`["plain:x", "wide:x"]`, `["wide:x", "plain:x"]`} {
		got := answer[api.LookupResponse](h, h.post("lookup", `{"features": `+features+`, "entities": {"id": [5000000000, 7]}}`))
		wide := slices.Index(got.Features, "wide:x")
		if a, b := string(got.Rows[0].Values[wide]), string(got.Rows[1].Values[wide]); a != "1" || b != "2" {
			t.Errorf("%s: wide has %s and %s, want 1 and 2", features, a, b)
		}
		if a, b := got.Rows[0].Statuses[1-wide], string(got.Rows[1].Values[1-wide]); a != "NOT_FOUND" || b != "3" {
			t.Errorf("%s: plain has %s and %s, want NOT_FOUND and 3", features, a, b)
		}
	}
	p := h.problem(h.post("lookup", `{"features": ["wide:x", "named:x"], "entities": {"id": [7]}}`))
	if p.Code != api.CodeInvalidRequest || p.Field != "features" || !strings.Contains(p.Detail, "join key id is string in view named") {
		t.Errorf("got %+v, want a refusal that names the key: one of the views would never be found", p)
	}
}
