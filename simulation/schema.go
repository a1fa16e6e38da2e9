package simulation

import (
	"fmt"
	"time"

	"featurestore/feature"
)

// Lateness is how late an event may be in the schema of simulations, and so how
// long a tombstone of it stays.
const Lateness = 2 * time.Second

// Schema returns the definitions that simulations use: drivers, with one
// feature of each kind of conflict rule.
//
//	x  int64, event_time        w  int64, write_time
//	n  int64, counter           m  int64, max
//	s  list<string>, set      d  int64, siblings
//
// Drivers with an odd number have x and w alone, in a view of their own: where
// every rule replaces, tombstones can be collected.
func Schema() feature.Definitions {
	number := feature.ScalarOf(feature.Int64)
	view := func(name string, fields ...feature.Field) feature.View {
		return feature.View{Name: name, Entities: []string{"driver"}, Online: true, Offline: true, MaxLateness: Lateness, Fields: fields}
	}
	x, w := feature.Field{Name: "x", Type: number, Rule: feature.EventTime}, feature.Field{Name: "w", Type: number, Rule: feature.WriteTime}
	return feature.Definitions{
		Project:  "simulation",
		Entities: []feature.Entity{{Name: "driver", JoinKeys: []feature.JoinKey{{Name: "driver_id", Type: number}}}},
		Views: []feature.View{
			view("even", x, w,
				feature.Field{Name: "n", Type: number, Rule: feature.Counter},
				feature.Field{Name: "m", Type: number, Rule: feature.Max},
				feature.Field{Name: "s", Type: feature.ListOf(feature.String), Rule: feature.Set},
				feature.Field{Name: "d", Type: number, Rule: feature.Siblings}),
			view("odd", x, w),
		},
	}
}

// view returns the view of a driver as a store has it.
func (r *Replica) view(driver int64) (*feature.ResolvedView, error) {
	c, ok := r.Store.Registry().Catalog("simulation")
	if !ok {
		return nil, fmt.Errorf("%s has no definitions", r.Region)
	}
	v, ok := c.View([]string{"even", "odd"}[driver%2])
	if !ok {
		return nil, fmt.Errorf("%s has no view", r.Region)
	}
	return v, nil
}

func keyOf(driver int64) feature.Key {
	k, err := feature.AppendKeyValue(nil, feature.OfInt64(driver))
	if err != nil {
		panic(err) // an int64 is always a key
	}
	return k
}
