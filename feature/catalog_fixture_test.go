package feature_test

import (
	"testing"

	"featurestore/feature"
)

// Definitions that the tests of the registry start from.

func scalar(k feature.Kind) feature.Type { return feature.ScalarOf(k) }

func rides() feature.Definitions {
	return feature.Definitions{
		Project: "rides",
		Entities: []feature.Entity{
			{Name: "driver", JoinKeys: []feature.JoinKey{{Name: "driver_id", Type: scalar(feature.Int64)}}},
			{Name: "city", JoinKeys: []feature.JoinKey{{Name: "city", Type: scalar(feature.String)}}},
		},
		Views: []feature.View{
			{
				Name: "driver_stats", Entities: []string{"driver"}, Online: true, Offline: true, PushSource: "driver_push",
				Fields: []feature.Field{
					{Name: "conv_rate", Type: scalar(feature.Float32)},
					{Name: "trips", Type: scalar(feature.Int64), Rule: feature.Counter},
				},
			},
			{
				Name: "driver_city", Entities: []string{"driver", "city"}, Online: true, Offline: true, PushSource: "driver_push",
				Fields: []feature.Field{{Name: "share", Type: scalar(feature.Float64)}},
			},
		},
		OnDemands: []feature.OnDemand{{
			Name: "surge", Inputs: []feature.Reference{{View: "driver_stats", Feature: "conv_rate"}},
			Request: []feature.RequestField{{Name: "demand", Type: scalar(feature.Float64)}},
			Fields:  []feature.Computed{{Name: "score", Type: scalar(feature.Float64), Expr: "conv_rate * demand"}},
		}},
		Services: []feature.Service{{
			Name: "driver_v1", Features: []feature.Reference{{View: "driver_stats", Feature: "trips"}, {View: "surge", Feature: "score"}},
		}},
	}
}

// changed returns rides with a change.
func changed(change func(d *feature.Definitions)) feature.Definitions {
	d := rides()
	change(&d)
	return d
}

func applied(t testing.TB, r *feature.Registry, d feature.Definitions) *feature.Registry {
	t.Helper()
	next, _, err := r.Apply(d, nil)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func catalog(t testing.TB, r *feature.Registry, project string) *feature.Catalog {
	t.Helper()
	c, ok := r.Catalog(project)
	if !ok {
		t.Fatal(r.NoProject(project))
	}
	return c
}

func viewOf(t testing.TB, r *feature.Registry, name string) *feature.ResolvedView {
	t.Helper()
	c := catalog(t, r, "rides")
	v, ok := c.View(name)
	if !ok {
		t.Fatal(c.NoView(name))
	}
	return v
}

func fieldID(t testing.TB, r *feature.Registry, view, name string) feature.FeatureID {
	t.Helper()
	f, ok := viewOf(t, r, view).Field(name)
	if !ok {
		t.Fatalf("view %s has no feature %s", view, name)
	}
	return f.ID
}
