package feature

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func TestTimesOutside64BitsOfNanosecondsAreErrors(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"1970-01-01T00:00:00Z", 0, true},
		{"1969-12-31T23:59:59.999999999Z", -1, true},
		{"1970-01-01T01:00:00+01:00", 0, true},
		{"1815-12-10T00:00:00Z", -4861728000000000000, true},
		{"1677-09-21T00:12:43.145224192Z", math.MinInt64, true},
		{"1677-09-21T00:12:43.145224191Z", 0, false},
		{"2262-04-11T23:47:16.854775807Z", math.MaxInt64, true},
		{"2262-04-11T23:47:16.854775808Z", 0, false},
		{"0001-01-01T00:00:00Z", 0, false},
		{"9999-12-31T23:59:59Z", 0, false},
	} {
		at := must(time.Parse(time.RFC3339Nano, tc.in))
		v, err := OfTime(at)
		switch {
		case (err == nil) != tc.ok:
			t.Errorf("%s: got %v, %v, want ok %v", tc.in, v, err, tc.ok)
		case tc.ok && (v.Int() != tc.want || !v.Time().Equal(at)):
			t.Errorf("%s: got %d ns, %v, want %d", tc.in, v.Int(), v.Time(), tc.want)
		}
	}
	if _, err := Nanos(time.Time{}); err == nil {
		t.Error("the zero time: got no error")
	}
}

func TestConstructorsRefuse(t *testing.T) {
	text := must(OfString("a"))
	for _, tc := range []struct {
		name string
		make func() (Value, error)
	}{
		{"text not in UTF-8", func() (Value, error) { return OfString("a\xff") }},
		{"a surrogate", func() (Value, error) { return OfString("\xed\xa0\x80") }},
		{"a uuid without dashes", func() (Value, error) { return ParseUUID("123e4567e89b12d3a456426614174000") }},
		{"a uuid in braces", func() (Value, error) { return ParseUUID("{123e4567-e89b-12d3-a456-426614174000}") }},
		{"a uuid that is none", func() (Value, error) { return ParseUUID("123e4567-e89b-12d3-a456-42661417400g") }},
		{"a list of another kind", func() (Value, error) { return OfList(Int64, text) }},
		{"a list with a null", func() (Value, error) { return OfList(Int64, OfInt64(1), Value{}) }},
		{"a list of lists", func() (Value, error) { return OfList(String, must(OfList(String, text))) }},
		{"a list of null", func() (Value, error) { return OfList(Null) }},
		{"a list of an unknown kind", func() (Value, error) { return OfList(kindEnd) }},
	} {
		if v, err := tc.make(); err == nil || !v.IsNull() {
			t.Errorf("%s: got %v, %v, want null and an error", tc.name, v, err)
		}
	}
}

func TestValuesReadBackAsWritten(t *testing.T) {
	id := uuid.MustParse("123e4567-e89b-12d3-a456-426614174000")
	list := must(OfList(String, must(OfString("a")), must(OfString(""))))
	for _, tc := range []struct{ got, want any }{
		{OfInt32(math.MinInt32).Int(), int64(math.MinInt32)},
		{OfInt64(math.MinInt64).Int(), int64(math.MinInt64)},
		{OfInt64(3).Float(), 3.0},
		{OfFloat32(0.1).Float(), float64(float32(0.1))},
		{OfFloat64(math.Inf(-1)).Float(), math.Inf(-1)},
		{OfFloat64(2.5).Int(), int64(0)},
		{OfBool(true).Bool(), true},
		{OfBool(false).Bool(), false},
		{OfInt64(1).Bool(), false},
		{OfBool(true).Int(), int64(1)},
		{OfBytes([]byte{0, 1}).Text(), "\x00\x01"},
		{OfUUID(id).Text(), string(id[:])},
		{must(ParseUUID("123E4567-E89B-12D3-A456-426614174000")), OfUUID(id)},
		{list.Len(), 2},
		{OfInt64(1).Len(), 0},
		{Value{}.Len(), 0},
		{OfVector([]float32{1, 2, 3}).Len(), 3},
		{OfVector([]float32{1, 2, 3}).Type(), VectorOf(3)},
		{list.Type(), ListOf(String)},
		{Value{}.Type(), ScalarOf(Null)},
		{Value{}.IsNull(), true},
		{must(OfList(Int64)).IsNull(), false},
		{OfFloat32(float32(math.NaN())).IsNaN(), true},
		{OfFloat64(math.Inf(1)).IsNaN(), false},
		{OfVector([]float32{float32(math.NaN())}).IsNaN(), false},

		{Value{}.String(), "null"},
		{OfInt32(-1).String(), "-1"},
		{OfFloat32(0.1).String(), "0.1"},
		{OfFloat64(1e300).String(), "1e+300"},
		{OfNanos(-1).String(), "1969-12-31T23:59:59.999999999Z"},
		{OfUUID(id).String(), id.String()},
		{OfBytes([]byte{0xab}).String(), "ab"},
		{must(ParseDecimal("12.50")).String(), "12.50"},
		{OfJSON("{}").String(), "{}"},
		{list.String(), "[a ]"},
		{must(OfList(Int64)).String(), "[]"},
		{OfVector([]float32{1, -0.5}).String(), "[1 -0.5]"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %v, want %v", tc.got, tc.want)
		}
	}
}

// Every NaN is one NaN, so that equal rows have equal bytes.
func TestNaNHasOneForm(t *testing.T) {
	if a, b := OfFloat64(math.NaN()), OfFloat64(math.Float64frombits(0xfff0000000000001)); !a.Equal(b) {
		t.Errorf("float64: %x and %x", a.bits, b.bits)
	}
	if a, b := OfFloat32(float32(math.NaN())), OfFloat32(math.Float32frombits(0xff800001)); !a.Equal(b) {
		t.Errorf("float32: %x and %x", a.bits, b.bits)
	}
	nan := OfVector([]float32{math.Float32frombits(0xff800001)})
	if _, err := DecodeValue(Float32, Vector, AppendValue(nil, nan)); err != nil {
		t.Errorf("a vector of NaN does not read back: %v", err)
	}
}

func TestCompareOrdersNumbersBySize(t *testing.T) {
	dec := func(s string) Value { return must(ParseDecimal(s)) }
	for _, sorted := range [][]Value{
		{OfInt64(math.MinInt64), OfInt64(-1), OfInt64(0), OfInt64(math.MaxInt64)},
		{OfInt32(math.MinInt32), OfInt32(-1), OfInt32(0), OfInt32(math.MaxInt32)},
		{OfFloat64(math.NaN()), OfFloat64(math.Inf(-1)), OfFloat64(-1), OfFloat64(math.Copysign(0, -1)), OfFloat64(0), OfFloat64(1), OfFloat64(math.Inf(1))},
		{OfFloat32(float32(math.NaN())), OfFloat32(-1), OfFloat32(float32(math.Copysign(0, -1))), OfFloat32(0), OfFloat32(1)},
		{OfNanos(-1), OfNanos(0), OfNanos(1)},
		{OfBool(false), OfBool(true)},
		{dec("-1e9"), dec("-1"), dec("-0.5"), dec("0"), dec("9"), dec("10"), dec("1e2")},
		{must(OfString("")), must(OfString("a")), must(OfString("ab")), must(OfString("b"))},
		{{}, OfBytes(nil), OfInt64(0), OfJSON("")}, // by kind
	} {
		for i, a := range sorted {
			for j, b := range sorted {
				want := 0
				if i < j {
					want = -1
				} else if i > j {
					want = 1
				}
				if got := a.Compare(b); got != want {
					t.Errorf("compare %v with %v: got %d, want %d", a, b, got, want)
				}
			}
		}
	}
}

func TestCompareIsATotalOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := values.Draw(t, "a"), values.Draw(t, "b"), values.Draw(t, "c")
		if a.Compare(b) != -b.Compare(a) {
			t.Errorf("%v and %v: %d one way, %d the other", a, b, a.Compare(b), b.Compare(a))
		}
		if (a.Compare(b) == 0) != a.Equal(b) {
			t.Errorf("%v and %v: compare %d, equal %v", a, b, a.Compare(b), a.Equal(b))
		}
		if a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
			t.Errorf("%v, %v, %v are not transitive", a, b, c)
		}
	})
}

func TestElemsStopsWhenAsked(t *testing.T) {
	list := must(OfList(Int64, OfInt64(1), OfInt64(2)))
	for v := range list.Elems() {
		if v.Int() != 1 {
			t.Fatalf("went on to %v", v)
		}
		break
	}
	if got := slices.Collect(list.Elems()); !slices.Equal(got, []Value{OfInt64(1), OfInt64(2)}) {
		t.Errorf("got %v, want 1 and 2", got)
	}
}
