package ondemand

import (
	"featurestore/feature"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// celType is the type of a variable: nullable, so that it may be compared
// with null.
func celType(t feature.Type) *cel.Type {
	elem := scalarType(t.Kind)
	if t.Shape != feature.Scalar {
		return cel.NullableType(cel.ListType(elem))
	}
	if t.Kind == feature.JSON {
		return cel.DynType
	}
	return cel.NullableType(elem)
}

func scalarType(k feature.Kind) *cel.Type {
	switch k {
	case feature.Int32, feature.Int64:
		return cel.IntType
	case feature.Float32, feature.Float64:
		return cel.DoubleType
	case feature.Bool:
		return cel.BoolType
	case feature.Timestamp:
		return cel.TimestampType
	case feature.Bytes:
		return cel.BytesType
	case feature.JSON:
		return cel.DynType
	}
	return cel.StringType // string, uuid, decimal
}

// resultFits reports whether results of type got can become a feature of type
// want, as far as types tell: what is dynamic is looked at when it is computed.
func resultFits(got *cel.Type, want feature.Type) bool {
	if dynamic(got) {
		return true
	}
	if want.Shape != feature.Scalar {
		return got.Kind() == types.ListKind && len(got.Parameters()) == 1 &&
			resultFits(got.Parameters()[0], feature.ScalarOf(want.Kind))
	}
	switch want.Kind {
	case feature.Float32, feature.Float64:
		return got.Kind() == types.DoubleKind || got.Kind() == types.IntKind
	case feature.JSON:
		return got.Kind() == types.StringKind
	}
	return got.Kind() == scalarType(want.Kind).Kind()
}

func dynamic(t *cel.Type) bool {
	switch t.Kind() {
	case types.DynKind, types.AnyKind, types.NullTypeKind, types.TypeParamKind:
		return true
	}
	return false
}

// wayOut says how to make a result of the wrong type right.
func wayOut(want feature.Type) string {
	if want.Shape != feature.Scalar {
		return "give a list"
	}
	switch want.Kind {
	case feature.Int32, feature.Int64:
		return "write int(…) around it"
	case feature.Float32, feature.Float64:
		return "write double(…) around it"
	case feature.Timestamp:
		return "write timestamp(…) around it"
	case feature.Bytes:
		return "write bytes(…) around it"
	case feature.Bool:
		return "compare it with something"
	}
	return "write string(…) around it"
}
