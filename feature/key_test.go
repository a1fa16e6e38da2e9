package feature

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func key(t failer, vs ...Value) Key {
	t.Helper()
	var k Key
	for _, v := range vs {
		var err error
		if k, err = AppendKeyValue(k, v); err != nil {
			t.Fatalf("key of %v: %v", v, err)
		}
	}
	return k
}

// F3, on the pairs where it is easily lost.
func TestKeysAreEqualExactlyWhenTheirValuesAre(t *testing.T) {
	text := func(s string) Value { return must(OfString(s)) }
	dec := func(s string) Value { return must(ParseDecimal(s)) }
	for _, tc := range []struct {
		name string
		a, b []Value
		same bool
	}{
		{"int32 and int64 of one number", []Value{OfInt32(-7)}, []Value{OfInt64(-7)}, true},
		{"int64 beyond int32", []Value{OfInt32(math.MinInt32)}, []Value{OfInt64(math.MaxInt32 + 1)}, false},
		{"float32 and float64 of one number", []Value{OfFloat32(0.5)}, []Value{OfFloat64(0.5)}, true},
		{"a tenth is another number in float32", []Value{OfFloat32(0.1)}, []Value{OfFloat64(0.1)}, false},
		{"zero and negative zero", []Value{OfFloat64(0)}, []Value{OfFloat64(math.Copysign(0, -1))}, true},
		{"negative zero of float32", []Value{OfFloat64(0)}, []Value{OfFloat32(float32(math.Copysign(0, -1)))}, true},
		{"an integer is no float", []Value{OfInt64(1)}, []Value{OfFloat64(1)}, false},
		{"an integer is no time", []Value{OfInt64(1)}, []Value{OfNanos(1)}, false},
		{"a text is no bytes", []Value{text("a")}, []Value{OfBytes([]byte("a"))}, false},
		{"a text is no decimal", []Value{text("1")}, []Value{dec("1")}, false},
		{"decimals of one number", []Value{dec("1.50")}, []Value{dec("15e-1")}, true},
		{"decimal zeros", []Value{dec("-0.000")}, []Value{dec("0e5")}, true},
		{"decimals far apart", []Value{dec("1e99")}, []Value{dec("1e-99")}, false},
		{"a decimal with many zeros", []Value{dec("1" + strings.Repeat("0", 99))}, []Value{dec("1e99")}, true},
		{"texts do not run together", []Value{text("ab"), text("c")}, []Value{text("a"), text("bc")}, false},
		{"an empty text is a value", []Value{text(""), text("a")}, []Value{text("a"), text("")}, false},
		{"one value is not two", []Value{text("a")}, []Value{text("a"), text("")}, false},
		{"case matters", []Value{text("É")}, []Value{text("é")}, false},
		{"forms of Unicode are not folded", []Value{text("\u00e9")}, []Value{text("e\u0301")}, false},
		{"true and false", []Value{OfBool(true)}, []Value{OfBool(false)}, false},
		{"uuid and its bytes", []Value{OfUUID(uuid.Nil)}, []Value{OfBytes(uuid.Nil[:])}, false},
	} {
		if got := bytes.Equal(key(t, tc.a...), key(t, tc.b...)); got != tc.same {
			t.Errorf("%s: equal is %v, want %v", tc.name, got, tc.same)
		}
	}
}

// keyed is what a key says of a value: integers and floats of one width,
// decimals of one form.
func keyed(v Value) Value {
	switch v.Kind() {
	case Int32:
		return OfInt64(v.Int())
	case Float32, Float64:
		return OfFloat64(v.Float() + 0) // -0 + 0 is 0
	case Decimal:
		return must(ParseDecimal(shortestDecimal(v.Text())))
	}
	return v
}

// keyValues draws what may be a join key.
var keyValues = scalars.Filter(func(v Value) bool { return v.Type().CanKey() && !v.IsNaN() })

// F3 and F5: any values, several of them.
func TestDecodeKeyIsTheInverseOfAppendKeyValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOfN(keyValues, 0, 3).Draw(t, "a"), rapid.SliceOfN(keyValues, 0, 3).Draw(t, "b")
		k := key(t, a...)
		got, err := DecodeKey(k)
		if err != nil || len(got) != len(a) {
			t.Fatalf("%x: got %v, %v, want %v", []byte(k), got, err, a)
		}
		for i := range got {
			if !got[i].Equal(keyed(a[i])) {
				t.Fatalf("%x: value %d is %v, want %v", []byte(k), i, got[i], keyed(a[i]))
			}
		}
		same := len(a) == len(b)
		for i := 0; same && i < len(a); i++ {
			same = keyed(a[i]).Equal(keyed(b[i]))
		}
		if bytes.Equal(k, key(t, b...)) != same {
			t.Fatalf("keys of %v and %v: equal is %v, want %v", a, b, !same, same)
		}
	})
}

func TestWhatCannotBeAJoinKey(t *testing.T) {
	for _, v := range []Value{{}, OfJSON("{}"), OfFloat64(math.NaN()), OfFloat32(float32(math.NaN())), OfVector([]float32{1}), must(OfList(Int64, OfInt64(1)))} {
		before := Key("before")
		got, err := AppendKeyValue(before, v)
		if err == nil || !bytes.Equal(got, before) {
			t.Errorf("%v of %v: got %x, %v, want an error and dst as it was", v, v.Type(), got, err)
		}
		if v.Type().CanKey() && !v.IsNaN() {
			t.Errorf("CanKey admits %v", v.Type())
		}
	}
}

func TestDecodeKeyRefuses(t *testing.T) {
	for name, k := range map[string]string{
		"an unknown class":        "\x0c",
		"json":                    "\x0b\x02{}",
		"int32":                   "\x03\x80\x00\x00\x01",
		"float32":                 "\x05\x3f\x80\x00\x00",
		"a short integer":         "\x04\x80\x00",
		"a text that breaks off":  "\x02\x05ab",
		"a length in long form":   "\x02\x81\x00a",
		"text not in UTF-8":       "\x02\x01\xff",
		"a bool of two":           "\x07\x02",
		"NaN":                     "\x06\x7f\xf8\x00\x00\x00\x00\x00\x01",
		"negative zero":           "\x06\x80\x00\x00\x00\x00\x00\x00\x00",
		"a decimal not shortest":  "\x0a\x041.50",
		"a decimal not canonical": "\x0a\x0215e-1",
		"nothing after the class": "\x09",
	} {
		if vs, err := DecodeKey(Key(k)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got %v, %v, want ErrCorrupt", name, vs, err)
		}
	}
}

// F5
func FuzzDecodeKey(f *testing.F) {
	f.Add([]byte(key(f, OfInt64(7), must(OfString("é")), must(ParseDecimal("1.5")))))
	f.Add([]byte(key(f, OfFloat64(-0.5), OfBool(true), OfUUID(uuid.Max), OfNanos(-1), OfBytes(nil))))
	f.Fuzz(func(t *testing.T, b []byte) {
		vs, err := DecodeKey(b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) || len(err.Error()) > 300 {
				t.Fatalf("got %v, want a short ErrCorrupt", err)
			}
			return
		}
		if again := key(t, vs...); !bytes.Equal(again, b) {
			t.Fatalf("%x prints back as %x", b, []byte(again))
		}
	})
}

// Where a key lives must never change: its row would be looked for elsewhere.
func TestPartitionOfGolden(t *testing.T) {
	for _, tc := range []struct {
		key  Key
		n    uint16
		want uint16
	}{
		{key(t, OfInt64(7)), 0, 0},
		{key(t, OfInt64(7)), 1, 0},
		{key(t, OfInt64(7)), 2, 0},
		{key(t, OfInt64(7)), 16, 14},
		{key(t, OfInt64(7)), 65535, 48318},
		{key(t, OfInt32(-1)), 16, 3},
		{key(t, must(OfString("driver:7"))), 16, 15},
		{key(t, must(OfString("eu")), OfInt64(7)), 16, 13},
		{key(t, must(ParseDecimal("12.50"))), 64, 47},
		{key(t, OfUUID(uuid.Max)), 64, 34},
		{nil, 64, 2},
	} {
		if got := PartitionOf(tc.key, tc.n); got != tc.want {
			t.Errorf("%x among %d: got %d, want %d", []byte(tc.key), tc.n, got, tc.want)
		}
	}
}

func TestPartitionsAreEven(t *testing.T) {
	const n, keys = 16, 16_000
	var got [n]int
	for id := range int64(keys) {
		got[PartitionOf(key(t, OfInt64(id)), n)]++
	}
	for p, count := range got {
		if count < keys/n*8/10 || count > keys/n*12/10 {
			t.Errorf("partition %d has %d of %d keys, want about %d", p, count, keys, keys/n)
		}
	}
}
