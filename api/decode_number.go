package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"featurestore/feature"
)

// decodeInteger reads a number, or a string that holds one, that is a whole
// number within the bounds: 1, 1.0 and 1e3 are, 1.5 is not.
func decodeInteger(text json.RawMessage, k feature.Kind, least, most int64) (int64, error) {
	number := unquoteNumber(text)
	if number == "" {
		return 0, wrongKind(text, k, "a whole number")
	}
	n, err := exactInteger(number, 0)
	if err == errNotWhole {
		return 0, fmt.Errorf("%s is not a whole number, which %s needs", feature.Clip(number), k)
	}
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s is outside %s, which goes from %d to %d", feature.Clip(number), k, least, most)
	}
	return n, nil
}

// unquoteNumber returns the number that text is or holds in quotes, "" for
// none.
func unquoteNumber(text json.RawMessage) string {
	if len(text) > 2 && text[0] == '"' {
		text = text[1 : len(text)-1]
	}
	if !isNumber(text) || text[len(text)-1] < '0' || !json.Valid(text) {
		return ""
	}
	return string(text)
}

var (
	errNotWhole = errors.New("not a whole number")
	errTooLarge = errors.New("too large")
)

// exactInteger returns the number times ten to the power of shift, exactly.
func exactInteger(number string, shift int) (int64, error) {
	if n, err := strconv.ParseInt(number, 10, 64); err == nil && shift == 0 {
		return n, nil
	}
	sign, rest := "", number
	if rest[0] == '-' {
		sign, rest = "-", rest[1:]
	}
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		exp := rest[i+1:]
		rest = rest[:i]
		n, err := strconv.Atoi(exp)
		if err != nil || n > 1<<20 || n < -1<<20 { // past any use; and sums of these cannot overflow
			n = 1 << 20
			if exp[0] == '-' {
				n = -n
			}
		}
		shift += n
	}
	whole, fraction, _ := strings.Cut(rest, ".")
	digits := whole + fraction
	shift -= len(fraction)
	significant := strings.TrimRight(digits, "0")
	shift += len(digits) - len(significant)
	significant = strings.TrimLeft(significant, "0")
	switch {
	case significant == "":
		return 0, nil
	case shift < 0:
		return 0, errNotWhole
	case len(significant)+shift > 19:
		return 0, errTooLarge
	}
	n, err := strconv.ParseInt(sign+significant+strings.Repeat("0", shift), 10, 64)
	if err != nil {
		return 0, errTooLarge
	}
	return n, nil
}

// decodeFloat reads a number or one of the three words that JSON numbers lack.
func decodeFloat(text json.RawMessage, k feature.Kind, bits int) (float64, error) {
	switch string(text) {
	case `"NaN"`:
		return math.NaN(), nil
	case `"Infinity"`:
		return math.Inf(1), nil
	case `"-Infinity"`:
		return math.Inf(-1), nil
	}
	if !isNumber(text) {
		return 0, wrongKind(text, k, `a number, "NaN", "Infinity" or "-Infinity"`)
	}
	f, err := strconv.ParseFloat(unsafeString(text), bits)
	if err != nil {
		return 0, fmt.Errorf("%s is outside what %s holds", glimpse(text), k)
	}
	return f, nil
}

func isNumber(text json.RawMessage) bool {
	return len(text) > 0 && (text[0] == '-' || text[0] >= '0' && text[0] <= '9')
}
