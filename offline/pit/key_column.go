package pit

import (
	"fmt"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// keyColumn reads one column of keys, as words or as text.
type keyColumn struct {
	array arrow.Array
	index func(row int) int // into array: a dictionary's; nil: the row itself
	rows  arrow.Array       // what is null where
	value func(i int) (word uint64, exists bool, err error)
	bytes func(i int) []byte
	text  func(row int) []byte
}

func (c *keyColumn) isNull(row int) bool {
	return c.rows.IsNull(row) || c.index != nil && c.array.IsNull(c.index(row))
}

func (c *keyColumn) word(row int) (uint64, bool, error) {
	if c.index != nil {
		row = c.index(row)
	}
	return c.value(row)
}

func keyColumnOf(a arrow.Array, class keyClass) keyColumn {
	c := keyColumn{array: a, rows: a}
	if d, ok := a.(*array.Dictionary); ok {
		c.array, c.index = d.Dictionary(), d.GetValueIndex
	}
	switch class {
	case textClass, bytesClass:
		c.bytes = bytesAt(c.array)
		c.text = func(row int) []byte {
			if c.index != nil {
				row = c.index(row)
			}
			return c.bytes(row)
		}
	default:
		c.value = wordAt(c.array)
	}
	return c
}

func bytesAt(a arrow.Array) func(i int) []byte {
	switch a := a.(type) {
	case *array.String:
		return func(i int) []byte { return []byte(a.Value(i)) }
	case *array.LargeString:
		return func(i int) []byte { return []byte(a.Value(i)) }
	case *array.Binary:
		return a.Value
	case *array.LargeBinary:
		return a.Value
	case *array.FixedSizeBinary:
		return a.Value
	}
	panic(fmt.Sprintf("pit: %s was taken for text or bytes", a.DataType()))
}

// wordAt returns the reader of values that are one word.
func wordAt(a arrow.Array) func(i int) (uint64, bool, error) {
	switch a := a.(type) {
	case *array.Int8:
		return func(i int) (uint64, bool, error) { return uint64(int64(a.Value(i))), true, nil }
	case *array.Int16:
		return func(i int) (uint64, bool, error) { return uint64(int64(a.Value(i))), true, nil }
	case *array.Int32:
		return func(i int) (uint64, bool, error) { return uint64(int64(a.Value(i))), true, nil }
	case *array.Int64:
		return func(i int) (uint64, bool, error) { return uint64(a.Value(i)), true, nil }
	case *array.Uint8:
		return func(i int) (uint64, bool, error) { return uint64(a.Value(i)), true, nil }
	case *array.Uint16:
		return func(i int) (uint64, bool, error) { return uint64(a.Value(i)), true, nil }
	case *array.Uint32:
		return func(i int) (uint64, bool, error) { return uint64(a.Value(i)), true, nil }
	case *array.Uint64: // only entity rows have these; no feature row equals what an int64 cannot hold
		return func(i int) (uint64, bool, error) { return a.Value(i), a.Value(i) <= math.MaxInt64, nil }
	case *array.Float32:
		return func(i int) (uint64, bool, error) { return floatWord(float64(a.Value(i))) }
	case *array.Float64:
		return func(i int) (uint64, bool, error) { return floatWord(a.Value(i)) }
	case *array.Boolean:
		return func(i int) (uint64, bool, error) {
			if a.Value(i) {
				return 1, true, nil
			}
			return 0, true, nil
		}
	case *array.Timestamp:
		unit := a.DataType().(*arrow.TimestampType).Unit
		return func(i int) (uint64, bool, error) {
			n, ok := nanos(int64(a.Value(i)), unit)
			if !ok {
				return 0, false, errTime(int64(a.Value(i)), unit)
			}
			return uint64(n), true, nil
		}
	}
	panic(fmt.Sprintf("pit: %s was taken for a number", a.DataType()))
}

func floatWord(f float64) (uint64, bool, error) {
	if f == 0 {
		f = 0 // negative zero is zero
	}
	return math.Float64bits(f), !math.IsNaN(f), nil
}
