package feature

import (
	"math"
	"strings"
)

// Sum returns a + b as counters add: numbers of one kind, null adds nothing, and
// integers saturate.
func Sum(a, b Value) Value { return addNumbers(a, b) }

// Increment returns what was added to a counter between two totals of one origin:
// after − before, numbers of one kind. Null is zero. Floats are rounded.
func Increment(before, after Value) Value {
	if before.IsNull() {
		return after
	}
	return addNumbers(after, negative(before))
}

func negative(v Value) Value {
	switch v.kind {
	case Int64:
		if v.Int() == math.MinInt64 {
			return OfInt64(math.MaxInt64)
		}
		return OfInt64(-v.Int())
	case Float64:
		return OfFloat64(-v.Float())
	case Decimal:
		text, negated := strings.CutPrefix(v.data, "-")
		if !negated && text != "0" {
			text = "-" + text
		}
		return Value{kind: Decimal, data: text}
	}
	return v
}
