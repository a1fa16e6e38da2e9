package ondemand_test

import (
	"errors"
	"strings"
	"testing"

	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/feature/ondemand"
)

func TestPlanNamesTheExpressionAtFault(t *testing.T) {
	d, err := definition.Parse("d.yaml", strings.NewReader(`
project: rides
entities: [{name: driver, join_keys: [{name: driver_id, type: int64}]}]
views: [{name: driver_stats, entity: driver, features: [{name: trips, type: int64, conflict: counter}]}]
on_demand:
  - name: surge
    inputs: [driver_stats:trips]
    features:
      - {name: good, type: int64, expr: trips + 1}
      - {name: score, type: float64, expr: trips * 1.5}
`))
	if err != nil {
		t.Fatal(err)
	}
	r := feature.NewRegistry().With(feature.Checks{OnDemand: ondemand.Check})
	_, _, err = r.Apply(d, nil)
	const want = `definitions of project "rides": on_demand[surge].features[score].expr: column 7: * does not take (int, double): write double(trips) * 1.5`
	if !errors.Is(err, feature.ErrInvalid) || err.Error() != want {
		t.Fatalf("got  %v\nwant %s", err, want)
	}
	d.OnDemands[0].Fields[1].Expr = "double(trips) * 1.5"
	if _, _, err = r.Apply(d, nil); err != nil {
		t.Fatal(err)
	}
	// A change of what an expression reads is checked as well.
	d.Views[0].Fields[0].Name = "rides"
	if _, err := r.Plan(d); err == nil || !strings.Contains(err.Error(), `view driver_stats has no feature "trips"`) {
		t.Errorf("got %v, want the input that is gone", err)
	}
}
