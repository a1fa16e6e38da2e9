package online

import (
	"slices"
	"strings"
	"testing"

	"featurestore/feature"
	"featurestore/feature/definition"
)

// Shards are worked out of the definitions in force, and again when those
// change.
func TestShardsFollowTheDefinitions(t *testing.T) {
	h := openHouse(t)
	apply := func(groups string) {
		t.Helper()
		text := "project: rides\nentities:\n  - {name: driver, join_keys: [{name: driver_id, type: int64}]}\n" + groups +
			"views:\n  - {name: a, entity: driver, group: g, features: [{name: f, type: int64}]}\n"
		d, err := definition.Parse("test.yaml", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Apply(t.Context(), d, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.Shards("eu"); len(got) != 0 {
		t.Errorf("without definitions: %v", got)
	}
	apply("groups:\n  - {name: g, placement: multi_leader, regions: [eu]}\n")
	catalog, _ := h.Registry().Catalog("rides")
	g, _ := catalog.Group("g")
	want := []feature.Shard{{Group: g.ID}}
	for range 2 {
		if got := h.Shards("eu"); !slices.Equal(got, want) {
			t.Errorf("eu holds %v, want %v", got, want)
		}
		if got := h.Shards("us"); len(got) != 0 {
			t.Errorf("us holds %v", got)
		}
	}
	apply("groups:\n  - {name: g, placement: multi_leader, regions: [eu, us]}\n")
	if got := h.Shards("us"); !slices.Equal(got, want) {
		t.Errorf("us holds %v, want %v", got, want)
	}
}
