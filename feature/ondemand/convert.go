package ondemand

import (
	"encoding/json"
	"fmt"
	"math"

	"featurestore/feature"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

var adapter = types.DefaultTypeAdapter

// toCEL returns v as expressions see it.
func toCEL(v feature.Value) ref.Val {
	if v.IsNull() {
		return types.NullValue
	}
	switch v.Shape() {
	case feature.Vector:
		floats := make([]float64, 0, v.Len())
		for e := range v.Elems() {
			floats = append(floats, e.Float())
		}
		return types.NewList(adapter, floats)
	case feature.List:
		elems := make([]ref.Val, 0, v.Len())
		for e := range v.Elems() {
			elems = append(elems, toCEL(e))
		}
		return types.NewRefValList(adapter, elems)
	}
	switch v.Kind() {
	case feature.Int32, feature.Int64:
		return types.Int(v.Int())
	case feature.Float32, feature.Float64:
		return types.Double(v.Float())
	case feature.Bool:
		return types.Bool(v.Bool())
	case feature.Timestamp:
		return types.Timestamp{Time: v.Time()}
	case feature.Bytes:
		return types.Bytes(v.Text())
	case feature.UUID:
		return types.String(v.String())
	case feature.JSON:
		var doc any
		if err := json.Unmarshal([]byte(v.Text()), &doc); err != nil {
			return types.NewErr("not a JSON document: %v", err)
		}
		return adapter.NativeToValue(doc)
	}
	return types.String(v.Text())
}

// fromCEL returns a result as a value of type t.
func fromCEL(v ref.Val, t feature.Type) (feature.Value, error) {
	if v == nil || v.Type() == types.NullType {
		return feature.Value{}, nil
	}
	if t.Shape == feature.Scalar {
		return scalarFrom(v, t.Kind)
	}
	list, ok := v.(traits.Lister)
	if !ok {
		return feature.Value{}, mismatch(v, t)
	}
	var elems []feature.Value
	for it := list.Iterator(); it.HasNext() == types.True; {
		e, err := scalarFrom(it.Next(), t.Kind)
		if err != nil {
			return feature.Value{}, fmt.Errorf("element %d: %w", len(elems), err)
		}
		elems = append(elems, e)
	}
	if t.Shape == feature.List {
		return feature.OfList(t.Kind, elems...)
	}
	if len(elems) != t.Dim {
		return feature.Value{}, fmt.Errorf("the result has %d elements, %s has %d", len(elems), t, t.Dim)
	}
	floats := make([]float32, len(elems))
	for i, e := range elems {
		floats[i] = float32(e.Float())
	}
	return feature.OfVector(floats), nil
}

func mismatch(v ref.Val, t feature.Type) error {
	return fmt.Errorf("the result is %s, the feature is %s: %s", v.Type().TypeName(), t, wayOut(t))
}

func scalarFrom(v ref.Val, k feature.Kind) (feature.Value, error) {
	switch x := v.(type) {
	case types.Int:
		return intFrom(int64(x), k)
	case types.Double:
		return floatFrom(float64(x), k)
	case types.Bool:
		if k == feature.Bool {
			return feature.OfBool(bool(x)), nil
		}
	case types.String:
		return textFrom(string(x), k)
	case types.Bytes:
		if k == feature.Bytes {
			return feature.OfBytes(x), nil
		}
	case types.Timestamp:
		if k == feature.Timestamp {
			return feature.OfTime(x.Time)
		}
	case *types.Err:
		return feature.Value{}, x
	}
	return feature.Value{}, mismatch(v, feature.ScalarOf(k))
}

func intFrom(n int64, k feature.Kind) (feature.Value, error) {
	switch k {
	case feature.Int64:
		return feature.OfInt64(n), nil
	case feature.Int32:
		if n < math.MinInt32 || n > math.MaxInt32 {
			return feature.Value{}, fmt.Errorf("%d does not fit int32", n)
		}
		return feature.OfInt32(int32(n)), nil
	case feature.Float32, feature.Float64:
		return floatFrom(float64(n), k)
	}
	return feature.Value{}, mismatch(types.Int(n), feature.ScalarOf(k))
}

func floatFrom(f float64, k feature.Kind) (feature.Value, error) {
	switch k {
	case feature.Float64:
		return feature.OfFloat64(f), nil
	case feature.Float32:
		if math.IsInf(float64(float32(f)), 0) && !math.IsInf(f, 0) {
			return feature.Value{}, fmt.Errorf("%g does not fit float32", f)
		}
		return feature.OfFloat32(float32(f)), nil
	}
	return feature.Value{}, mismatch(types.Double(f), feature.ScalarOf(k))
}

func textFrom(s string, k feature.Kind) (feature.Value, error) {
	switch k {
	case feature.String:
		return feature.OfString(s)
	case feature.UUID:
		return feature.ParseUUID(s)
	case feature.Decimal:
		return feature.ParseDecimal(s)
	case feature.JSON:
		if !json.Valid([]byte(s)) {
			return feature.Value{}, fmt.Errorf("the result is not a JSON document")
		}
		if _, err := feature.OfString(s); err != nil {
			return feature.Value{}, err
		}
		return feature.OfJSON(s), nil
	}
	return feature.Value{}, mismatch(types.String(s), feature.ScalarOf(k))
}
