package source

import (
	"errors"
	"fmt"

	"featurestore/feature"
)

// Batch holds consecutive rows of a file by column. It belongs to the caller.
type Batch struct {
	// Columns are in the order of Options.Columns, or of the file when that is
	// empty. JSON lines without Options.Columns give the keys that the batch's
	// rows have, ordered by name.
	Columns []Column
	// At holds, for each row, the line it begins on in a text file, and its
	// number in a Parquet or Arrow file. Both count from 1.
	At []int64
	// Faults are the rows that could not be read, in the order of the file; they
	// are not among Columns.
	Faults []*RowError
}

// Rows returns the number of rows in the batch's columns.
func (b *Batch) Rows() int { return len(b.At) }

// Column is one named column of a batch.
type Column struct {
	Name string
	// Values has one element a row; the zero Value is null.
	Values []feature.Value
	// Absent marks the rows that say nothing about the column, which is not the
	// same as null; their Values are null. It is nil when there is none.
	Absent []bool
}

// ErrRowTooLong reports a row longer than Options.MaxRowBytes. Reading ends
// there: where the next row begins is not known.
var ErrRowTooLong = errors.New("row too long")

// ErrUnknownFormat reports a file whose name does not end as one of those in
// the package's documentation.
var ErrUnknownFormat = errors.New("unknown file format")

// RowError says what is wrong with one row of a file.
type RowError struct {
	Path string
	// At is the line (text) or the row (Columnar) at fault, from 1.
	At int64
	// Columnar says that At counts rows.
	Columnar bool
	// Column at fault, "" for the whole row.
	Column string
	Err    error
}

// Error names file, line or row, and column: "a.csv:3: column trips: …".
func (e *RowError) Error() string {
	where := fmt.Sprintf("%s:%d", e.Path, e.At)
	if e.Columnar {
		where = fmt.Sprintf("%s: row %d", e.Path, e.At)
	}
	if e.Column != "" {
		where += ": column " + e.Column
	}
	return where + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *RowError) Unwrap() error { return e.Err }
