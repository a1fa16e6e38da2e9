package history

import (
	"iter"

	"featurestore/feature"
	"featurestore/hlc"
)

// Served returns the row of one entity as a store that had come to a vector, in
// the shard of the entity's key, served it: the join of what the rows brought, but
// for those that were for history alone. Rows are all of the entity in one view,
// in any order. A store that has collected a tombstone serves the row without it,
// which reads the same.
func Served(rows iter.Seq[Row], at hlc.Vector) feature.Row {
	var served feature.Row
	for r := range rows {
		if !r.LogOnly && at.CoversPosition(r.Log) {
			served = feature.JoinRow(served, r.Delta)
		}
	}
	return served
}
