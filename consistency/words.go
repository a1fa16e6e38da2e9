package consistency

import (
	"errors"
	"fmt"
	"slices"

	"featurestore/feature"
)

// CheckWord checks a word of definitions that this room knows: field is
// "read.level", "read.read_repair", "read.at_least", "read.fallback" (one step),
// "write.concern", "write.on_timeout", "write.at_least" or "durability". The error says what would be right.
func CheckWord(field, text string) error {
	var err error
	switch field {
	case "read.level":
		_, err = ParseLevel(text)
	case "read.fallback":
		_, err = ParseFallback([]string{text})
	case "read.read_repair":
		_, err = ParseRepair(text)
	case "read.at_least":
		err = checkFloor(text)
	case "write.concern", "write.at_least", "durability":
		_, err = ParseConcern(text)
	case "write.on_timeout":
		_, err = ParseOnTimeout(text)
	default:
		err = fmt.Errorf("%s is not a setting of consistency", field)
	}
	return err
}

// checkFloor checks the least level that reads may ask for.
func checkFloor(text string) error {
	a, err := ParseAlternative(text)
	if err == nil && (a.Members != 0 || a.Repair != RepairUnset || a.Within != 0) {
		err = fmt.Errorf("at_least is a level, and max-staleness where that is bounded; %q says more", text)
	}
	return err
}

// CheckRead checks the read settings of a group or a view as a whole. Words
// that CheckWord refuses are left to it.
func CheckRead(d feature.ReadDefaults) error {
	if d.Level == "" {
		if d.MaxStaleness != 0 {
			return errors.New("max_staleness is set without a level; set level: bounded beside it")
		}
		return nil
	}
	level, err := ParseLevel(d.Level)
	if err != nil {
		return nil
	}
	if err := (Alternative{Level: level, MaxStaleness: d.MaxStaleness}).Validate(); err != nil {
		return err
	}
	if _, err := ParseFallback(d.Fallback); err != nil && !slices.ContainsFunc(d.Fallback, badStep) {
		return err
	}
	return nil
}

func badStep(step string) bool { return CheckWord("read.fallback", step) != nil }

// OnTimeout is what a write answers whose concern was not met in time.
type OnTimeout uint8

// The answers to a concern that was not met in time. The write is durable here
// either way.
const (
	OnTimeoutError   OnTimeout = iota // ErrConcernTimeout
	OnTimeoutDegrade                  // success that says the concern was not met
	OnTimeoutWait                     // ErrConcernTimeout, once the request's own time has passed
)

// ParseOnTimeout reads "error", "degrade" or "wait"; "" is error.
func ParseOnTimeout(s string) (OnTimeout, error) {
	switch s {
	case "", "error":
		return OnTimeoutError, nil
	case "degrade":
		return OnTimeoutDegrade, nil
	case "wait":
		return OnTimeoutWait, nil
	}
	return 0, fmt.Errorf("on_timeout %q is not known; use error, degrade or wait", s)
}
