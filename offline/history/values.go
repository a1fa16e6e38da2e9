package history

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"featurestore/feature"
)

// appendValue appends a value, of the type that the builder is for, or null.
func appendValue(b array.Builder, v feature.Value) {
	if v.IsNull() {
		b.AppendNull()
		return
	}
	if lists, ok := b.(*array.ListBuilder); ok {
		lists.Append(true)
		for e := range v.Elems() {
			appendValue(lists.ValueBuilder(), e)
		}
		return
	}
	switch b := b.(type) {
	case *array.BinaryBuilder:
		b.Append([]byte(v.Text()))
	case *array.Int32Builder:
		b.Append(int32(v.Int()))
	case *array.Int64Builder:
		b.Append(v.Int())
	case *array.Float32Builder:
		b.Append(float32(v.Float()))
	case *array.Float64Builder:
		b.Append(v.Float())
	case *array.BooleanBuilder:
		b.Append(v.Bool())
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.Int()))
	case *array.StringBuilder:
		if v.Kind() == feature.UUID {
			b.Append(v.String())
		} else {
			b.Append(v.Text())
		}
	default:
		panic(fmt.Sprintf("no way to append a %s to %T", v.Type(), b)) // columnsOf makes none else
	}
}

// valueAt reads what appendValue appended: element i of an array, of a kind and
// shape. Text is copied: the array may be released.
func valueAt(a arrow.Array, i int, t feature.Type) (feature.Value, error) {
	if a.IsNull(i) {
		return feature.Value{}, nil
	}
	if lists, ok := a.(*array.List); ok {
		from, to := lists.ValueOffsets(i)
		elems := make([]feature.Value, 0, to-from)
		for at := int(from); at < int(to); at++ {
			e, err := scalarAt(lists.ListValues(), at, t.Kind)
			if err != nil {
				return feature.Value{}, fmt.Errorf("element %d: %w", at-int(from), err)
			}
			elems = append(elems, e)
		}
		if t.Shape == feature.Vector {
			floats := make([]float32, len(elems))
			for i, e := range elems {
				floats[i] = float32(e.Float())
			}
			return feature.OfVector(floats), nil
		}
		return feature.OfList(t.Kind, elems...)
	}
	return scalarAt(a, i, t.Kind)
}

func scalarAt(a arrow.Array, i int, k feature.Kind) (feature.Value, error) {
	switch a := a.(type) {
	case *array.Binary:
		return feature.OfBytes(a.Value(i)), nil
	case *array.Int32:
		return feature.OfInt32(a.Value(i)), nil
	case *array.Int64:
		return feature.OfInt64(a.Value(i)), nil
	case *array.Float32:
		return feature.OfFloat32(a.Value(i)), nil
	case *array.Float64:
		return feature.OfFloat64(a.Value(i)), nil
	case *array.Boolean:
		return feature.OfBool(a.Value(i)), nil
	case *array.Timestamp:
		return feature.OfNanos(int64(a.Value(i))), nil
	case *array.String:
		return textValue(a.Value(i), k)
	}
	return feature.Value{}, fmt.Errorf("%w: a column of Arrow's %s", ErrCorrupt, a.DataType())
}

// textValue reads the kinds that are stored as text. Value.Clone copies what the
// array holds.
func textValue(text string, k feature.Kind) (feature.Value, error) {
	var v feature.Value
	var err error
	switch k {
	case feature.UUID:
		return feature.ParseUUID(text)
	case feature.Decimal:
		v, err = feature.ParseDecimal(text)
	case feature.JSON:
		v = feature.OfJSON(text)
	default:
		v, err = feature.OfString(text)
	}
	return v.Clone(), err
}
