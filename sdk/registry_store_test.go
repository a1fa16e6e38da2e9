package sdk_test

import (
	"slices"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/sdk"
)

// TestTheCatalogIsReadFromTheStore asks for every list of a project.
func TestTheCatalogIsReadFromTheStore(t *testing.T) {
	c := newClient(t, newStore(t).url)
	ctx := t.Context()
	if got := c.Project(); got != "rides" {
		t.Errorf("project: got %q, want rides", got)
	}
	entities, err := c.Entities(ctx)
	if err != nil || len(entities) != 2 || entities[1].Name != "driver_city" || len(entities[1].JoinKeys) != 2 {
		t.Errorf("entities: got %+v, %v, want driver and driver_city with two keys", entities, err)
	}
	services, err := c.Services(ctx)
	want := []string{"driver_stats:conv_rate", "driver_stats:trips", "driver_stats:tags"}
	if err != nil || len(services) != 1 || services[0].Name != "driver_v1" || !slices.Equal(services[0].Features, want) {
		t.Errorf("services: got %+v, %v, want driver_v1 of %v", services, err, want)
	}
	onDemands, err := c.OnDemands(ctx)
	if err != nil || len(onDemands) != 0 {
		t.Errorf("on-demand views: got %+v, %v, want none yet", onDemands, err)
	}
	groups, err := c.Groups(ctx)
	if err != nil || !slices.ContainsFunc(groups, func(g api.Group) bool { return g.Partitions > 0 && g.Placement != "" }) {
		t.Errorf("groups: got %+v, %v, want one with partitions and a placement", groups, err)
	}
	projects, err := c.Projects(ctx)
	if err != nil || len(projects) != 1 || projects[0].Name != "rides" || projects[0].Views != 3 || projects[0].Services != 1 {
		t.Errorf("projects: got %+v, %v, want rides with 3 views and a service", projects, err)
	}

	more := rides + `
on_demand:
  - name: surge
    inputs: ["driver_stats:conv_rate"]
    request: [{name: demand, type: float64}]
    features:
      - {name: score, type: float64, expr: "conv_rate * demand"}
`
	if _, err := c.Apply(ctx, []byte(more), nil); err != nil {
		t.Fatal(err)
	}
	onDemands, err = c.OnDemands(ctx)
	if err != nil || len(onDemands) != 1 || onDemands[0].Name != "surge" || len(onDemands[0].Request) != 1 {
		t.Errorf("on-demand views: got %+v, %v, want surge with one value of the request", onDemands, err)
	}
}

// TestElementsOfASetAreAddedAndRemoved waits by Done for each row's verdict.
func TestElementsOfASetAreAddedAndRemoved(t *testing.T) {
	type driver struct {
		ID    int64           `key:"driver_id"`
		Areas sdk.Set[string] `feature:"driver_stats:areas"`
	}
	c := newClient(t, newStore(t).url)
	ctx := sdk.WithSession(within(t, time.Minute))
	w := newWriter[driver](t, c, sdk.View("driver_stats"), sdk.WriterConfig{})
	for _, areas := range []sdk.Set[string]{sdk.Add("north", "south"), sdk.Remove("north")} {
		f, err := w.Push(ctx, driver{ID: 1, Areas: areas})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-f.Done():
		case <-ctx.Done():
			t.Fatal("no verdict came")
		}
		if r, err := f.Wait(ctx); err != nil || r.Verdict != sdk.Accepted {
			t.Fatalf("push %+v: got %+v, %v", areas, r, err)
		}
	}
	result, err := sdk.Lookup[driver](ctx, c, sdk.Features(), sdk.Keys(driver{ID: 1}))
	if err != nil {
		t.Fatal(err)
	}
	if got := result.Rows[0].Areas.Elements; !slices.Equal(got, []string{"south"}) {
		t.Errorf("after one of two was removed: got %q, want south", got)
	}
}
