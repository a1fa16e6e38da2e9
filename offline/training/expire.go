package training

import (
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/feature"
)

// expired returns a column without the values whose event time is more than the
// ttl before the entity row's time (U2). The caller releases it.
func expired(column arrow.Array, ages *array.Int64, times *array.Timestamp, ttl time.Duration, mem memory.Allocator) (arrow.Array, error) {
	unit := int64(times.DataType().(*arrow.TimestampType).Unit.Multiplier())
	isOld := func(i int) bool {
		return ages.IsValid(i) && times.IsValid(i) && !feature.WithinTTL(ages.Value(i), int64(times.Value(i))*unit, ttl)
	}
	var parts []arrow.Array
	defer func() {
		for _, p := range parts {
			p.Release()
		}
	}()
	begin, old := 0, false
	part := func(end int) {
		switch {
		case begin == end:
		case old:
			parts = append(parts, array.MakeArrayOfNull(mem, column.DataType(), end-begin))
		default:
			parts = append(parts, array.NewSlice(column, int64(begin), int64(end)))
		}
		begin = end
	}
	for i := range column.Len() {
		if isOld(i) != old {
			part(i)
			old = !old
		}
	}
	part(column.Len())
	if len(parts) == 1 && !old {
		column.Retain()
		return column, nil
	}
	return array.Concatenate(parts, mem)
}
