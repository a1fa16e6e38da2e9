package feature_test

import (
	"slices"
	"testing"
	"time"

	"featurestore/feature"
)

func TestPlanReadsInTheOrderOfDefinitions(t *testing.T) {
	r := applied(t, feature.NewRegistry(), rides())
	plan, err := r.Plan(changed(func(d *feature.Definitions) {
		d.Groups = []feature.Group{{Name: "eu", Regions: []string{"eu"}}}
		d.Entities[0].Description = "who drives"
		v := &d.Views[0]
		v.Write.RequireLive = feature.RequireLive{Members: 1, MaxLag: 10 * time.Second}
		v.TTL, v.Tags = 24*time.Hour, map[string]string{"b": "2", "a": "1"}
		v.Fields = []feature.Field{
			{Name: "rate", Type: scalar(feature.Float32), RenamedFrom: "conv_rate", Default: feature.OfFloat32(0.5)},
			{Name: "late", Type: scalar(feature.Bool), RenamedFrom: "tardy"},
		}
		d.Views[1].Name = "city_stats"
		d.OnDemands[0].Inputs[0].Feature, d.OnDemands[0].Fields[0].Expr = "rate", "rate * demand"
		d.Services[0].Features = d.Services[0].Features[1:]
	}))
	if err != nil {
		t.Fatal(err)
	}
	const want = `project rides: 15 to change (revision 1)
  + group eu
  ~ entity driver: description none -> "who drives"
  ~ view driver_stats: ttl none -> 24h0m0s
  ~ view driver_stats: write.require_live none -> {members: 1, max_lag: 10s}
  ~ view driver_stats: tags none -> {"a": "1", "b": "2"}
  > feature driver_stats:rate renamed from conv_rate
  ~ feature driver_stats:rate: default none -> 0.5
  + feature driver_stats:late bool (no feature tardy to rename: starts empty)
  - feature driver_stats:trips int64 (its values are no longer served; added again it starts empty)
  + view city_stats
  + feature city_stats:share float64
  - view driver_city (its values are no longer served; added again it starts empty)
  ~ on_demand surge: inputs [driver_stats:conv_rate] -> [driver_stats:rate]
  ~ on_demand surge: features[score] float64 "conv_rate * demand" -> float64 "rate * demand"
  ~ service driver_v1: features [driver_stats:trips, surge:score] -> [surge:score]
`
	if got := plan.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if plan.From != 1 || plan.Project != "rides" {
		t.Errorf("got project %q from %d, want rides from 1", plan.Project, plan.From)
	}
}

func TestPlanOfNothingSaysSo(t *testing.T) {
	r := applied(t, feature.NewRegistry(), rides())
	plan, err := r.Plan(rides())
	if err != nil || plan.String() != "project rides: nothing to change (revision 1)\n" {
		t.Errorf("got %q, %v", plan, err)
	}
}

func TestDifferentDefaultsPrintDifferently(t *testing.T) {
	list := func(s ...string) feature.Value {
		var elems []feature.Value
		for _, e := range s {
			v, err := feature.OfString(e)
			if err != nil {
				t.Fatal(err)
			}
			elems = append(elems, v)
		}
		v, err := feature.OfList(feature.String, elems...)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	values := []feature.Value{{}, list(), list(""), list("a b"), list("a", "b"), list("a, b"), list(`a", "b`)}
	with := func(v feature.Value) feature.Definitions {
		return changed(func(d *feature.Definitions) {
			d.Views[0].Fields = append(d.Views[0].Fields, feature.Field{Name: "x", Type: feature.ListOf(feature.String), Default: v})
		})
	}
	for i, v := range values {
		r := applied(t, feature.NewRegistry(), with(v))
		for j, w := range values {
			plan, err := r.Plan(with(w))
			if err != nil || plan.IsEmpty() != (i == j) {
				t.Errorf("%v to %v: got %v, %v", v, w, plan, err)
			}
		}
	}
}

func TestOpsHaveNames(t *testing.T) {
	got := []string{feature.Add.String(), feature.Modify.String(), feature.Rename.String(), feature.Drop.String(), feature.Op(9).String()}
	if want := []string{"add", "change", "rename", "drop", "unknown"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
