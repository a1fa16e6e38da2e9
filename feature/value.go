package feature

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Value is one value of a type, or null (the zero Value). It is small, is
// passed by value and is immutable. Numbers live in bits, everything else,
// lists included, in data, in the encoding of AppendValue.
type Value struct {
	kind  Kind
	shape Shape
	bits  uint64
	data  string
}

// IsNull reports whether v is null.
func (v Value) IsNull() bool { return v.kind == Null }

// Kind returns the scalar kind of v or of its elements; Null for null.
func (v Value) Kind() Kind { return v.kind }

// Shape returns Scalar for scalars and null, List or Vector otherwise.
func (v Value) Shape() Shape { return v.shape }

// Type returns the type of v; that of a vector carries its dimension.
func (v Value) Type() Type {
	t := Type{Kind: v.kind, Shape: v.shape}
	if v.shape == Vector {
		t.Dim = len(v.data) / Float32.width()
	}
	return t
}

// OfInt32 returns an int32 value.
func OfInt32(n int32) Value { return Value{kind: Int32, bits: uint64(int64(n))} }

// OfInt64 returns an int64 value.
func OfInt64(n int64) Value { return Value{kind: Int64, bits: uint64(n)} }

// OfFloat32 returns a float32 value. Every NaN becomes one NaN.
func OfFloat32(f float32) Value {
	if f != f {
		f = float32(math.NaN())
	}
	return Value{kind: Float32, bits: uint64(math.Float32bits(f))}
}

// OfFloat64 returns a float64 value. Every NaN becomes one NaN.
func OfFloat64(f float64) Value {
	if f != f {
		f = math.NaN()
	}
	return Value{kind: Float64, bits: math.Float64bits(f)}
}

// OfBool returns a bool value.
func OfBool(b bool) Value {
	v := Value{kind: Bool}
	if b {
		v.bits = 1
	}
	return v
}

// OfNanos returns a timestamp value of ns nanoseconds since the Unix epoch.
func OfNanos(ns int64) Value { return Value{kind: Timestamp, bits: uint64(ns)} }

// OfTime returns a timestamp value. Times outside 1677-09-21 to 2262-04-11 do
// not fit 64 bits of nanoseconds and are an error.
func OfTime(t time.Time) (Value, error) {
	ns, err := Nanos(t)
	if err != nil {
		return Value{}, err
	}
	return OfNanos(ns), nil
}

// Nanos returns t as nanoseconds since the Unix epoch, or an error when t lies
// outside what 64 bits hold.
func Nanos(t time.Time) (int64, error) {
	ns := t.UnixNano()
	if !time.Unix(0, ns).Equal(t) {
		return 0, fmt.Errorf("time %s is outside 1677-09-21 to 2262-04-11", t.UTC().Format(time.RFC3339Nano))
	}
	return ns, nil
}

// OfBytes returns a bytes value holding a copy of b.
func OfBytes(b []byte) Value { return Value{kind: Bytes, data: string(b)} }

// OfString returns a string value, or an error when s is not valid UTF-8.
func OfString(s string) (Value, error) {
	if !utf8.ValidString(s) {
		return Value{}, fmt.Errorf("string %q is not valid UTF-8", Clip(s))
	}
	return Value{kind: String, data: s}, nil
}

// OfJSON returns a json value. The caller has checked that s is one valid
// JSON document in UTF-8 (the api room knows JSON; this one does not).
func OfJSON(s string) Value { return Value{kind: JSON, data: s} }

// OfUUID returns a uuid value.
func OfUUID(u uuid.UUID) Value { return Value{kind: UUID, data: string(u[:])} }

// ParseUUID returns the uuid value that s writes in its 36-character form.
func ParseUUID(s string) (Value, error) {
	u, err := uuid.Parse(s)
	if err != nil || len(s) != 36 {
		return Value{}, fmt.Errorf("%q is not a uuid such as 123e4567-e89b-12d3-a456-426614174000", Clip(s))
	}
	return OfUUID(u), nil
}

// OfVector returns a float32 vector with a copy of elems.
func OfVector(elems []float32) Value {
	b := make([]byte, 0, 4*len(elems))
	for _, f := range elems {
		b = appendScalar(b, OfFloat32(f))
	}
	return Value{kind: Float32, shape: Vector, data: string(b)}
}

// OfList returns a list of elems, which must all be scalars of kind k and not
// null.
func OfList(k Kind, elems ...Value) (Value, error) {
	if k == Null || k >= kindEnd {
		return Value{}, fmt.Errorf("a list cannot have elements of kind %s", k)
	}
	var b []byte
	for i, e := range elems {
		if e.kind != k || e.shape != Scalar {
			return Value{}, fmt.Errorf("list element %d is %s, want %s", i, e.Type(), k)
		}
		b = appendElem(b, e)
	}
	return Value{kind: k, shape: List, data: string(b)}, nil
}

// Int returns the number of an int32, int64, bool or timestamp value (its
// nanoseconds), 0 for others.
func (v Value) Int() int64 {
	switch v.kind {
	case Int32, Int64, Bool, Timestamp:
		return int64(v.bits)
	}
	return 0
}

// Float returns the number of a float32, float64, int32 or int64 value, 0 for
// others.
func (v Value) Float() float64 {
	switch v.kind {
	case Float32:
		return float64(math.Float32frombits(uint32(v.bits)))
	case Float64:
		return math.Float64frombits(v.bits)
	case Int32, Int64:
		return float64(int64(v.bits))
	}
	return 0
}

// Bool returns whether a bool value is true.
func (v Value) Bool() bool { return v.kind == Bool && v.bits == 1 }

// Time returns a timestamp value in UTC.
func (v Value) Time() time.Time { return time.Unix(0, int64(v.bits)).UTC() }

// Text returns the text of a string, json or decimal value, the bytes of a
// bytes value, and the 16 bytes of a uuid, without a copy.
func (v Value) Text() string { return v.data }

// IsNaN reports whether v is a float that is not a number.
func (v Value) IsNaN() bool {
	return v.shape == Scalar && (v.kind == Float32 || v.kind == Float64) && math.IsNaN(v.Float())
}

// Elems yields the elements of a list or vector in order; nothing for scalars.
func (v Value) Elems() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.shape == Scalar {
			return
		}
		for rest := v.data; rest != ""; {
			e, n := cutElem(v.kind, rest)
			if n == 0 || !yield(e) {
				return
			}
			rest = rest[n:]
		}
	}
}

// Len returns the number of elements of a list or vector, 0 for scalars.
func (v Value) Len() int {
	if v.shape == Scalar {
		return 0
	}
	if w := v.kind.width(); w > 0 {
		return len(v.data) / w
	}
	n := 0
	for range v.Elems() {
		n++
	}
	return n
}

// Equal reports whether v and w have the same type and the same value; NaN
// equals NaN, and decimals compare by their text.
func (v Value) Equal(w Value) bool { return v == w }

// Compare orders two scalars of one kind: numbers by size (NaN below all, -0
// below 0), false before true, times by time, the rest by bytes. Lists compare
// by their encoding. Values of different types order by type. It returns 0 only
// for values that are Equal.
func (v Value) Compare(w Value) int {
	if c := cmp.Or(cmp.Compare(v.kind, w.kind), cmp.Compare(v.shape, w.shape)); c != 0 {
		return c
	}
	if v.shape == Scalar {
		switch v.kind {
		case Int32, Int64, Bool, Timestamp:
			return cmp.Compare(int64(v.bits), int64(w.bits))
		case Float32, Float64:
			return compareFloats(v.Float(), w.Float())
		case Decimal:
			return cmp.Or(compareDecimals(v.data, w.data), cmp.Compare(v.data, w.data))
		}
	}
	return cmp.Compare(v.data, w.data)
}

func compareFloats(a, b float64) int {
	if a == 0 && b == 0 {
		return cmp.Compare(math.Copysign(1, a), math.Copysign(1, b))
	}
	return cmp.Compare(a, b)
}

// String prints v for people and logs: numbers in shortest form, times in RFC
// 3339, bytes in hex, lists in brackets. JSON printing is the api room's.
func (v Value) String() string {
	if v.shape != Scalar {
		var b bytes.Buffer
		sep := "["
		for e := range v.Elems() {
			b.WriteString(sep)
			b.WriteString(e.String())
			sep = " "
		}
		if b.Len() == 0 {
			return "[]"
		}
		b.WriteByte(']')
		return b.String()
	}
	switch v.kind {
	case Null:
		return "null"
	case Int32, Int64:
		return strconv.FormatInt(v.Int(), 10)
	case Float32:
		return strconv.FormatFloat(v.Float(), 'g', -1, 32)
	case Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case Bool:
		return strconv.FormatBool(v.Bool())
	case Timestamp:
		return v.Time().Format(time.RFC3339Nano)
	case UUID:
		return uuid.UUID([]byte(v.data)).String()
	case Bytes:
		return fmt.Sprintf("%x", v.data)
	}
	return v.data
}
