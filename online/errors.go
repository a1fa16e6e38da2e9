package online

import (
	"errors"
	"fmt"

	"featurestore/feature"
)

// Errors that callers act on.
var (
	// ErrClosed reports a store that was closed or whose Run has ended. Nothing
	// of the call happened.
	ErrClosed = errors.New("store is closed")
	// ErrNotWriting reports a write while SetWriting refuses them. Nothing was
	// written.
	ErrNotWriting = errors.New("store takes no writes now")
	// ErrOverloaded reports a bound that stayed full until ctx ended, or a
	// bound on waiters. Nothing of the call happened; try again later.
	ErrOverloaded = errors.New("store is overloaded")
	// ErrTooLarge matches every TooLargeError. Nothing was written.
	ErrTooLarge = errors.New("too large")
	// ErrInvalidWrite reports a write that its caller should have refused: it
	// would not be readable. Nothing was written.
	ErrInvalidWrite = errors.New("invalid write")
	// ErrIdempotencyMismatch reports a request id that was used for another
	// request. Nothing was written by this one.
	ErrIdempotencyMismatch = errors.New("request id was used for another request")
	// ErrDiskFull reports less free space than Config.MinFreeBytes describes.
	// Nothing was written; writes go on by themselves when there is room again.
	// From Open it reports too little to begin with; from Close, with
	// ErrAbandoned, too little to tidy up.
	ErrDiskFull = errors.New("disk is full")
	// ErrReadOnly reports a store whose disk failed a commit or whose directory
	// is gone. What had been acknowledged is durable, unless it went with the
	// directory; of the writes that got this error, those of the failing commit
	// are there whole or not at all after the store is opened anew, the later
	// ones are not. Reads go on, as far as Badger has what it needs in memory or
	// in files that it holds open. Only opening the store anew ends it.
	ErrReadOnly = errors.New("store is read-only after a disk error")
	// ErrAbandoned reports a Close, or an end of Run, that did not wait longer
	// for Badger. What was acknowledged is in the log, and opening the directory
	// anew recovers it; if the directory is gone, it went with it, and the error
	// says so. Badger's files and goroutines stay until the process ends, which
	// it should do next.
	ErrAbandoned = errors.New("store was left without closing its files")
	// ErrCorrupt matches every CorruptError.
	ErrCorrupt = errors.New("stored bytes are corrupt")
	// ErrInUse reports a directory that another process has open.
	ErrInUse = errors.New("directory is in use by another process")
	// ErrFormat reports a directory written by a version of the software that
	// this one does not know. The directory is as it was.
	ErrFormat = errors.New("unknown store format")
	// ErrForeign reports a directory of another store, region or deployment
	// than the configuration names, or of another program.
	ErrForeign = errors.New("directory belongs to another store")
	// ErrUnclean reports, from Inspect, a directory that was not closed.
	ErrUnclean = errors.New("store was not closed: open it for writing once, which recovers it")
)

// TooLargeError is the detail of ErrTooLarge, which it matches.
type TooLargeError struct {
	What  string // such as "write", "row", "registry" or "batch of rows"
	Bytes int    // its size as it would be stored
	Limit int    // the size allowed
}

// Error names what is too large, its size and the limit.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s of %d bytes is too large, at most %d fit", e.What, e.Bytes, e.Limit)
}

// Is makes errors.Is(e, ErrTooLarge) true.
func (e *TooLargeError) Is(target error) bool { return target == ErrTooLarge }

// ChangeError says which change of a write failed. The whole write did.
type ChangeError struct {
	Index int // in Write.Changes
	Err   error
}

// Error names the change.
func (e *ChangeError) Error() string { return fmt.Sprintf("change %d: %v", e.Index, e.Err) }

// Unwrap returns the cause: feature.ErrCounterOverflow, feature.ErrSetTooLarge,
// ErrTooLarge, ErrInvalidWrite or ErrCorrupt.
func (e *ChangeError) Unwrap() error { return e.Err }

// CorruptError is the detail of ErrCorrupt, which it matches.
type CorruptError struct {
	Key []byte // as it lies in Badger
	Err error  // what is wrong with its value
}

// Error names the key, in words where it is one of this store's.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s: %v: %v", describeKey(e.Key), ErrCorrupt, e.Err)
}

// Is makes errors.Is(e, ErrCorrupt) true.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Unwrap returns what is wrong with the value.
func (e *CorruptError) Unwrap() error { return e.Err }

func corrupt(key []byte, format string, args ...any) error {
	return &CorruptError{Key: append([]byte(nil), key...), Err: fmt.Errorf(format, args...)}
}

// describeKey prints a stored key for people.
func describeKey(b []byte) string {
	k, err := decodeKey(b)
	if err != nil {
		return fmt.Sprintf("key %x", b)
	}
	switch k.kind {
	case kindStore:
		return "store record"
	case kindProgress:
		return fmt.Sprintf("progress of %v in shard %d/%d", k.origin, k.shard.Group, k.shard.Partition)
	case kindShard:
		return fmt.Sprintf("record of shard %d/%d", k.shard.Group, k.shard.Partition)
	case kindMembership:
		return "membership"
	case kindFloor:
		return fmt.Sprintf("floor of the log of %v in shard %d/%d", k.origin, k.shard.Group, k.shard.Partition)
	case kindRow:
		return fmt.Sprintf("row of view %d, key %s in shard %d/%d", k.view, describeEntity(k.entity), k.shard.Group, k.shard.Partition)
	case kindEntry:
		return fmt.Sprintf("log entry %v at %v in shard %d/%d", k.origin, k.at, k.shard.Group, k.shard.Partition)
	case kindRequest:
		return fmt.Sprintf("request %x", k.request)
	}
	return fmt.Sprintf("registry revision %d, part %d", k.revision, k.part)
}

func describeEntity(k feature.Key) string {
	values, err := feature.DecodeKey(k)
	if err != nil || len(values) == 0 {
		return fmt.Sprintf("%x", []byte(k))
	}
	return fmt.Sprint(values)
}
