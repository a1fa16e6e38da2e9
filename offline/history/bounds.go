package history

import (
	"encoding/hex"

	"featurestore/hlc"
)

// Sum is the SHA-256 of a file's contents.
type Sum [32]byte

// String prints the sum in hex.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// Bounds are what rows lie between, both ends included. The zero value is of no
// rows.
type Bounds struct {
	Rows int64
	// MinEvent and MaxEvent are event times in nanoseconds since the Unix epoch.
	MinEvent, MaxEvent int64
	// MinAt and MaxAt are timestamps of the log entries that brought the rows.
	MinAt, MaxAt hlc.Timestamp
}

func (b *Bounds) include(r *Row) {
	event := r.Version.EventTime
	if b.Rows == 0 {
		*b = Bounds{MinEvent: event, MaxEvent: event, MinAt: r.Log.At, MaxAt: r.Log.At}
	}
	b.Rows++
	b.MinEvent, b.MaxEvent = min(b.MinEvent, event), max(b.MaxEvent, event)
	b.MinAt, b.MaxAt = min(b.MinAt, r.Log.At), max(b.MaxAt, r.Log.At)
}
