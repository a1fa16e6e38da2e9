package oplog

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
)

// Kind says what an entry is for. The numbers are stored: never renumber.
type Kind uint8

// The kinds of entries.
const (
	// Delta brings what one write changed.
	Delta Kind = 1
	// Noop brings no rows: it moves its origin's position forward.
	Noop Kind = 2
	// Relog brings rows that another origin wrote first, under the versions they
	// had there, when that origin's log cannot be followed any more.
	Relog Kind = 3

	kindEnd Kind = 4
)

var kindNames = [kindEnd]string{Delta: "delta", Noop: "noop", Relog: "relog"}

// String returns the kind in lower case, such as "delta".
func (k Kind) String() string {
	if k < kindEnd && k > 0 {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Entry is one entry of the log of one (shard, origin).
type Entry struct {
	Kind Kind
	// LogOnly keeps the rows of a Delta for history: they are not joined into
	// the online rows.
	LogOnly bool
	// At and Origin are the entry's position; neither is zero.
	At     hlc.Timestamp
	Origin hlc.Origin
	// Prev is the timestamp of the origin's entry before this one in the shard,
	// zero for the first. Invariant: Prev < At.
	Prev hlc.Timestamp
	// Deps are positions of the shard to be applied before this entry, by rising
	// origin, one an origin, all before At. One of the entry's own origin says
	// no more than Prev does.
	Deps []hlc.Position
	// Request names the request that a Delta was written for, nil when it had no
	// name. It stands in the last entry of the request in its shard.
	Request *Request
	// Rows are ordered by view, then key; none for a Noop, some for the others.
	// SortRows brings them in order.
	Rows []Row
}

// Request names a client's request, so that whoever has its entries knows it
// when it is repeated.
type Request struct {
	ID, Digest [16]byte
	// Shards is in how many shards the request writes, 1 to MaxRequestShards.
	Shards int
}

// MaxRequestShards bounds the shards of one request.
const MaxRequestShards = 1 << 16

// Row is what an entry brings to the row of one view and entity key.
type Row struct {
	View feature.ViewID
	Key  feature.Key
	// Delta is joined into the row (feature.JoinRow), unless LogOnly.
	Delta feature.Row
}

// Position names the entry.
func (e Entry) Position() hlc.Position { return hlc.Position{Origin: e.Origin, At: e.At} }

// SortRows orders rows as an Entry holds them: by view, then key.
func SortRows(rows []Row) { slices.SortFunc(rows, compareRows) }

func compareRows(a, b Row) int {
	return cmp.Or(cmp.Compare(a.View, b.View), bytes.Compare(a.Key, b.Key))
}

// ErrInvalid reports an entry that breaks an invariant of this package. Nothing
// was encoded; the fault is the caller's.
var ErrInvalid = errors.New("invalid log entry")

// Validate returns nil for an entry that Append may encode, and otherwise an
// error that matches ErrInvalid and names the first field at fault.
func (e Entry) Validate() error {
	switch {
	case e.Kind == 0 || e.Kind >= kindEnd:
		return e.invalid("kind is %d, want %d to %d", e.Kind, Delta, kindEnd-1)
	case e.Origin == 0:
		return e.invalid("origin is zero")
	case e.At <= e.Prev:
		return e.invalid("prev %v is not before it", e.Prev)
	case e.LogOnly && e.Kind != Delta:
		return e.invalid("log_only belongs to a delta, not a %v", e.Kind)
	case e.Kind == Noop && len(e.Rows) > 0:
		return e.invalid("a noop has %d rows, want none", len(e.Rows))
	case e.Request != nil && e.Kind != Delta:
		return e.invalid("request belongs to a delta, not a %v", e.Kind)
	case e.Request != nil && (e.Request.Shards < 1 || e.Request.Shards > MaxRequestShards):
		return e.invalid("request.shards is %d, want 1 to %d", e.Request.Shards, MaxRequestShards)
	case e.Kind != Noop && len(e.Rows) == 0:
		return e.invalid("a %v has no rows", e.Kind)
	}
	if err := e.validateDeps(); err != nil {
		return err
	}
	return e.validateRows()
}

func (e Entry) validateDeps() error {
	for i, d := range e.Deps {
		// Before Prev's successor, for the entry's own origin: it would wait for itself.
		before := d.At < e.At && (d.Origin != e.Origin || d.At <= e.Prev)
		switch {
		case d.Origin == 0 || d.At == 0:
			return e.invalid("deps[%d] is %v, want an origin and a time", i, d)
		case !before:
			return e.invalid("deps[%d] is %v, which is not before the entry", i, d)
		case i > 0 && e.Deps[i-1].Origin >= d.Origin:
			return e.invalid("deps[%d] of origin %v follows origin %v, want rising origins", i, d.Origin, e.Deps[i-1].Origin)
		}
	}
	return nil
}

func (e Entry) validateRows() error {
	for i, r := range e.Rows {
		switch {
		case r.View == 0:
			return e.invalid("rows[%d].view is zero", i)
		case len(r.Key) == 0 || len(r.Key) > feature.MaxKeyBytes:
			return e.invalid("rows[%d].key has %d bytes, want 1 to %d", i, len(r.Key), feature.MaxKeyBytes)
		case i > 0 && compareRows(e.Rows[i-1], r) >= 0:
			return e.invalid("rows[%d] of view %d, key %x does not follow rows[%d]: want rows ordered by view and key, each once", i, r.View, []byte(r.Key), i-1)
		case e.Kind == Delta && !e.names(r.Delta):
			return e.invalid("rows[%d] carries versions of other writes, which only a relog may", i)
		}
	}
	return nil
}

// names reports whether everything in r was written under the entry's position.
func (e Entry) names(r feature.Row) bool {
	at := e.Position()
	for _, c := range r.Cells {
		if c.Version.Position() != at {
			return false
		}
	}
	t := r.Tombstone
	return t.IsZero() || t.ByEvent.Position() == at && t.ByWrite.Position() == at
}

func (e Entry) invalid(format string, args ...any) error {
	return fmt.Errorf("%w %v: %s", ErrInvalid, e.Position(), fmt.Sprintf(format, args...))
}
