package feature

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"featurestore/hlc"
)

// Change is one row of a push or a delete, as its writer means it, checked
// against the view's schema. Features without an Assignment are left alone.
type Change struct {
	View ViewID
	Key  Key
	// EventTime is in nanoseconds since the Unix epoch.
	EventTime  int64
	Generation uint16
	// Delete leaves a tombstone; Assignments is empty then.
	Delete bool
	// Assignments are ordered by Feature, at most one a feature.
	Assignments []Assignment
}

// Assignment says what a Change does to one feature.
type Assignment struct {
	Feature FeatureID
	Rule    Rule
	Type    Type
	// Value is the value to store (null stores a null), the increment of a
	// counter, or the list of elements to add to a set; for these two null adds
	// nothing.
	Value Value
	// Remove is the list of elements to remove from a set, or null.
	Remove Value
}

// Limits of a set. Removed elements count in the second: they must be
// remembered, or a late addition would bring them back.
const (
	MaxSetElements   = 1024
	MaxSetRemembered = 4 * MaxSetElements
)

// Errors of Change.Delta. The row is as it was.
var (
	// ErrCounterOverflow reports an increment that would take the origin's total
	// out of the counter's type, NaN and infinities included.
	ErrCounterOverflow = errors.New("counter overflow")
	// ErrSetTooLarge reports an addition beyond MaxSetElements or
	// MaxSetRemembered.
	ErrSetTooLarge = errors.New("set too large")
	// ErrWrongType reports an assignment whose value is not of its type, whose
	// rule does not admit its type, or that is out of order: it was not checked
	// against the schema.
	ErrWrongType = errors.New("wrong type")
)

// Delta returns the row to join into current, and to log, for a change that
// origin accepts at at. Only the origin calls it: replicas join what it made.
// Current holds everything that origin accepted for the row before, or a
// counter would forget it, and at is after every timestamp in it. The delta may
// share memory with current and c. The writer's session had seen nothing.
func (c Change) Delta(current Row, at hlc.Timestamp, origin hlc.Origin) (Row, error) {
	return c.DeltaAfter(current, at, origin, nil)
}

// DeltaAfter is Delta for a writer whose session had seen what seen says, which
// only siblings ask. Current holds all of that, and of an origin all that is
// older too.
func (c Change) DeltaAfter(current Row, at hlc.Timestamp, origin hlc.Origin, seen Seen) (Row, error) {
	v := Version{Generation: c.Generation, EventTime: c.EventTime, At: at, Origin: origin}
	if c.Delete {
		return Row{Tombstone: Tombstone{ByEvent: v, ByWrite: v}}, nil
	}
	cells := make([]Cell, 0, len(c.Assignments))
	epoch, last := current.epoch(), FeatureID(0)
	for _, a := range c.Assignments {
		if err := a.check(last); err != nil {
			return Row{}, err
		}
		last = a.Feature
		cell := Cell{Feature: a.Feature, Rule: a.Rule, Kind: a.Type.Kind, Shape: a.Type.Shape, Version: v}
		if a.Rule.Monotone() {
			cell.Epoch = epoch
		}
		var err error
		switch a.Rule {
		case Counter:
			cell.Totals, err = a.increment(current, cell.Epoch, at, origin)
		case Set:
			cell.Elements, err = a.elements(current, cell.Epoch, at, origin)
		case Siblings:
			cell.Value = a.Value
			cell.Siblings, err = a.replace(current, cell.Epoch, seen)
		default:
			cell.Value = a.Value
		}
		if err != nil {
			return Row{}, err
		}
		cells = append(cells, cell)
	}
	return Row{Cells: cells}, nil
}

// epoch returns the latest delete by write that r tells of. A cell may tell of
// one whose tombstone has not arrived yet; an increment in an older epoch would
// be lost to that cell at once.
func (r Row) epoch() Version {
	latest := r.Tombstone.ByWrite
	for i := range r.Cells {
		if e := &r.Cells[i].Epoch; !e.IsZero() && (latest.IsZero() || e.CompareByWrite(latest) > 0) {
			latest = *e
		}
	}
	return latest
}

// check holds the last line before the log: what passes can be encoded, and
// joined on every store.
func (a Assignment) check(last FeatureID) error {
	t := a.Type
	if a.Feature <= last {
		return fmt.Errorf("%w: feature %d after feature %d, want rising ids", ErrWrongType, a.Feature, last)
	}
	if t.Kind == Null || t.Kind >= kindEnd || t.Shape >= shapeEnd || a.Rule >= ruleEnd || t.Shape == Vector && t.Kind != Float32 {
		return fmt.Errorf("%w: feature %d has type %s and rule %s", ErrWrongType, a.Feature, t, a.Rule)
	}
	if err := a.Rule.Admits(t); err != nil {
		return fmt.Errorf("%w: feature %d: %w", ErrWrongType, a.Feature, err)
	}
	if !a.Value.IsNull() && a.Value.Type() != t {
		return fmt.Errorf("%w: feature %d: value is %s, want %s", ErrWrongType, a.Feature, a.Value.Type(), t)
	}
	if !a.Remove.IsNull() && (a.Rule != Set || a.Remove.Type() != t) {
		return fmt.Errorf("%w: feature %d: elements to remove are %s, want %s of a set", ErrWrongType, a.Feature, a.Remove.Type(), t)
	}
	return nil
}

// increment returns the origin's own new total.
func (a Assignment) increment(current Row, epoch Version, at hlc.Timestamp, origin hlc.Origin) ([]Total, error) {
	if a.Value.IsNull() {
		return nil, nil
	}
	if f := a.Value.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%w: cannot add %s", ErrCounterOverflow, a.Value)
	}
	sum := a.Value
	if cell, ok := current.Cell(a.Feature); ok && cell.Epoch == epoch {
		i := slices.IndexFunc(cell.Totals, func(t Total) bool { return t.Origin == origin })
		if i >= 0 {
			var err error
			if sum, err = addExactly(cell.Totals[i].Sum, a.Value); err != nil {
				return nil, err
			}
		}
	}
	return []Total{{Origin: origin, At: at, Sum: sum}}, nil
}

// addExactly is addNumbers for what will be stored: no saturation, no decimal
// that could not be read back.
func addExactly(a, b Value) (Value, error) {
	sum := addNumbers(a, b)
	ok := true
	switch a.kind {
	case Int64:
		_, ok = addInt64(a.Int(), b.Int())
	case Float64:
		ok = !math.IsInf(sum.Float(), 0)
	case Decimal:
		_, err := ParseDecimal(sum.data)
		ok = err == nil
	}
	if !ok {
		return Value{}, fmt.Errorf("%w: %s + %s does not fit %s", ErrCounterOverflow, a, b, a.kind)
	}
	return sum, nil
}

func (a Assignment) elements(current Row, epoch Version, at hlc.Timestamp, origin hlc.Origin) ([]Element, error) {
	var out []Element
	for v, present := range a.touched() {
		out = append(out, Element{Value: v, At: at, Origin: origin, Present: present})
	}
	// An element both added and removed by one change is removed.
	slices.SortStableFunc(out, compareElements)
	out = slices.CompactFunc(out, func(x, y Element) bool { return compareElements(x, y) == 0 })
	if cell, ok := current.Cell(a.Feature); ok && cell.Epoch == epoch {
		return out, checkSetSize(joinElements(cell.Elements, out))
	}
	return out, checkSetSize(out)
}

// touched yields the elements removed, then those added.
func (a Assignment) touched() func(yield func(Value, bool) bool) {
	return func(yield func(Value, bool) bool) {
		for v := range a.Remove.Elems() {
			if !yield(v, false) {
				return
			}
		}
		for v := range a.Value.Elems() {
			if !yield(v, true) {
				return
			}
		}
	}
}

func checkSetSize(elements []Element) error {
	present := 0
	for _, e := range elements {
		if e.Present {
			present++
		}
	}
	if present > MaxSetElements || len(elements) > MaxSetRemembered {
		return fmt.Errorf("%w: %d elements, %d with removed ones; a set holds %d and remembers %d until the row is deleted",
			ErrSetTooLarge, present, len(elements), MaxSetElements, MaxSetRemembered)
	}
	return nil
}
