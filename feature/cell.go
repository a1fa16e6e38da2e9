package feature

import (
	"cmp"
	"math"
	"slices"

	"featurestore/hlc"
)

// FeatureID is the stable number of a feature within its view. Zero is none.
type FeatureID uint32

// Cell is what a row holds of one feature. A feature without a cell is absent;
// a cell with a null Value is a stored null.
type Cell struct {
	Feature FeatureID
	Rule    Rule
	// Kind and Shape type the cell even when its Value is null.
	Kind    Kind
	Shape   Shape
	Version Version
	// Epoch is the latest delete by write that the origin knew of when it
	// accepted the write, from the row's tombstone or from a cell that arrived
	// before it. Only monotone rules have one; zero is before every delete.
	Epoch Version
	// Value is the value under event_time, write_time, max and min, and that of
	// the latest write under siblings.
	Value Value
	// Totals are a counter's sums, one an origin, ordered by origin.
	Totals []Total
	// Elements are a set's elements, ordered by their encoding.
	Elements []Element
	// Siblings are the other values under siblings, and what was replaced.
	Siblings *SiblingSet
}

// Total is what one origin has added to a counter since its epoch. It replaces
// every older total of that origin, so a repeated delivery counts once.
type Total struct {
	Origin hlc.Origin
	At     hlc.Timestamp
	Sum    Value
}

// Element is the last addition or removal of one element of a set.
type Element struct {
	Value   Value
	At      hlc.Timestamp
	Origin  hlc.Origin
	Present bool
}

// Read returns the value a reader sees: the sum of a counter, the present
// elements of a set as a list, the value itself otherwise.
func (c Cell) Read() Value {
	switch c.Rule {
	case Counter:
		var sum Value
		for _, t := range c.Totals {
			sum = addNumbers(sum, t.Sum)
		}
		return sum
	case Set:
		var b []byte
		for _, e := range c.Elements {
			if e.Present {
				b = appendElem(b, e.Value)
			}
		}
		return Value{kind: c.Kind, shape: List, data: string(b)}
	}
	return c.Value
}

// JoinCell returns the least cell that is at least a and b, which are cells of
// one feature. It is commutative, associative and idempotent (F1).
func JoinCell(a, b Cell) Cell {
	var merged Cell
	return *joinCell(&a, &b, &merged)
}

// joinCell returns a or b, whichever is the join, or the join made in merged:
// cells are large, and most joins only choose.
func joinCell(a, b, merged *Cell) *Cell {
	order := a.Epoch.CompareByWrite(b.Epoch)
	if order == 0 {
		switch a.Rule {
		case Counter:
			mergeVersions(a, b, merged)
			merged.Totals = joinTotals(a.Totals, b.Totals)
			return merged
		case Set:
			mergeVersions(a, b, merged)
			merged.Elements = joinElements(a.Elements, b.Elements)
			return merged
		case Siblings:
			return joinSiblings(a, b, merged)
		}
		order = a.compare(b)
	}
	if order >= 0 {
		return a
	}
	return b
}

// compare orders cells of the rules in which one write wins whole. Equal
// versions are the same write; comparing values last keeps the order total. Of
// equal extremes the newer event counts, or a late one would age the value.
func (c *Cell) compare(d *Cell) int {
	switch c.Rule {
	case EventTime:
		if order := c.Version.CompareByEvent(d.Version); order != 0 {
			return order
		}
		return c.Value.Compare(d.Value)
	case Max:
		return cmp.Or(compareRank(c.Value, d.Value), c.Value.Compare(d.Value), c.Version.CompareByEvent(d.Version))
	case Min:
		return cmp.Or(compareRank(c.Value, d.Value), d.Value.Compare(c.Value), c.Version.CompareByEvent(d.Version))
	}
	return cmp.Or(c.Version.CompareByWrite(d.Version), c.Value.Compare(d.Value))
}

// compareRank puts numbers above NaN and NaN above null, so that neither is
// ever a maximum or a minimum while there is a number.
func compareRank(v, w Value) int {
	rank := func(v Value) int {
		switch {
		case v.IsNull():
			return 0
		case v.IsNaN():
			return 1
		}
		return 2
	}
	return cmp.Compare(rank(v), rank(w))
}

// mergeVersions begins the join of cells whose contents merge. The version
// names the latest write; the event time is the greatest of any.
func mergeVersions(a, b, merged *Cell) {
	*merged = *a
	if a.Version.CompareByWrite(b.Version) < 0 {
		*merged = *b
	}
	merged.Version.EventTime = max(a.Version.EventTime, b.Version.EventTime)
}

func joinTotals(a, b []Total) []Total {
	return mergeSorted(a, b,
		func(x, y Total) int { return cmp.Compare(x.Origin, y.Origin) },
		func(x, y Total) bool {
			return cmp.Or(cmp.Compare(x.At, y.At), x.Sum.Compare(y.Sum)) >= 0
		})
}

func joinElements(a, b []Element) []Element {
	return mergeSorted(a, b,
		compareElements,
		func(x, y Element) bool {
			c := cmp.Or(cmp.Compare(x.At, y.At), cmp.Compare(x.Origin, y.Origin))
			return c > 0 || c == 0 && (x.Present || !y.Present)
		})
}

// compareElements orders elements of one kind by their encoding.
func compareElements(x, y Element) int {
	return cmp.Or(cmp.Compare(x.Value.bits, y.Value.bits), cmp.Compare(x.Value.data, y.Value.data))
}

// mergeSorted unites two slices ordered and unique by order; of equal entries
// the first is kept when first says so.
func mergeSorted[T any](a, b []T, order func(x, y T) int, first func(x, y T) bool) []T {
	out := make([]T, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch c := order(a[0], b[0]); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			if first(a[0], b[0]) {
				out = append(out, a[0])
			} else {
				out = append(out, b[0])
			}
			a, b = a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// addNumbers returns a + b, numbers of one kind; null adds nothing. Integers
// saturate: an origin refuses an increment that overflows its own total, so
// only the sum over origins can get here.
func addNumbers(a, b Value) Value {
	switch {
	case a.IsNull():
		return b
	case b.IsNull():
		return a
	}
	switch a.kind {
	case Int64:
		sum, ok := addInt64(a.Int(), b.Int())
		if !ok {
			sum = math.MaxInt64
			if b.Int() < 0 {
				sum = math.MinInt64
			}
		}
		return OfInt64(sum)
	case Float64:
		return OfFloat64(a.Float() + b.Float())
	case Decimal:
		return addDecimals(a, b)
	}
	return a
}

func addInt64(a, b int64) (sum int64, ok bool) {
	sum = a + b
	return sum, (sum > a) == (b > 0)
}

func (c Cell) equal(d Cell) bool {
	return c.Feature == d.Feature && c.Rule == d.Rule && c.Kind == d.Kind && c.Shape == d.Shape &&
		c.Version == d.Version && c.Epoch == d.Epoch && c.Value == d.Value &&
		slices.Equal(c.Totals, d.Totals) && slices.Equal(c.Elements, d.Elements) && c.Siblings.equal(d.Siblings)
}
