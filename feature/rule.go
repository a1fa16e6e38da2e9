package feature

import (
	"fmt"
	"strings"
)

// Rule is the conflict rule of a feature: which of two concurrent or repeated
// writes its readers see. The numbers are stored: never renumber.
type Rule uint8

// The conflict rules.
const (
	// EventTime keeps the value with the greatest event time; among equal event
	// times the later accepted. An older event never overwrites a newer one.
	EventTime Rule = 0
	// WriteTime keeps the value accepted last.
	WriteTime Rule = 1
	// Max keeps the greatest number since the last delete; of equal ones, that of
	// the newer event. Any number is greater than NaN, and NaN than null.
	Max Rule = 2
	// Min keeps the smallest number since the last delete, likewise. NaN and null
	// count only where there is no number.
	Min Rule = 3
	// Counter sums increments since the last delete.
	Counter Rule = 4
	// Set unites elements; each element follows its last addition or removal.
	Set Rule = 5
	// Siblings keeps every value that no later write has replaced; readers see
	// the one accepted last. A write replaces what its session had seen.
	Siblings Rule = 6

	ruleEnd Rule = 7
)

var ruleNames = [ruleEnd]string{"event_time", "write_time", "max", "min", "counter", "set", "siblings"}

// String returns the name definitions use, such as "event_time".
func (r Rule) String() string {
	if r < ruleEnd {
		return ruleNames[r]
	}
	return fmt.Sprintf("rule(%d)", uint8(r))
}

// ParseRule is the inverse of Rule.String; "" is event_time.
func ParseRule(s string) (Rule, error) {
	if s == "" {
		return EventTime, nil
	}
	for r, name := range ruleNames {
		if name == s {
			return Rule(r), nil
		}
	}
	return 0, fmt.Errorf("conflict rule %q is not known; use one of %s", s, strings.Join(ruleNames[:], ", "))
}

// Monotone reports whether what the rule keeps only grows between deletes, so
// that its cells carry an epoch. See ADR 6.
func (r Rule) Monotone() bool { return r >= Max }

// Merges reports whether a cell of the rule holds parts of several writes.
func (r Rule) Merges() bool { return r >= Counter }

// Admits returns an error when features of type t cannot follow the rule.
func (r Rule) Admits(t Type) error {
	ok, want := true, ""
	switch r {
	case Max, Min:
		ok, want = t.Shape == Scalar && t.Kind.Numeric(), "a number or a timestamp"
	case Counter:
		ok = t.Shape == Scalar && (t.Kind == Int64 || t.Kind == Float64 || t.Kind == Decimal)
		want = "int64, float64 or decimal"
	case Set:
		ok, want = t.Shape == List && t.Kind != JSON, "a list (of anything but json)"
	}
	if !ok {
		return fmt.Errorf("conflict rule %s needs %s, not %s", r, want, t)
	}
	return nil
}
