package hlc

import (
	"errors"
	"fmt"
	"time"
)

// ErrAhead reports a witnessed timestamp too far ahead of the wall clock. The
// clock is unchanged; timestamps issued later may be lower than the one shown.
var ErrAhead = errors.New("timestamp too far ahead of the clock")

// AheadError is the detail of ErrAhead, which it matches with errors.Is.
type AheadError struct {
	At      Timestamp     // the timestamp refused
	Ahead   time.Duration // how far it leads the wall clock; about 292 years at most
	MaxSkew time.Duration // how far it might have led
}

// Error names the timestamp, its lead and the lead allowed.
func (e *AheadError) Error() string {
	return fmt.Sprintf("timestamp %v is %v ahead of the clock, at most %v is allowed", e.At, e.Ahead, e.MaxSkew)
}

// Is makes errors.Is(e, ErrAhead) true.
func (e *AheadError) Is(target error) bool { return target == ErrAhead }
