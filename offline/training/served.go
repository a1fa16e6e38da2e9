package training

import (
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/feature"
	"featurestore/offline/history"
)

// served returns a column as it would be served (U2): with the feature's default, null
// for none, where nothing was written, and where that was more than the ttl before
// the entity row's time. A null that was written stays. Ages are event times, null
// where nothing was written. The caller releases the column.
func served(column arrow.Array, ages *array.Int64, times *array.Timestamp, ttl time.Duration, byDefault feature.Value, mem memory.Allocator) (arrow.Array, error) {
	unit := int64(times.DataType().(*arrow.TimestampType).Unit.Multiplier())
	lacks := func(i int) bool {
		return ages.IsNull(i) || times.IsNull(i) || !feature.WithinTTL(ages.Value(i), int64(times.Value(i))*unit, ttl)
	}
	var parts []arrow.Array
	defer func() {
		for _, p := range parts {
			p.Release()
		}
	}()
	begin, lacking := 0, false
	part := func(end int) {
		switch {
		case begin == end:
		case lacking:
			parts = append(parts, repeated(byDefault, column.DataType(), end-begin, mem))
		default:
			parts = append(parts, array.NewSlice(column, int64(begin), int64(end)))
		}
		begin = end
	}
	for i := range column.Len() {
		if lacks(i) != lacking {
			part(i)
			lacking = !lacking
		}
	}
	part(column.Len())
	if len(parts) == 0 || len(parts) == 1 && !lacking {
		column.Retain()
		return column, nil
	}
	return array.Concatenate(parts, mem)
}

// repeated is a column of one value.
func repeated(v feature.Value, t arrow.DataType, rows int, mem memory.Allocator) arrow.Array {
	if v.IsNull() {
		return array.MakeArrayOfNull(mem, t, rows)
	}
	b := array.NewBuilder(mem, t)
	defer b.Release()
	for range rows {
		history.AppendArrow(b, v)
	}
	return b.NewArray()
}
