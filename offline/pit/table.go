package pit

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/feature"
)

// Table is the rows of one feature view, as the join reads them: keys and
// times of all rows first, values of the matched rows later. It is used by
// several goroutines at once.
type Table interface {
	// Keys returns the join-key columns in the order of View.Keys.
	Keys() []arrow.Field
	// Features returns the feature columns that can be asked for.
	Features() []arrow.Field
	// Parts returns what can be read side by side. Parts with one name keep the
	// order in which they are given.
	Parts() []Part
}

// Batch bounds what a reader hands out at once, a single row apart.
type Batch struct {
	Rows  int
	Bytes int64 // about
}

// Part is a stretch of a Table's rows, numbered from 0.
type Part interface {
	// Name says where the rows are, as in the path of a file. It orders rows
	// that are equal in event time and version.
	Name() string
	// Rows returns the number of rows.
	Rows() int64
	// EventTimes returns bounds of the event times, in nanoseconds since the
	// Unix epoch; ok is false where none are known.
	EventTimes() (least, greatest int64, ok bool)
	// Heads reads keys, versions and times of all rows, in their order. It may
	// be called several times. The caller closes the reader.
	Heads(ctx context.Context, most Batch) (HeadReader, error)
	// Values reads columns (indexes of Features) of the given rows, which are
	// ascending and distinct; the reader refers to rows until it is closed.
	Values(ctx context.Context, columns []int, rows []int64, most Batch) (ValueReader, error)
}

// Heads are the keys, versions and times of consecutive rows. A slice that is
// nil says the same of every row.
type Heads struct {
	// Keys has one column for each of Table.Keys, all of one length.
	Keys []arrow.Array
	// Versions hold the event time, and what orders rows of one event time.
	Versions []feature.Version
	// KnownAt is when the row became known, in nanoseconds since the Unix epoch;
	// nil: always known.
	KnownAt []int64
	// Deleted marks tombstones; nil: there is none.
	Deleted []bool
	// Skipped marks rows that do not exist for this join: that were never
	// served, or say nothing of the features that are asked for; nil: none.
	Skipped []bool
}

// HeadReader reads the heads of a part.
type HeadReader interface {
	// Next returns the next rows, or io.EOF. They are valid until the next call.
	Next() (*Heads, error)
	// Close frees what the reader holds.
	Close() error
}

// ValueReader reads the values of chosen rows.
type ValueReader interface {
	// Next returns the values of the next of the chosen rows, or io.EOF. The
	// caller releases the record.
	Next() (arrow.Record, error)
	// Close frees what the reader holds.
	Close() error
}
