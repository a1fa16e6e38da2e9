package consistency

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// Errors that callers act on. Each says what is true afterwards.
var (
	// ErrTokenInvalid reports a session token that this deployment did not
	// make, or that is damaged. Nothing was read or written.
	ErrTokenInvalid = errors.New("session token is not valid")
	// ErrSessionLost reports a token that names a write which no longer exists
	// and never will. The session must be reset to go on.
	ErrSessionLost = errors.New("session names a write that was lost")
	// ErrBehind reports that no reachable replica covers the session's tokens
	// within the deadline. Nothing was read.
	ErrBehind = errors.New("replica is behind the session")
	// ErrTooStale reports a bounded read that cannot be met. Nothing was read.
	ErrTooStale = errors.New("replica is staler than asked")
	// ErrLevelNotOffered reports a level that the view's group cannot give.
	ErrLevelNotOffered = errors.New("read level is not offered here")
	// ErrElsewhere reports a group whose rows this store does not hold, and that
	// none of those that do answered for it. Nothing was read or written.
	ErrElsewhere = errors.New("the group is held in other regions")
	// ErrNotActive reports a store that joins, leaves or was evicted: it takes no
	// writes, and, but for one that leaves, answers no reads. Nothing was read or
	// written.
	ErrNotActive = errors.New("store is not active")
	// ErrOverloaded reports too many writes that wait for acknowledgements.
	// Nothing was written.
	ErrOverloaded = errors.New("too many writes wait for acknowledgements")
	// ErrNotEnoughLive reports a write concern that the present members could
	// not meet, or too few members that keep up. Nothing was written.
	ErrNotEnoughLive = errors.New("too few live members for the write concern")
	// ErrConcernTimeout reports a write concern not met in time. The write is
	// applied and durable here and goes on replicating; pushing it again under
	// its idempotency key is safe.
	ErrConcernTimeout = errors.New("write concern not met in time")
	// ErrDependencyUnavailable reports that what the writing session had seen
	// is not here, so that its write would be ordered before it. Nothing was
	// written.
	ErrDependencyUnavailable = errors.New("what the session has seen is not here yet")
)

// TokenInvalidError says why a token was refused. It matches ErrTokenInvalid.
type TokenInvalidError struct{ Reason string }

// Error implements error.
func (e *TokenInvalidError) Error() string { return ErrTokenInvalid.Error() + ": " + e.Reason }

// Is matches ErrTokenInvalid.
func (e *TokenInvalidError) Is(target error) bool { return target == ErrTokenInvalid }

func invalidToken(format string, args ...any) error {
	return &TokenInvalidError{Reason: fmt.Sprintf(format, args...)}
}

// Writer names the store whose log a position is of; it is zero where that is
// not known here, and for a floor, which is of all logs.
type Writer struct {
	Store  meta.StoreID
	Region meta.Region
}

// String returns " of store us-1 in region us", "" when it is not known.
func (w Writer) String() string {
	switch {
	case w.Store == "":
		return ""
	case w.Region == "":
		return fmt.Sprintf(" of store %s", w.Store)
	}
	return fmt.Sprintf(" of store %s in region %s", w.Store, w.Region)
}

// SessionLostError names the lost write. It matches ErrSessionLost.
type SessionLostError struct {
	Shard    feature.Shard
	Position hlc.Position
	Writer   Writer
}

// Error implements error.
func (e *SessionLostError) Error() string {
	return fmt.Sprintf("%v: %v%v, in group %d partition %d", ErrSessionLost, e.Position, e.Writer, e.Shard.Group, e.Shard.Partition)
}

// Is matches ErrSessionLost.
func (e *SessionLostError) Is(target error) bool { return target == ErrSessionLost }

// BehindError says what was wanted, what is here, and how long was waited. It
// matches ErrBehind.
type BehindError struct {
	Shard  feature.Shard
	Want   hlc.Position
	Writer Writer // of what is wanted
	Have   hlc.Timestamp
	Waited time.Duration
}

// Error implements error.
func (e *BehindError) Error() string {
	if e.Want.Origin == 0 { // a floor
		return fmt.Sprintf("%v: want everything up to %v, have it up to %v after waiting %v", ErrBehind, e.Want.At, e.Have, e.Waited)
	}
	return fmt.Sprintf("%v: want %v%v, have %v after waiting %v", ErrBehind, e.Want, e.Writer, e.Have, e.Waited)
}

// Is matches ErrBehind.
func (e *BehindError) Is(target error) bool { return target == ErrBehind }

// TooStaleError says how stale the replica may be, and behind whom. It matches
// ErrTooStale.
type TooStaleError struct {
	Staleness Lag
	Bound     time.Duration
}

// Error implements error.
func (e *TooStaleError) Error() string {
	if e.Staleness.Time == UnknownLag {
		return fmt.Sprintf("%v: nothing was heard of store %s in region %s yet, %v asked", ErrTooStale, e.Staleness.Store, e.Staleness.Region, e.Bound)
	}
	return fmt.Sprintf("%v: up to %v behind store %s in region %s, %v asked", ErrTooStale, e.Staleness.Time, e.Staleness.Store, e.Staleness.Region, e.Bound)
}

// Is matches ErrTooStale.
func (e *TooStaleError) Is(target error) bool { return target == ErrTooStale }

// NotEnoughLiveError names the concern and the members. It matches
// ErrNotEnoughLive.
type NotEnoughLiveError struct {
	// Concern is what the members could not meet, unless too few keep up.
	Concern Concern
	// Others are active, and not the store that was to accept the write.
	Others meta.Members
	// Live is how many other members keep up, where Require asks for more.
	Live    int
	Require feature.RequireLive
}

// Error implements error.
func (e *NotEnoughLiveError) Error() string {
	if e.Live < e.Require.Members {
		return fmt.Sprintf("%v: require_live asks for other members that lag at most %v: %d, and there are %d", ErrNotEnoughLive, e.Require.MaxLag, e.Require.Members, e.Live)
	}
	where := "none is there"
	switch len(e.Others) {
	case 0:
	case 1:
		where = fmt.Sprintf("1 is there, in %v", e.Others.Regions())
	default:
		where = fmt.Sprintf("%d are there, in %v", len(e.Others), e.Others.Regions())
	}
	return fmt.Sprintf("%v: %v counts members beside the store that accepts, and %s", ErrNotEnoughLive, e.Concern, where)
}

// Is matches ErrNotEnoughLive.
func (e *NotEnoughLiveError) Is(target error) bool { return target == ErrNotEnoughLive }

// DependencyError names what is missing. It matches ErrDependencyUnavailable.
type DependencyError struct{ Missing BehindError }

// Error implements error.
func (e *DependencyError) Error() string {
	return fmt.Sprintf("%v: %v", ErrDependencyUnavailable, &e.Missing)
}

// Is matches ErrDependencyUnavailable.
func (e *DependencyError) Is(target error) bool { return target == ErrDependencyUnavailable }

// ElsewhereError names where the group is held. It matches ErrElsewhere.
type ElsewhereError struct {
	Group   string
	Regions []string
}

// Error implements error.
func (e *ElsewhereError) Error() string {
	return fmt.Sprintf("%v: group %s in %s", ErrElsewhere, e.Group, strings.Join(e.Regions, ", "))
}

// Is matches ErrElsewhere.
func (e *ElsewhereError) Is(target error) bool { return target == ErrElsewhere }

// NotActiveError says what the store is instead. It matches ErrNotActive.
type NotActiveError struct {
	Store meta.StoreID
	State meta.State
	// Why says more, where it is known.
	Why error
}

// Error implements error.
func (e *NotActiveError) Error() string {
	switch {
	case e.Why != nil && e.State == meta.Active:
		return fmt.Sprintf("store %s takes no writes just now: %v", e.Store, e.Why)
	case e.Why != nil:
		return fmt.Sprintf("%v: %v", ErrNotActive, e.Why)
	}
	return fmt.Sprintf("%v: store %s is %v", ErrNotActive, e.Store, e.State)
}

// Unwrap returns Why.
func (e *NotActiveError) Unwrap() error { return e.Why }

// Is matches ErrNotActive.
func (e *NotActiveError) Is(target error) bool { return target == ErrNotActive }
