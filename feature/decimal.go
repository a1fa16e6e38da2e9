package feature

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// maxDecimalDigits bounds a decimal on both sides of the point, and the
// characters of its text: far beyond any currency, small enough that arithmetic
// on any two is cheap and exact.
const maxDecimalDigits = 100

// ParseDecimal returns the decimal value that s writes, such as "12.50". The
// text is kept in plain or scientific form without loss: 1.50 and 1.5 are two
// values, though one key. A number that needs more than 100 characters, or
// digits more than 100 places before or after the point, is an error, and so
// are NaN and infinities.
func ParseDecimal(s string) (Value, error) {
	if d, ok := parseDecimal(s); ok {
		if text := d.String(); len(text) <= maxDecimalDigits {
			return Value{kind: Decimal, data: text}, nil
		}
	}
	return Value{}, fmt.Errorf("%q is not a decimal number such as 12.50 (at most %d characters, and %d digits before and after the point)",
		Clip(s), maxDecimalDigits, maxDecimalDigits)
}

// parseDecimal looks at the length first: the exponent and the digits of text
// from outside must not decide how long parsing takes.
func parseDecimal(s string) (*apd.Decimal, bool) {
	if len(s) > maxDecimalDigits {
		return nil, false
	}
	d, _, err := apd.NewFromString(s)
	if err != nil || d.Form != apd.Finite {
		return nil, false
	}
	// The whole number of digits before the point counts, not the exponent alone:
	// stripping trailing zeros (shortestDecimal) must stay within the bounds.
	return d, d.Exponent >= -maxDecimalDigits && int64(d.Exponent)+d.NumDigits() <= maxDecimalDigits
}

// canonicalDecimal reports whether text is what ParseDecimal makes of it. It is
// called for every decimal read, so it does not build the number.
func canonicalDecimal(text string) bool {
	if len(text) > maxDecimalDigits {
		return false
	}
	mantissa, exponent, scientific := strings.Cut(strings.TrimPrefix(text, "-"), "E")
	whole, fraction, point := strings.Cut(mantissa, ".")
	if !allDigits(whole) || point && !allDigits(fraction) || len(whole) > 1 && whole[0] == '0' {
		return false
	}
	// The number is its digits times 10^exp. Leading zeros of "0.05" are no
	// digits of it; a zero has one.
	digits := len(whole) + len(fraction)
	if whole == "0" {
		digits = len(strings.TrimLeft(fraction, "0"))
	}
	zero := digits == 0
	digits = max(digits, 1)
	exp := -len(fraction)
	if scientific {
		e, ok := parseExponent(exponent)
		if !ok || len(whole) > 1 || point && whole == "0" {
			return false
		}
		exp += e
	}
	adjusted := exp + digits - 1 // of the first digit
	plain := exp <= 0 && (adjusted >= -6 || zero)
	return plain != scientific && exp >= -maxDecimalDigits && adjusted < maxDecimalDigits
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// parseExponent reads a sign and one to three digits without leading zeros.
func parseExponent(s string) (n int, ok bool) {
	if len(s) < 2 || len(s) > 4 || s[0] != '+' && s[0] != '-' || !allDigits(s[1:]) || s[1] == '0' {
		return 0, false
	}
	for _, c := range s[1:] {
		n = 10*n + int(c-'0')
	}
	if s[0] == '-' {
		n = -n
	}
	return n, true
}

// shortestDecimal writes equal numbers alike: 1.50 and 15e-1 are one key.
func shortestDecimal(text string) string {
	d, ok := parseDecimal(text)
	if !ok {
		return text
	}
	d.Reduce(d)
	if d.IsZero() {
		d.Negative = false
	}
	return d.String()
}

func compareDecimals(a, b string) int {
	x, okX := parseDecimal(a)
	y, okY := parseDecimal(b)
	if !okX || !okY {
		return 0
	}
	return x.Cmp(y)
}

// decimalContext holds any sum of decimals exactly.
var decimalContext = apd.BaseContext.WithPrecision(4 * maxDecimalDigits)

// addDecimals returns the exact sum. It may be longer than ParseDecimal allows:
// a reader may see it, but it is not stored (see addExactly).
func addDecimals(a, b Value) Value {
	var x, y, sum apd.Decimal
	if _, _, err := x.SetString(a.data); err != nil {
		return a
	}
	if _, _, err := y.SetString(b.data); err != nil {
		return a
	}
	if _, err := decimalContext.Add(&sum, &x, &y); err != nil {
		return a
	}
	return Value{kind: Decimal, data: sum.String()}
}
