package feature

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseDecimal(t *testing.T) {
	digits := strings.Repeat("9", maxDecimalDigits)
	for _, tc := range []struct{ in, want string }{
		{"0", "0"},
		{"-0", "-0"},
		{"0.00", "0.00"},
		{"1.50", "1.50"},
		{"+1.5", "1.5"},
		{".5", "0.5"},
		{"5.", "5"},
		{"007", "7"},
		{"15e-1", "1.5"},
		{"1e5", "1E+5"},
		{"1E+05", "1E+5"},
		{"0.0000001", "1E-7"},
		{"-0.000001", "-0.000001"},
		{"1e99", "1E+99"},
		{"1e-100", "1E-100"},
		{"12.5e98", "1.25E+99"},
		{digits, digits},
	} {
		v, err := ParseDecimal(tc.in)
		if err != nil || v.Text() != tc.want {
			t.Errorf("%q: got %v, %v, want %s", tc.in, v, err, tc.want)
		}
	}
	for _, in := range []string{
		"", " ", "1 ", "x", "1,5", "0x1", "1_000", "NaN", "-nan", "Inf", "Infinity", "-inf", "1e", "1e+", "--1", "1.2.3", "١",
		"1e100", "10e99", "1e-101", "0e100", "0." + strings.Repeat("0", 100) + "1", digits + "0", "-" + digits,
		// A hostile exponent or length must not cost its own size.
		"1e999999999", "1e-999999999", "1e99999999999999999999", strings.Repeat("1", 10_000_000), "0." + strings.Repeat("0", 10_000_000),
	} {
		if v, err := ParseDecimal(in); err == nil {
			t.Errorf("%.40q: got %v, want an error", in, v)
		} else if len(err.Error()) > 300 {
			t.Errorf("%.40q: the error repeats %d bytes", in, len(err.Error()))
		}
	}
}

// The quick check against its twin, the parser.
func TestCanonicalDecimalAgreesWithParseDecimal(t *testing.T) {
	texts := rapid.OneOf(
		decimalTexts,
		rapid.Map(decimalTexts, func(s string) string { return must(ParseDecimal(s)).Text() }),
		rapid.StringMatching(`[-+]?[0-9]{0,2}\.?[0-9]{0,9}(E[-+]?[0-9]{1,3})?`),
		rapid.StringMatching(`-?[0-9.E+-]{0,8}`),
	)
	rapid.Check(t, func(t *rapid.T) {
		s := texts.Draw(t, "text")
		v, err := ParseDecimal(s)
		if got, want := canonicalDecimal(s), err == nil && v.Text() == s; got != want {
			t.Fatalf("%q: canonical %v, but the parser makes %v, %v of it", s, got, v, err)
		}
	})
}

func FuzzCanonicalDecimal(f *testing.F) {
	for _, s := range []string{"0", "-0.00", "1.50", "1E+5", "1.5E-7", "0.0000001", "0E+1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseDecimal(s)
		if got, want := canonicalDecimal(s), err == nil && v.Text() == s; got != want {
			t.Fatalf("%q: canonical %v, but the parser makes %v, %v of it", s, got, v, err)
		}
	})
}

// Sums and comparisons against rational numbers.
func TestDecimalArithmeticIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := decimalTexts.Draw(t, "a"), decimalTexts.Draw(t, "b")
		x, y := rational(a), rational(b)
		va, vb := must(ParseDecimal(a)), must(ParseDecimal(b))
		if got, want := rational(addDecimals(va, vb).Text()), new(big.Rat).Add(x, y); got.Cmp(want) != 0 {
			t.Errorf("%s + %s: got %s, want %s", a, b, got, want)
		}
		if got, want := compareDecimals(va.Text(), vb.Text()), x.Cmp(y); got != want {
			t.Errorf("compare %s with %s: got %d, want %d", a, b, got, want)
		}
		if (shortestDecimal(va.Text()) == shortestDecimal(vb.Text())) != (x.Cmp(y) == 0) {
			t.Errorf("%s and %s have the shortest forms %s and %s", a, b, shortestDecimal(va.Text()), shortestDecimal(vb.Text()))
		}
	})
}

func rational(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		panic("no number: " + s)
	}
	return r
}
