package source

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"featurestore/feature"
)

// A cell reads element i of an Arrow array, which is not null there.
type cell func(a arrow.Array, i int) (feature.Value, error)

// cellOf returns the reader of arrays of type dt, or an error when there is no
// feature type for it. Data types of several words fit the next wider one.
func cellOf(dt arrow.DataType) (cell, error) {
	switch t := dt.(type) {
	case *arrow.NullType:
		return func(arrow.Array, int) (feature.Value, error) { return feature.Value{}, nil }, nil
	case *arrow.BooleanType:
		return func(a arrow.Array, i int) (feature.Value, error) {
			return feature.OfBool(a.(*array.Boolean).Value(i)), nil
		}, nil
	case *arrow.StringType, *arrow.LargeStringType:
		return func(a arrow.Array, i int) (feature.Value, error) {
			return feature.OfString(a.(interface{ Value(int) string }).Value(i))
		}, nil
	case *arrow.BinaryType, *arrow.LargeBinaryType, *arrow.FixedSizeBinaryType:
		return func(a arrow.Array, i int) (feature.Value, error) {
			return feature.OfBytes(a.(interface{ Value(int) []byte }).Value(i)), nil
		}, nil
	case *arrow.TimestampType:
		return timeCell(t.Unit, func(a arrow.Array, i int) int64 { return int64(a.(*array.Timestamp).Value(i)) }), nil
	case *arrow.Date32Type:
		return daysCell, nil
	case *arrow.Date64Type:
		return timeCell(arrow.Millisecond, func(a arrow.Array, i int) int64 { return int64(a.(*array.Date64).Value(i)) }), nil
	case *arrow.Decimal128Type:
		return func(a arrow.Array, i int) (feature.Value, error) {
			return feature.ParseDecimal(a.(*array.Decimal128).Value(i).ToString(t.Scale))
		}, nil
	case *arrow.Decimal256Type:
		return func(a arrow.Array, i int) (feature.Value, error) {
			return feature.ParseDecimal(a.(*array.Decimal256).Value(i).ToString(t.Scale))
		}, nil
	case *arrow.DictionaryType:
		return dictionaryCell(t)
	case arrow.ListLikeType:
		if _, ok := dt.(*arrow.MapType); !ok {
			return listCell(t)
		}
	}
	if c := numberCell(dt.ID()); c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("there is no feature type for Arrow's %s", dt)
}

func numberCell(id arrow.Type) cell {
	switch id {
	case arrow.INT8:
		return func(a arrow.Array, i int) (feature.Value, error) {
			return feature.OfInt32(int32(a.(*array.Int8).Value(i))), nil
		}
	case arrow.INT16:
		return func(a arrow.Array, i int) (feature.Value, error) {
			return feature.OfInt32(int32(a.(*array.Int16).Value(i))), nil
		}
	case arrow.INT32:
		return func(a arrow.Array, i int) (feature.Value, error) {
			return feature.OfInt32(a.(*array.Int32).Value(i)), nil
		}
	case arrow.INT64:
		return func(a arrow.Array, i int) (feature.Value, error) {
			return feature.OfInt64(a.(*array.Int64).Value(i)), nil
		}
	case arrow.UINT8:
		return func(a arrow.Array, i int) (feature.Value, error) {
			return feature.OfInt32(int32(a.(*array.Uint8).Value(i))), nil
		}
	case arrow.UINT16:
		return func(a arrow.Array, i int) (feature.Value, error) {
			return feature.OfInt32(int32(a.(*array.Uint16).Value(i))), nil
		}
	case arrow.UINT32:
		return func(a arrow.Array, i int) (feature.Value, error) {
			return feature.OfInt64(int64(a.(*array.Uint32).Value(i))), nil
		}
	case arrow.UINT64:
		return func(a arrow.Array, i int) (feature.Value, error) {
			n := a.(*array.Uint64).Value(i)
			if n > math.MaxInt64 {
				return feature.Value{}, fmt.Errorf("%d does not fit an int64", n)
			}
			return feature.OfInt64(int64(n)), nil
		}
	case arrow.FLOAT16:
		return func(a arrow.Array, i int) (feature.Value, error) {
			return feature.OfFloat32(a.(*array.Float16).Value(i).Float32()), nil
		}
	case arrow.FLOAT32:
		return func(a arrow.Array, i int) (feature.Value, error) {
			return feature.OfFloat32(a.(*array.Float32).Value(i)), nil
		}
	case arrow.FLOAT64:
		return func(a arrow.Array, i int) (feature.Value, error) {
			return feature.OfFloat64(a.(*array.Float64).Value(i)), nil
		}
	}
	return nil
}

// timeCell reads a number of units since the Unix epoch. A type without a zone
// means UTC.
func timeCell(unit arrow.TimeUnit, number func(arrow.Array, int) int64) cell {
	nanos := int64(unit.Multiplier())
	return func(a arrow.Array, i int) (feature.Value, error) {
		n := number(a, i)
		if n > math.MaxInt64/nanos || n < math.MinInt64/nanos {
			return feature.Value{}, fmt.Errorf("time %d%s is outside 1677-09-21 to 2262-04-11", n, unit)
		}
		return feature.OfNanos(n * nanos), nil
	}
}

func daysCell(a arrow.Array, i int) (feature.Value, error) {
	return feature.OfTime(time.Unix(int64(a.(*array.Date32).Value(i))*24*60*60, 0))
}

func dictionaryCell(t *arrow.DictionaryType) (cell, error) {
	inner, err := cellOf(t.ValueType)
	if err != nil {
		return nil, err
	}
	return func(a arrow.Array, i int) (feature.Value, error) {
		d := a.(*array.Dictionary)
		at := d.GetValueIndex(i)
		if at < 0 || at >= d.Dictionary().Len() {
			return feature.Value{}, fmt.Errorf("dictionary index %d of %d", at, d.Dictionary().Len())
		}
		if d.Dictionary().IsNull(at) {
			return feature.Value{}, nil
		}
		return inner(d.Dictionary(), at)
	}, nil
}

// listCell reads lists, fixed-size lists included, of scalars.
func listCell(t arrow.ListLikeType) (cell, error) {
	inner, err := cellOf(t.Elem())
	if err != nil {
		return nil, err
	}
	return func(a arrow.Array, i int) (feature.Value, error) {
		list := a.(array.ListLike)
		from, to := list.ValueOffsets(i)
		items := list.ListValues()
		if from < 0 || to < from || to > int64(items.Len()) {
			return feature.Value{}, fmt.Errorf("list from %d to %d of %d elements", from, to, items.Len())
		}
		elems := make([]feature.Value, 0, to-from)
		for at := int(from); at < int(to); at++ {
			if items.IsNull(at) {
				return feature.Value{}, fmt.Errorf("element %d: a list holds no nulls", at-int(from))
			}
			v, err := inner(items, at)
			if err != nil {
				return feature.Value{}, fmt.Errorf("element %d: %w", at-int(from), err)
			}
			elems = append(elems, v)
		}
		if len(elems) == 0 {
			return feature.OfList(naturalKind(t.Elem()))
		}
		return feature.OfList(elems[0].Kind(), elems...)
	}, nil
}

// naturalKind is the kind of an empty list's elements.
func naturalKind(dt arrow.DataType) feature.Kind {
	switch dt.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.UINT8, arrow.UINT16:
		return feature.Int32
	case arrow.INT64, arrow.UINT32, arrow.UINT64:
		return feature.Int64
	case arrow.FLOAT16, arrow.FLOAT32:
		return feature.Float32
	case arrow.FLOAT64:
		return feature.Float64
	case arrow.BOOL:
		return feature.Bool
	case arrow.BINARY, arrow.LARGE_BINARY, arrow.FIXED_SIZE_BINARY:
		return feature.Bytes
	case arrow.TIMESTAMP, arrow.DATE32, arrow.DATE64:
		return feature.Timestamp
	case arrow.DECIMAL128, arrow.DECIMAL256:
		return feature.Decimal
	}
	return feature.String
}

// typeless reports whether a wanted type leaves the choice to the file.
func typeless(t feature.Type) bool { return t == feature.Type{} }

// unsupported names a column that cannot be read.
func unsupported(name string, err error) error {
	return fmt.Errorf("column %s: %w", strings.TrimSpace(name), err)
}
