package feature

import (
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"featurestore/hlc"
)

// What the tests of this package draw at random.

// testSchema has a feature for every rule, and two for rules with variants.
var testSchema = []Assignment{
	{Feature: 1, Rule: EventTime, Type: ScalarOf(Float64)},
	{Feature: 2, Rule: WriteTime, Type: ScalarOf(String)},
	{Feature: 3, Rule: Max, Type: ScalarOf(Int64)},
	{Feature: 4, Rule: Min, Type: ScalarOf(Float64)},
	{Feature: 5, Rule: Counter, Type: ScalarOf(Int64)},
	{Feature: 6, Rule: Counter, Type: ScalarOf(Decimal)},
	{Feature: 7, Rule: Counter, Type: ScalarOf(Float64)},
	{Feature: 8, Rule: Siblings, Type: ScalarOf(String)},
	{Feature: 200, Rule: Set, Type: ListOf(String)},
	{Feature: 201, Rule: Siblings, Type: ListOf(Int32)},
	{Feature: 1 << 20, Rule: Set, Type: ListOf(Int32)},
}

// drawChange draws a change over testSchema, from ranges so small that times,
// values and elements collide often.
func drawChange(t *rapid.T) Change {
	c := Change{
		EventTime: rapid.Int64Range(-2, 2).Draw(t, "event time"),
		Delete:    rapid.IntRange(0, 4).Draw(t, "delete on 0") == 0,
	}
	if rapid.IntRange(0, 7).Draw(t, "generation on 0") == 0 {
		c.Generation = 1
	}
	if c.Delete {
		return c
	}
	for _, a := range testSchema {
		if rapid.Bool().Draw(t, "assign") {
			a.Value = drawAssigned(t, a)
			if a.Rule == Set && rapid.Bool().Draw(t, "remove") {
				a.Remove = drawAssigned(t, a)
			}
			c.Assignments = append(c.Assignments, a)
		}
	}
	return c
}

func drawAssigned(t *rapid.T, a Assignment) Value {
	if rapid.IntRange(0, 5).Draw(t, "null on 0") == 0 {
		return Value{}
	}
	n := rapid.IntRange(-2, 2).Draw(t, "n")
	switch a.Type {
	case ScalarOf(Int64):
		return OfInt64(int64(n))
	case ScalarOf(Float64):
		if n == 2 && a.Rule != Counter {
			return OfFloat64(math.NaN())
		}
		return OfFloat64(float64(n) / 4)
	case ScalarOf(Decimal):
		return must(ParseDecimal([]string{"-1.50", "-0.1", "0", "0.05", "3E+2"}[n+2]))
	case ScalarOf(String):
		return must(OfString([]string{"", "a", "b", "ab", "é"}[n+2]))
	case ListOf(String):
		return must(OfList(String, must(OfString("x")), must(OfString([]string{"", "x", "y", "xy", "é"}[n+2]))))
	case ListOf(Int32):
		return must(OfList(Int32, OfInt32(int32(n)), OfInt32(int32(-n))))
	}
	panic("no value of " + a.Type.String())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// scalars draws values of every scalar kind, null among them, edges included.
var scalars = rapid.Custom(func(t *rapid.T) Value {
	return drawScalar(t, Kind(rapid.IntRange(int(Null), int(kindEnd)-1).Draw(t, "kind")))
})

func drawScalar(t *rapid.T, k Kind) Value {
	switch k {
	case Bytes:
		return OfBytes(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	case String:
		return must(OfString(rapid.String().Draw(t, "string")))
	case Int32:
		return OfInt32(rapid.Int32().Draw(t, "int32"))
	case Int64:
		return OfInt64(rapid.Int64().Draw(t, "int64"))
	case Float32:
		return OfFloat32(rapid.OneOf(rapid.Float32(), rapid.SampledFrom([]float32{
			float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.Copysign(0, -1)),
		})).Draw(t, "float32"))
	case Float64:
		return OfFloat64(rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{
			math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), math.SmallestNonzeroFloat64, math.MaxFloat64,
		})).Draw(t, "float64"))
	case Bool:
		return OfBool(rapid.Bool().Draw(t, "bool"))
	case Timestamp:
		return OfNanos(rapid.Int64().Draw(t, "nanos"))
	case UUID:
		return OfUUID(uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid")))
	case Decimal:
		return must(ParseDecimal(decimalTexts.Draw(t, "decimal")))
	case JSON:
		return OfJSON(rapid.SampledFrom([]string{`{}`, `[1,"é"]`, `null`}).Draw(t, "json"))
	}
	return Value{}
}

var decimalTexts = rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,2})?`).Filter(func(s string) bool {
	_, err := ParseDecimal(s)
	return err == nil
})

// values draws scalars, lists and vectors.
var values = rapid.Custom(func(t *rapid.T) Value {
	switch rapid.SampledFrom([]Shape{Scalar, List, Vector}).Draw(t, "shape") {
	case List:
		k := Kind(rapid.IntRange(int(Bytes), int(kindEnd)-1).Draw(t, "kind"))
		elems := make([]Value, rapid.IntRange(0, 4).Draw(t, "length"))
		for i := range elems {
			elems[i] = drawScalar(t, k)
		}
		return must(OfList(k, elems...))
	case Vector:
		return OfVector(rapid.SliceOfN(rapid.Float32(), 1, 8).Draw(t, "vector"))
	}
	return scalars.Draw(t, "scalar")
})

// versions draws from so few that equal ones are common. No write is at zero.
var versions = rapid.Custom(func(t *rapid.T) Version {
	return Version{
		Generation: uint16(rapid.IntRange(0, 1).Draw(t, "generation")),
		EventTime:  rapid.Int64Range(-1, 1).Draw(t, "event time"),
		At:         hlc.Timestamp(rapid.Uint64Range(1, 3).Draw(t, "at")),
		Origin:     hlc.Origin(rapid.Uint32Range(1, 3).Draw(t, "origin")),
	}
})

// rows draws any row that obeys the invariants of Row, reachable or not; what a
// version says is a function of the version, as it is of a write.
var rows = rapid.Custom(func(t *rapid.T) Row {
	var r Row
	if rapid.Bool().Draw(t, "deleted") {
		a, b := versions.Draw(t, "a delete"), versions.Draw(t, "another")
		r = JoinRow(Row{Tombstone: Tombstone{a, a}}, Row{Tombstone: Tombstone{b, b}})
	}
	for _, a := range testSchema {
		if !rapid.Bool().Draw(t, "has cell") {
			continue
		}
		if c := drawCell(t, a); !r.Tombstone.covers(&c) {
			r.Cells = append(r.Cells, c)
		}
	}
	return r
})

func drawCell(t *rapid.T, a Assignment) Cell {
	c := Cell{Feature: a.Feature, Rule: a.Rule, Kind: a.Type.Kind, Shape: a.Type.Shape, Version: versions.Draw(t, "version")}
	if a.Rule.Monotone() && rapid.Bool().Draw(t, "epoch") {
		c.Epoch = versions.Draw(t, "epoch")
	}
	switch a.Rule {
	case Counter:
		for o := range hlc.Origin(3) {
			if rapid.Bool().Draw(t, "total") {
				at := rapid.Uint64Range(1, 3).Draw(t, "total at")
				sum := OfInt64(int64(at) * int64(o+5) % 7)
				switch a.Type.Kind {
				case Decimal:
					sum = must(ParseDecimal(sum.String()))
				case Float64:
					sum = OfFloat64(sum.Float())
				}
				c.Totals = append(c.Totals, Total{Origin: o + 1, At: hlc.Timestamp(at), Sum: sum})
			}
		}
	case Set:
		for n := range int32(3) {
			if rapid.Bool().Draw(t, "element") {
				e := versions.Draw(t, "element written")
				v := OfInt32(n)
				if a.Type.Kind == String {
					v = must(OfString(v.String()))
				}
				present := (uint64(e.At)+uint64(e.Origin)+uint64(n))%2 == 0
				c.Elements = append(c.Elements, Element{Value: v, At: e.At, Origin: e.Origin, Present: present})
			}
		}
		slices.SortFunc(c.Elements, compareElements)
	case Siblings:
		drawSiblings(t, &c)
	case EventTime:
		c.Value = OfFloat64(float64(int64(c.Version.At)*5 + int64(c.Version.Origin) + c.Version.EventTime))
	case WriteTime:
		c.Value = must(OfString(time.Duration(c.Version.At).String()))
	default:
		c.Value = drawAssigned(t, a)
	}
	return c
}

// drawSiblings fills c with any values and replacements that a cell may have.
func drawSiblings(t *rapid.T, c *Cell) {
	var all []Sibling
	for range rapid.IntRange(1, 4).Draw(t, "siblings") {
		v := versions.Draw(t, "sibling")
		v.Generation, v.EventTime = 0, int64(v.At) // what a write says is a function of it
		s := Sibling{Version: v}
		if n := int(v.At) + int(v.Origin); n%5 > 0 {
			s.Value = siblingValue(c.Kind, n)
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Sibling) int { return compareDots(b.Version, a.Version) })
	all = slices.CompactFunc(all, func(a, b Sibling) bool { return compareDots(a.Version, b.Version) == 0 })
	var replaced []hlc.Position
	for o := range hlc.Origin(3) {
		if rapid.Bool().Draw(t, "replaced") {
			replaced = append(replaced, hlc.Position{Origin: o + 1, At: hlc.Timestamp(rapid.Uint64Range(1, 3).Draw(t, "up to"))})
		}
	}
	c.setSiblings(all, replaced)
}

func siblingValue(k Kind, n int) Value {
	if k == Int32 {
		return must(OfList(Int32, OfInt32(int32(n))))
	}
	return must(OfString([]string{"", "a", "b", "ab", "é", "c", "d"}[n]))
}
