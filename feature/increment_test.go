package feature

import (
	"testing"

	"pgregory.net/rapid"
)

// The increments between totals add up to the last total.
func TestIncrementsAddUpToTheTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.SampledFrom([]func(string) Value{
			func(label string) Value { return OfInt64(rapid.Int64Range(-1<<40, 1<<40).Draw(t, label)) },
			func(label string) Value {
				return OfFloat64(float64(rapid.Int32().Draw(t, label)) / 16) // exact sums
			},
			func(label string) Value {
				v, err := ParseDecimal(rapid.StringMatching(`-?[1-9][0-9]{0,20}(\.[0-9]{0,5}[1-9])?|0`).Draw(t, label))
				if err != nil {
					t.Fatal(err)
				}
				return v
			},
		}).Draw(t, "kind")
		var total, again Value
		for range rapid.IntRange(1, 8).Draw(t, "increments") {
			before, added := total, draw("added")
			total = Sum(total, added)
			if got := Increment(before, total); !areEqual(Sum(before, got), total) || !areEqual(got, added) {
				t.Fatalf("from %v to %v: got %v, want %v", before, total, got, added)
			}
			again = Sum(again, Increment(before, total))
		}
		if !areEqual(again, total) {
			t.Fatalf("got %v, want %v", again, total)
		}
	})
}

// areEqual compares decimals by what they are, not by how many digits they have.
func areEqual(a, b Value) bool {
	if a.kind == Decimal && b.kind == Decimal {
		return compareDecimals(a.data, b.data) == 0
	}
	return a.Equal(b)
}
