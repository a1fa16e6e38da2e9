package feature

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDecodeValueIsTheInverseOfAppendValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := values.Draw(t, "value")
		b := AppendValue(nil, v)
		if len(b) != v.size() {
			t.Errorf("%v: size %d, but %d bytes", v, v.size(), len(b))
		}
		got, err := DecodeValue(v.Kind(), v.Shape(), b)
		if err != nil || !got.Equal(v) || got.Compare(v) != 0 || got.Type() != v.Type() {
			t.Fatalf("got %v of %v, %v; want %v of %v", got, got.Type(), err, v, v.Type())
		}
	})
}

func TestDecodedValueAliasesAndCloneDoesNot(t *testing.T) {
	b := []byte("abc")
	v := must(DecodeValue(String, Scalar, b))
	clone := v.Clone()
	b[0] = 'x'
	if v.Text() != "xbc" || clone.Text() != "abc" {
		t.Errorf("got %q and a clone %q, want an alias xbc and a clone abc", v.Text(), clone.Text())
	}
}

func TestDecodeValueRefuses(t *testing.T) {
	for _, tc := range []struct {
		name  string
		kind  Kind
		shape Shape
		b     string
	}{
		{"bytes of null", Null, Scalar, "x"},
		{"a bool of two", Bool, Scalar, "\x02"},
		{"a bool of no bytes", Bool, Scalar, ""},
		{"a short int32", Int32, Scalar, "abc"},
		{"a long int64", Int64, Scalar, "123456789"},
		{"a short uuid", UUID, Scalar, "0123456789abcde"},
		{"another NaN", Float64, Scalar, "\x01\x00\x00\x00\x00\x00\xf8\xff"},
		{"another NaN", Float32, Scalar, "\x01\x00\xc0\xff"},
		{"invalid UTF-8", String, Scalar, "a\xff"},
		{"invalid UTF-8", JSON, Scalar, "\xc3"},
		{"a decimal not as kept", Decimal, Scalar, "1e5"},
		{"an unknown kind", kindEnd, Scalar, ""},
		{"an unknown shape", Int64, shapeEnd, ""},
		{"a list of null", Null, List, ""},
		{"a list that breaks off", Int32, List, "abcde"},
		{"a text that breaks off", String, List, "\x05abc"},
		{"a length in long form", String, List, "\x81\x00a"},
		{"a length beyond 64 bits", Bytes, List, strings.Repeat("\xff", 11)},
		{"a vector of int64", Int64, Vector, "12345678"},
		{"a vector that breaks off", Float32, Vector, "12345"},
		{"a vector with another NaN", Float32, Vector, "\x01\x00\xc0\xff"},
	} {
		if v, err := DecodeValue(tc.kind, tc.shape, []byte(tc.b)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got %v, %v, want ErrCorrupt", tc.name, v, err)
		}
	}
}

// F5
func FuzzDecodeValue(f *testing.F) {
	for k := range byte(kindEnd) {
		f.Add(k, byte(Scalar), []byte("12.50"))
		f.Add(k, byte(List), []byte("\x0112345678"))
	}
	f.Add(byte(Float32), byte(Vector), make([]byte, 8))
	f.Fuzz(func(t *testing.T, k, s byte, b []byte) {
		v, err := DecodeValue(Kind(k), Shape(s), b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("got %v, want ErrCorrupt", err)
			}
			return
		}
		if again := AppendValue(nil, v); !bytes.Equal(again, b) {
			t.Fatalf("%x prints back as %x", b, again)
		}
		if v.Kind() != Kind(k) || v.Shape() != Shape(s) || v.Compare(v) != 0 {
			t.Fatalf("%x of %v, %d became %v of %v", b, Kind(k), s, v, v.Type())
		}
		if v.String() == "" && len(b) > 0 {
			t.Fatalf("%x prints as nothing", b)
		}
		n := 0
		for e := range v.Elems() {
			if e.Kind() != Kind(k) || e.Shape() != Scalar {
				t.Fatalf("element %d is %v", n, e.Type())
			}
			n++
		}
		if n != v.Len() {
			t.Fatalf("%d elements, Len says %d", n, v.Len())
		}
		if math.IsNaN(v.Float()) != v.IsNaN() {
			t.Fatalf("%v: IsNaN is %v", v, v.IsNaN())
		}
	})
}
