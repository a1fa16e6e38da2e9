package sdk

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"featurestore/api"
)

// Errors of requests, matched with errors.Is. They are the codes of the REST
// contract: errors.Is(err, code) holds for every api.Code, these are the ones
// that callers act on most.
const (
	// ErrConcernTimeout: the rows are applied and still replicating. The session
	// has their token, and so has Problem.Session; Problem.Concern counts the
	// stores that have them. Pushing them again under the same idempotency key, at
	// the same store, is safe.
	ErrConcernTimeout = api.CodeConcernTimeout
	// ErrNotEnoughLive: too few live replicas for the concern, or for a read at
	// Quorum; nothing was read or written.
	ErrNotEnoughLive = api.CodeNotEnoughLive
	// ErrBehind: no replica in reach met the read level in time.
	ErrBehind = api.CodeBehind
	// ErrTooStale: a bounded read could not be met.
	ErrTooStale = api.CodeTooStale
	// ErrSessionLost: the session names a write that no longer exists. Start a
	// new session.
	ErrSessionLost = api.CodeSessionLost
	// ErrTokenInvalid: the session's token is not of this deployment.
	ErrTokenInvalid = api.CodeTokenInvalid
	// ErrEventInFuture and ErrEventTooOld: the view does not take such an event
	// time; nothing was stored.
	ErrEventInFuture = api.CodeEventInFuture
	ErrEventTooOld   = api.CodeEventTooOld
	// ErrInvalidRows: some rows are at fault and nothing was stored.
	ErrInvalidRows = api.CodeInvalidRows
	// ErrConflict: the project changed since it was planned.
	ErrConflict = api.CodeConflict
	// ErrOverloaded: the store has too much to do at once.
	ErrOverloaded = api.CodeOverloaded
	// ErrNotActive: the store asked joins, leaves or was evicted, and no other one
	// answered.
	ErrNotActive = api.CodeNotActive
	// ErrNotHeld: the rows of this group are in other regions than those of the
	// stores asked.
	ErrNotHeld = api.CodeNotHeld
	// ErrHomeUnreachable: the store that changes definitions and membership is not
	// in reach; nothing was changed, and lookups and pushes go on.
	ErrHomeUnreachable = api.CodeHomeUnreachable
	// ErrNoHistory: none of the stores asked keeps the history that exports are made of.
	ErrNoHistory = api.CodeNoHistory
	// ErrHistoryGone: history does not reach back to what was asked for.
	ErrHistoryGone = api.CodeHistoryGone
	// ErrProjectNotFound and the like: the name does not exist.
	ErrProjectNotFound = api.CodeProjectNotFound
	ErrViewNotFound    = api.CodeViewNotFound
	ErrFeatureNotFound = api.CodeFeatureNotFound
	ErrServiceNotFound = api.CodeServiceNotFound
	ErrEntityNotFound  = api.CodeEntityNotFound

	ErrPushSourceNotFound = api.CodePushSourceNotFound
)

// Errors of the client itself.
var (
	// ErrUnreachable: no store answered within the tries and time allowed.
	ErrUnreachable = errors.New("no store answered")
	// ErrOutcomeUnknown: a write was sent and its answer lost. It may have been
	// stored. Repeated under Error.IdempotencyKey at the same store, which is
	// Error.URL, it is stored once: see Target.
	ErrOutcomeUnknown = errors.New("the write may have been stored")
	// ErrClosed: the writer takes no more rows. The row was not stored.
	ErrClosed = errors.New("writer is closed")
	// ErrNotSent: the writer ended before the row was sent. It was not stored.
	ErrNotSent = errors.New("row was not sent")
	// ErrMismatch: a struct's tags do not fit the features they name.
	ErrMismatch = errors.New("struct does not fit the features")
	// ErrChanged: the project's definitions changed during a lookup of several
	// parts; look up again.
	ErrChanged = errors.New("definitions changed during the lookup")
	// ErrTooManyTokens: a session was given more tokens than it can hold.
	ErrTooManyTokens = errors.New("session has too many tokens")
	// ErrIncomplete: an export broke off, or is not what the store sent. What was read
	// of it is not to be used.
	ErrIncomplete = errors.New("the export is not complete")
	// ErrBadAnswer: what answered is no feature store, or one of another
	// version.
	ErrBadAnswer = errors.New("answer not understood")
)

// Error is what a request ended with. errors.As finds it; errors.Is compares
// the code of its Problem, or ErrUnreachable and ErrOutcomeUnknown.
type Error struct {
	// Op is the operation, such as "lookup".
	Op string
	// URL is the store that was asked last.
	URL string
	// Tries is how often it was asked; 0 when the context had ended before.
	Tries int
	// Problem is the server's answer, nil when there was none.
	Problem *api.Problem
	// Err is why there was no answer, nil when there was one.
	Err error
	// IdempotencyKey names the write, "" for reads.
	IdempotencyKey string
	// OutcomeUnknown says that a write may have been stored.
	OutcomeUnknown bool
}

// Error says what was done, where, how often, and what came of it.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s", e.Op, e.URL)
	if e.Tries > 1 {
		fmt.Fprintf(&b, " (%d tries)", e.Tries)
	}
	b.WriteString(": ")
	switch {
	case e.Problem != nil:
		b.WriteString(e.Problem.Error())
		for _, r := range e.Problem.Rows {
			fmt.Fprintf(&b, "; row %d: %s: %s", r.Row, r.Field, r.Message)
		}
	case e.Err != nil:
		b.WriteString(e.Err.Error())
	}
	if e.OutcomeUnknown {
		b.WriteString("; the write may have been stored")
	}
	return b.String()
}

// Is matches ErrOutcomeUnknown and ErrUnreachable; codes are matched through
// Unwrap.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrOutcomeUnknown:
		return e.OutcomeUnknown
	case ErrUnreachable:
		return e.Problem == nil && !errors.Is(e.Err, ErrBadAnswer) &&
			!errors.Is(e.Err, context.Canceled)
	}
	return false
}

// Unwrap returns the Problem and the cause, so that errors.As finds an
// *api.Problem and errors.Is an api.Code or a context's error.
func (e *Error) Unwrap() []error {
	var out []error
	if e.Problem != nil {
		out = append(out, e.Problem)
	}
	if e.Err != nil {
		out = append(out, e.Err)
	}
	return out
}

// Applied reports whether err is of a write that was applied although its
// concern was not met in time.
func Applied(err error) bool { return errors.Is(err, ErrConcernTimeout) }
