package sdk

import (
	"context"
	"errors"
	"fmt"
)

// Verdict is what became of a row.
type Verdict uint8

// The verdicts. Rows of the last three come with an error.
const (
	Pending    Verdict = iota // none yet
	Accepted                  // stored, and its concern met
	Superseded                // logged, but every cell lost to a newer event
	Unmet                     // stored, but its concern was not met in time
	Refused                   // not stored
	Unknown                   // may have been stored
)

var verdictNames = [...]string{"pending", "accepted", "superseded", "unmet", "refused", "unknown"}

// String returns the verdict in a word, such as "accepted".
func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return "invalid"
}

// RowError says what is wrong with one row. It matches ErrInvalidRows.
type RowError struct {
	// Field is the join key or feature at fault, "" when the row is.
	Field   string
	Message string
}

// Error names the field and what is wrong with it.
func (e *RowError) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// Is matches ErrInvalidRows.
func (e *RowError) Is(target error) bool { return target == error(ErrInvalidRows) }

// RowResult is the verdict on one row.
type RowResult struct {
	Verdict Verdict
	// Err says why, nil for Accepted and Superseded.
	Err error
	// Session is the token of the write, "" when nothing was stored.
	Session string
}

// Future is a row that a Writer took, on its way to its verdict.
type Future struct {
	batch *batch
	row   int
}

// Done is closed when the row has its verdict.
func (f *Future) Done() <-chan struct{} { return f.batch.done }

// Wait returns the verdict and its error, or Pending and the context's error
// when ctx ends first: the row is still on its way then, and Wait may be called
// again. The session of ctx, if any, has seen the write afterwards.
func (f *Future) Wait(ctx context.Context) (RowResult, error) {
	select {
	case <-f.batch.done:
	default:
		select {
		case <-f.batch.done:
		case <-ctx.Done():
			return RowResult{}, fmt.Errorf("wait for a row's verdict: %w", context.Cause(ctx))
		}
	}
	r := f.batch.result(f.row)
	if s := sessionOf(ctx); s != nil && r.Session != "" {
		s.answered(f.batch.before, r.Session)
	}
	return r, r.Err
}

// verdictOf judges the rows of a request that failed whole.
func verdictOf(err error) Verdict {
	switch {
	case Applied(err):
		return Unmet
	case errors.Is(err, ErrOutcomeUnknown):
		return Unknown
	}
	return Refused
}
