package source

import (
	"fmt"
	"math"

	"github.com/google/uuid"

	"featurestore/feature"
)

// fit turns a value that a Parquet or Arrow file gave into type t, or returns
// an error: whole numbers stay exact, numbers become floats by rounding to the
// nearest, text is read as CSV's would be. The zero Type takes v as it is.
func fit(v feature.Value, t feature.Type, layouts []string) (feature.Value, error) {
	if typeless(t) || v.IsNull() || v.Type() == t {
		return v, nil
	}
	if v.Shape() != feature.Scalar || t.Shape != feature.Scalar {
		return fitList(v, t, layouts)
	}
	if v.Kind() == feature.String && t.Kind != feature.Bytes {
		return fromText(v.Text(), t, layouts)
	}
	switch t.Kind {
	case feature.Int32, feature.Int64:
		return fitInt(v, t)
	case feature.Float32, feature.Float64:
		return fitFloat(v, t)
	case feature.Decimal:
		switch v.Kind() {
		case feature.Int32, feature.Int64, feature.Float32, feature.Float64:
			return feature.ParseDecimal(v.String())
		}
	case feature.String, feature.JSON:
		if v.Kind() == feature.Bytes {
			return fromText(v.Text(), t, layouts)
		}
	case feature.UUID:
		if v.Kind() == feature.Bytes && len(v.Text()) == 16 {
			return feature.OfUUID(uuid.UUID([]byte(v.Text()))), nil
		}
	}
	return feature.Value{}, misfit(v, t)
}

func fitInt(v feature.Value, t feature.Type) (feature.Value, error) {
	var n int64
	switch v.Kind() {
	case feature.Int32, feature.Int64:
		n = v.Int()
	case feature.Float32, feature.Float64:
		// What a data frame makes of an integer column that has nulls.
		f := v.Float()
		if f != math.Trunc(f) || f < -1<<53 || f > 1<<53 {
			return feature.Value{}, misfit(v, t)
		}
		n = int64(f)
	case feature.Decimal:
		return parseInt(v.Text(), t.Kind)
	default:
		return feature.Value{}, misfit(v, t)
	}
	if t.Kind == feature.Int64 {
		return feature.OfInt64(n), nil
	}
	if n < math.MinInt32 || n > math.MaxInt32 {
		return feature.Value{}, misfit(v, t)
	}
	return feature.OfInt32(int32(n)), nil
}

func fitFloat(v feature.Value, t feature.Type) (feature.Value, error) {
	switch v.Kind() {
	case feature.Int32, feature.Int64, feature.Float32, feature.Float64:
	case feature.Decimal:
		return parseFloat(v.Text(), t.Kind)
	default:
		return feature.Value{}, misfit(v, t)
	}
	f := v.Float()
	if t.Kind == feature.Float64 {
		return feature.OfFloat64(f), nil
	}
	if math.IsInf(float64(float32(f)), 0) && !math.IsInf(f, 0) {
		return feature.Value{}, misfit(v, t)
	}
	return feature.OfFloat32(float32(f)), nil
}

// fitList fits each element of a list or vector.
func fitList(v feature.Value, t feature.Type, layouts []string) (feature.Value, error) {
	if v.Kind() == feature.String && v.Shape() == feature.Scalar {
		return fromText(v.Text(), t, layouts)
	}
	if v.Shape() == feature.Scalar || t.Shape == feature.Scalar {
		return feature.Value{}, misfit(v, t)
	}
	elems := make([]feature.Value, 0, v.Len())
	for e := range v.Elems() {
		fitted, err := fit(e, feature.ScalarOf(t.Kind), layouts)
		if err != nil {
			return feature.Value{}, fmt.Errorf("element %d: %w", len(elems), err)
		}
		elems = append(elems, fitted)
	}
	return asShape(elems, t)
}

func misfit(v feature.Value, t feature.Type) error {
	article := "a"
	if t.Kind == feature.Int32 || t.Kind == feature.Int64 {
		article = "an"
	}
	return fmt.Errorf("%s %s is not %s %s", v.Type(), feature.Clip(v.String()), article, t)
}
