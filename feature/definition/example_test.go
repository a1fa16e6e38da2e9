package definition_test

import (
	"fmt"
	"strings"

	"featurestore/feature"
	"featurestore/feature/definition"
)

func ExampleParse() {
	d, err := definition.Parse("rides.yaml", strings.NewReader(`
project: rides
entities:
  - {name: driver, join_keys: [{name: driver_id, type: int64}]}
views:
  - name: driver_stats
    entity: driver
    ttl: 24h
    features:
      - {name: conv_rate, type: float32}
      - {name: trips, type: int64, conflict: counter}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := feature.NewRegistry().Plan(d)
	fmt.Print(plan)
	fmt.Println(err)

	_, err = definition.Parse("rides.yaml", strings.NewReader("project: rides\nviews:\n  - {name: v, entity: e, tll: 24h, features: []}\n"))
	fmt.Println(err)
	// Output:
	// project rides: 6 to change (revision 0)
	//   + project rides
	//   + group default
	//   + entity driver
	//   + view driver_stats
	//   + feature driver_stats:conv_rate float32
	//   + feature driver_stats:trips int64
	// <nil>
	// rides.yaml:3:26: views[0]: unknown key "tll"; did you mean "ttl"?
}
