package feature

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind is the scalar type of a value. The numbers are stored: never renumber.
type Kind uint8

// The scalar types a feature or a join key may have.
const (
	Null      Kind = 0  // no value: the kind of a stored null
	Bytes     Kind = 1  // any bytes
	String    Kind = 2  // UTF-8 text
	Int32     Kind = 3  // 32-bit signed integer
	Int64     Kind = 4  // 64-bit signed integer
	Float32   Kind = 5  // IEEE 754 single
	Float64   Kind = 6  // IEEE 754 double
	Bool      Kind = 7  // true or false
	Timestamp Kind = 8  // nanoseconds since 1970-01-01T00:00:00Z
	UUID      Kind = 9  // 16 bytes
	Decimal   Kind = 10 // decimal number of any size, as text
	JSON      Kind = 11 // one JSON document, as text
	kindEnd   Kind = 12
)

var kindNames = [kindEnd]string{
	Null: "null", Bytes: "bytes", String: "string", Int32: "int32", Int64: "int64",
	Float32: "float32", Float64: "float64", Bool: "bool", Timestamp: "timestamp",
	UUID: "uuid", Decimal: "decimal", JSON: "json",
}

// String returns the name definitions use, such as "int64".
func (k Kind) String() string {
	if k < kindEnd {
		return kindNames[k]
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// width is the encoded size in bytes of fixed-width kinds, 0 for the others.
func (k Kind) width() int {
	switch k {
	case Bool:
		return 1
	case Int32, Float32:
		return 4
	case Int64, Float64, Timestamp:
		return 8
	case UUID:
		return 16
	}
	return 0
}

// Numeric reports whether values of the kind are numbers: what max and min compare.
func (k Kind) Numeric() bool {
	switch k {
	case Int32, Int64, Float32, Float64, Decimal, Timestamp:
		return true
	}
	return false
}

// Shape says whether a value is one scalar or several.
type Shape uint8

// The shapes of a type. The numbers are stored: never renumber.
const (
	Scalar   Shape = 0 // one value
	List     Shape = 1 // any number of values
	Vector   Shape = 2 // a fixed number of float32 values
	shapeEnd Shape = 3
)

// Type is the declared type of a feature or a join key.
type Type struct {
	Kind  Kind
	Shape Shape
	// Dim is the number of elements of a Vector, 0 otherwise.
	Dim int
}

// MaxVectorDim bounds the dimension of a vector type.
const MaxVectorDim = 1 << 16

// ScalarOf returns the scalar type of kind k.
func ScalarOf(k Kind) Type { return Type{Kind: k} }

// ListOf returns the type of lists of kind k.
func ListOf(k Kind) Type { return Type{Kind: k, Shape: List} }

// VectorOf returns the type of float32 vectors of dim elements.
func VectorOf(dim int) Type { return Type{Kind: Float32, Shape: Vector, Dim: dim} }

// String returns the type as definitions write it: "int64", "list<string>",
// "vector<float32,128>".
func (t Type) String() string {
	switch t.Shape {
	case List:
		return "list<" + t.Kind.String() + ">"
	case Vector:
		return "vector<" + t.Kind.String() + "," + strconv.Itoa(t.Dim) + ">"
	}
	return t.Kind.String()
}

// ParseType is the inverse of Type.String. Spaces are allowed around names and
// numbers.
func ParseType(s string) (Type, error) {
	text := strings.TrimSpace(s)
	if inner, ok := cutBrackets(text, "list"); ok {
		k, err := parseKind(strings.TrimSpace(inner))
		if err != nil {
			return Type{}, err
		}
		return ListOf(k), nil
	}
	if inner, ok := cutBrackets(text, "vector"); ok {
		kind, dim, _ := strings.Cut(inner, ",")
		kind, dim = strings.TrimSpace(kind), strings.TrimSpace(dim)
		n, err := strconv.Atoi(dim)
		if kind != "float32" || err != nil || n < 1 || n > MaxVectorDim || strconv.Itoa(n) != dim {
			return Type{}, fmt.Errorf("type %q: a vector is written vector<float32,N> with 1 <= N <= %d", s, MaxVectorDim)
		}
		return VectorOf(n), nil
	}
	k, err := parseKind(text)
	if err != nil {
		return Type{}, err
	}
	return ScalarOf(k), nil
}

func cutBrackets(text, name string) (inner string, ok bool) {
	rest, ok := strings.CutPrefix(text, name)
	if rest = strings.TrimSpace(rest); !ok || !strings.HasPrefix(rest, "<") {
		return "", false
	}
	return strings.CutSuffix(rest[1:], ">")
}

func parseKind(s string) (Kind, error) {
	for k := Bytes; k < kindEnd; k++ {
		if kindNames[k] == s {
			return k, nil
		}
	}
	return Null, fmt.Errorf("type %q is not known; use one of %s, list<…> of these, or vector<float32,N>",
		Clip(s), strings.Join(kindNames[Bytes:], ", "))
}
