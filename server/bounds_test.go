package server

import (
	"fmt"
	"strings"
	"testing"

	"featurestore/api"
)

// A short request cannot ask for an answer that fills memory: a large row for
// many entities, or one of them under many columns.
func TestAnAnswerIsBounded(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.AnswerBytes = 1 << 20 })
	answer[api.PushResponse](h, h.post("push",
		`{"view": "driver_stats", "rows": [{"driver_id": 1, "level": 1, "name": "`+strings.Repeat("x", 100<<10)+`"}]}`))
	many := func(item string, n int) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }
	for _, tt := range []struct {
		features, entities string
		ok                 bool
	}{
		{`"driver_stats:name"`, many("1", 10), true},
		{`"driver_stats:name"`, many("1", 11), false},
		{`"driver_stats:level"`, many("1", 11), false},
		{many(`"driver_stats:name"`, 11), "1", false},
		{many(`"driver_stats:name"`, 6), "1,1", false},
		{many(`"driver_stats:name"`, 5), "1,1", true},
	} {
		for range 2 { // from Badger, then from memory
			w := h.post("lookup", `{"features": [`+tt.features+`], "entities": {"driver_id": [`+tt.entities+`]}}`)
			if tt.ok {
				answer[api.LookupResponse](h, w)
			} else if p := h.problem(w); p.Code != api.CodeTooManyEntities || p.Field != "entities" {
				t.Errorf("%d bytes of features, %d of entities: got %+v", len(tt.features), len(tt.entities), p)
			}
		}
	}
}

func TestWhatAPushMakesOfItsRowsIsBounded(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.Changes = 10 })
	var views strings.Builder
	for i := range 4 {
		fmt.Fprintf(&views, "  - {name: v%d, entity: driver, push_source: all, features: [{name: x, type: int64}]}\n", i)
	}
	h.apply("project: rides\nentities:\n  - {name: driver, join_keys: [{name: driver_id, type: int64}]}\nviews:\n" + views.String())
	push := func(rows int) string {
		return `{"push_source": "all", "rows": [{"driver_id": 1, "x": 1}` + strings.Repeat(`, {"driver_id": 1, "x": 1}`, rows-1) + `]}`
	}
	answer[api.PushResponse](h, h.post("push", push(2)))
	if p := h.problem(h.post("push", push(3))); p.Code != api.CodeTooManyRows || !strings.Contains(p.Detail, "4 views") {
		t.Errorf("got %+v", p)
	}
}

func TestPlansWithLongNamesAreNotKept(t *testing.T) {
	h := newHouse(t)
	for _, spaces := range []int{0, maxPlanName} {
		answer[api.LookupResponse](h, h.post("lookup",
			`{"features": ["driver_stats:name"`+strings.Repeat(" ", spaces)+`], "entities": {"driver_id": [1]}}`))
	}
	catalog, _ := h.store.Registry().Catalog("rides")
	if n := len(h.server.plans.mu.byCatalog[catalog]); n != 1 {
		t.Errorf("%d plans are kept, want 1: names of any length would fill memory", n)
	}
}
