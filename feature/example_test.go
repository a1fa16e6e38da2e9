package feature_test

import (
	"fmt"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
)

// Define a view, make the key of an entity, and join two writes to its row.
func Example() {
	registry, plan, err := feature.NewRegistry().Apply(feature.Definitions{
		Project:  "rides",
		Entities: []feature.Entity{{Name: "driver", JoinKeys: []feature.JoinKey{{Name: "driver_id", Type: feature.ScalarOf(feature.Int64)}}}},
		Views: []feature.View{{
			Name: "driver_stats", Entities: []string{"driver"}, TTL: 24 * time.Hour, Online: true, Offline: true,
			Fields: []feature.Field{
				{Name: "conv_rate", Type: feature.ScalarOf(feature.Float32)},
				{Name: "trips", Type: feature.ScalarOf(feature.Int64), Rule: feature.Counter},
			},
		}},
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(plan)
	catalog, _ := registry.Catalog("rides")
	view, _ := catalog.View("driver_stats")
	rate, _ := view.Field("conv_rate")
	trips, _ := view.Field("trips")
	key, _ := feature.AppendKeyValue(nil, feature.OfInt64(1001))

	// Two regions accept a write each; the one of the later event came first.
	write := func(at hlc.Timestamp, origin hlc.Origin, event int64, value float32) feature.Row {
		delta, _ := feature.Change{View: view.ID, Key: key, EventTime: event, Assignments: []feature.Assignment{
			{Feature: rate.ID, Rule: rate.Rule, Type: rate.Type, Value: feature.OfFloat32(value)},
			{Feature: trips.ID, Rule: trips.Rule, Type: trips.Type, Value: feature.OfInt64(1)},
		}}.Delta(feature.Row{}, at, origin)
		return delta
	}
	row := feature.JoinRow(write(10, 1, 2_000, 0.75), write(11, 2, 1_000, 0.5))
	r, _ := row.Cell(rate.ID)
	n, _ := row.Cell(trips.ID)
	fmt.Println("conv_rate", r.Read(), "trips", n.Read())
	// Output:
	// project rides: 6 to change (revision 0)
	//   + project rides
	//   + group default
	//   + entity driver
	//   + view driver_stats
	//   + feature driver_stats:conv_rate float32
	//   + feature driver_stats:trips int64
	// conv_rate 0.75 trips 2
}
