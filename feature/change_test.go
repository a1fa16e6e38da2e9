package feature

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"featurestore/hlc"
)

// apply is what an origin does: make the delta and join it.
func apply(t *testing.T, row Row, at hlc.Timestamp, origin hlc.Origin, c Change) (Row, Row) {
	t.Helper()
	delta, err := c.Delta(row, at, origin)
	if err != nil {
		t.Fatal(err)
	}
	return JoinRow(row, delta), delta
}

func set(id FeatureID, rule Rule, v Value) Assignment {
	return Assignment{Feature: id, Rule: rule, Type: v.Type(), Value: v}
}

func change(event int64, as ...Assignment) Change { return Change{EventTime: event, Assignments: as} }

// What users are told about each rule, one story a line; the twin says the rest.
func TestStoriesOfTheRules(t *testing.T) {
	one, two, three := OfInt64(1), OfInt64(2), OfInt64(3)
	del := func(event int64) Change { return Change{EventTime: event, Delete: true} }
	nextGeneration := change(1, set(1, EventTime, two))
	nextGeneration.Generation = 1
	for _, tc := range []struct {
		name    string
		rule    Rule
		changes []Change // accepted one after the other
		want    Value    // null for none
		lost    bool     // the last change is superseded
	}{
		{"an older event never overwrites", EventTime, []Change{change(9, set(1, 0, two)), change(8, set(1, 0, three))}, two, true},
		{"at equal event time the later write wins", EventTime, []Change{change(9, set(1, 0, two)), change(9, set(1, 0, one))}, one, false},
		{"a delete hides older events that come later", EventTime, []Change{del(9), change(8, set(1, 0, one))}, Value{}, true},
		{"a delete leaves newer events", EventTime, []Change{change(9, set(1, 0, one)), del(8)}, one, false},
		{"a newer event follows a delete", EventTime, []Change{del(9), change(10, set(1, 0, one))}, one, false},
		{"a delete before 1970 holds", EventTime, []Change{change(-9, set(1, 0, one)), del(-5)}, Value{}, false},
		{"a generation overrides event time", EventTime, []Change{change(9, set(1, 0, one)), nextGeneration}, two, false},
		{"write_time ignores event time", WriteTime, []Change{change(9, set(1, WriteTime, two)), change(1, set(1, WriteTime, one))}, one, false},
		{"write_time is deleted whatever the event time", WriteTime, []Change{change(9, set(1, WriteTime, two)), del(1)}, Value{}, false},
		{"the maximum stays", Max, []Change{change(1, set(1, Max, three)), change(2, set(1, Max, two))}, three, true},
		{"of equal maxima the newer event counts", Max, []Change{change(2, set(1, Max, three)), change(1, set(1, Max, three))}, three, true},
		{"a maximum starts again after a delete", Max, []Change{change(1, set(1, Max, three)), del(1), change(1, set(1, Max, one))}, one, false},
		{"the minimum stays", Min, []Change{change(1, set(1, Min, one)), change(2, set(1, Min, two))}, one, true},
		{"a counter sums", Counter, []Change{change(1, set(1, Counter, two)), change(1, set(1, Counter, three))}, OfInt64(5), false},
		{"a counter starts again after a delete", Counter, []Change{change(1, set(1, Counter, two)), del(1), change(1, set(1, Counter, three))}, three, false},
		{"a counter counts down", Counter, []Change{change(1, set(1, Counter, one)), change(1, set(1, Counter, OfInt64(-4)))}, OfInt64(-3), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var row, delta Row
			for i, c := range tc.changes {
				row, delta = apply(t, row, hlc.Timestamp(i+1), 1, c)
			}
			cell, _ := row.Cell(1)
			if got := cell.Read(); !got.Equal(tc.want) {
				t.Errorf("got %v, want %v; row %+v", got, tc.want, row)
			}
			if got := row.Supersedes(delta); got != tc.lost {
				t.Errorf("superseded: got %v, want %v", got, tc.lost)
			}
		})
	}
}

func TestNullIsStoredAndIsNotAbsence(t *testing.T) {
	null := Assignment{Feature: 1, Type: ScalarOf(Int64)}
	row, _ := apply(t, Row{}, 1, 1, change(1, null))
	row, _ = apply(t, row, 2, 1, change(1, set(2, EventTime, OfInt64(2))))
	if c, ok := row.Cell(1); !ok || !c.Read().IsNull() {
		t.Errorf("feature 1: got %v, present %v, want a stored null", c.Read(), ok)
	}
	if _, ok := row.Cell(3); ok {
		t.Error("feature 3 is present, nobody wrote it")
	}
	if row.IsEmpty() || !(Row{}).IsEmpty() {
		t.Error("IsEmpty has it the wrong way round")
	}
}

// A change that removes and adds one element removes it; removals are remembered.
func TestSetRemovesWhatIsAlsoAdded(t *testing.T) {
	list := must(OfList(Int64, OfInt64(1), OfInt64(2)))
	both := set(1, Set, list)
	both.Remove = must(OfList(Int64, OfInt64(2), OfInt64(3)))
	row, _ := apply(t, Row{}, 5, 1, change(1, both))
	late := must(change(1, set(1, Set, must(OfList(Int64, OfInt64(3))))).Delta(Row{}, 4, 2))
	row = JoinRow(row, late)
	c, _ := row.Cell(1)
	if got := c.Read(); got.String() != "[1]" {
		t.Errorf("got %v, want [1]: 2 was removed with its addition, 3 after its", got)
	}
	if !row.Supersedes(late) {
		t.Error("the late addition is not told that it lost")
	}
}

func TestSetsAreBounded(t *testing.T) {
	ints := func(from, to int64) Value {
		var elems []Value
		for n := from; n < to; n++ {
			elems = append(elems, OfInt64(n))
		}
		return must(OfList(Int64, elems...))
	}
	row, _ := apply(t, Row{}, 1, 1, change(1, set(1, Set, ints(0, MaxSetElements))))
	more := change(1, set(1, Set, ints(MaxSetElements, MaxSetElements+1)))
	if _, err := more.Delta(row, 2, 1); !errors.Is(err, ErrSetTooLarge) {
		t.Errorf("one element more: got %v, want ErrSetTooLarge", err)
	}
	if _, err := change(1, set(1, Set, ints(0, MaxSetElements+1))).Delta(Row{}, 1, 1); !errors.Is(err, ErrSetTooLarge) {
		t.Errorf("all at once: got %v, want ErrSetTooLarge", err)
	}
	again := change(1, set(1, Set, ints(0, 1)))
	if _, err := again.Delta(row, 2, 1); err != nil {
		t.Errorf("an element it has: got %v, want none", err)
	}
	forget := Assignment{Feature: 1, Rule: Set, Type: ListOf(Int64), Remove: ints(0, MaxSetRemembered+1)}
	if _, err := change(1, forget).Delta(Row{}, 2, 1); !errors.Is(err, ErrSetTooLarge) {
		t.Errorf("too many to remember: got %v, want ErrSetTooLarge", err)
	}
}

func TestCountersDoNotOverflowTheirOriginsTotal(t *testing.T) {
	big := must(ParseDecimal("9" + fmt.Sprintf("%099d", 0)))
	for _, tc := range []struct {
		name         string
		first, again Value // null: again is the first
	}{
		{"int64 above", OfInt64(math.MaxInt64), OfInt64(1)},
		{"int64 below", OfInt64(math.MinInt64), OfInt64(-1)},
		{"float64", OfFloat64(math.MaxFloat64), OfFloat64(math.MaxFloat64)},
		{"decimal above", big, big},
		{"decimal too long", big, must(ParseDecimal("1e-50"))},
		{"NaN", Value{}, OfFloat64(math.NaN())},
		{"infinity", Value{}, OfFloat64(math.Inf(-1))},
	} {
		var row Row
		if !tc.first.IsNull() {
			row, _ = apply(t, row, 1, 1, change(1, set(1, Counter, tc.first)))
		}
		if got, err := change(1, set(1, Counter, tc.again)).Delta(row, 2, 1); !errors.Is(err, ErrCounterOverflow) {
			t.Errorf("%s: got %+v, %v, want ErrCounterOverflow", tc.name, got, err)
		}
	}
}

// Two origins may each hold half of more than an int64: readers see the limit.
func TestCounterSumsOfOriginsSaturate(t *testing.T) {
	for _, limit := range []int64{math.MaxInt64, math.MinInt64} {
		row, _ := apply(t, Row{}, 1, 1, change(1, set(1, Counter, OfInt64(limit))))
		row, _ = apply(t, row, 2, 2, change(1, set(1, Counter, OfInt64(limit/2))))
		if c, _ := row.Cell(1); c.Read().Int() != limit {
			t.Errorf("got %v, want %d", c.Read(), limit)
		}
	}
}

// A delta of a change nobody checked would be stored and never be read again.
func TestDeltaRefusesWhatTheSchemaWould(t *testing.T) {
	one, text := OfInt64(1), must(OfString("a"))
	list := must(OfList(Int64, one))
	remove := Assignment{Feature: 1, Rule: Counter, Type: ScalarOf(Int64), Value: one, Remove: list}
	for _, tc := range []struct {
		name string
		as   []Assignment
	}{
		{"feature zero", []Assignment{set(0, EventTime, one)}},
		{"features out of order", []Assignment{set(2, EventTime, one), set(1, EventTime, one)}},
		{"a feature twice", []Assignment{set(1, EventTime, one), set(1, EventTime, one)}},
		{"no type", []Assignment{{Feature: 1}}},
		{"an unknown kind", []Assignment{{Feature: 1, Type: ScalarOf(kindEnd)}}},
		{"a vector of int64", []Assignment{{Feature: 1, Type: Type{Kind: Int64, Shape: Vector, Dim: 1}}}},
		{"an unknown rule", []Assignment{set(1, ruleEnd, one)}},
		{"a rule that does not admit the type", []Assignment{set(1, Counter, text)}},
		{"a value of another kind", []Assignment{{Feature: 1, Type: ScalarOf(Int64), Value: text}}},
		{"a value of another shape", []Assignment{{Feature: 1, Type: ScalarOf(Int64), Value: list}}},
		{"a vector of another dimension", []Assignment{{Feature: 1, Type: VectorOf(3), Value: OfVector([]float32{1})}}},
		{"elements of another kind", []Assignment{{Feature: 1, Rule: Set, Type: ListOf(String), Remove: list}}},
		{"a removal from a counter", []Assignment{remove}},
	} {
		if got, err := change(1, tc.as...).Delta(Row{}, 1, 1); !errors.Is(err, ErrWrongType) {
			t.Errorf("%s: got %+v, %v, want ErrWrongType", tc.name, got, err)
		}
	}
}
