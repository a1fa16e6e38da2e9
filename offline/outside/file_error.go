package outside

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// FileError says that a file cannot be read on: what is in it is damaged, or ended the
// process that read it.
type FileError struct {
	Name string
	// Died says that the process died of it, or was killed.
	Died bool
	// Columnar says that After counts rows, not lines.
	Columnar bool
	// After is the place of the last row that was handed out.
	After int64
	// Group is the row group that was being read, from 0; -1 where that is not known.
	Group int
	// Column is a column that cannot be read even by itself, "" where that is not known.
	Column string
	Err    error
}

// Error names the file, and where in it reading ended.
func (e *FileError) Error() string {
	where := "row"
	if !e.Columnar {
		where = "line"
	}
	var at strings.Builder
	fmt.Fprintf(&at, "after %s %d", where, e.After)
	if e.Group >= 0 {
		fmt.Fprintf(&at, ", in row group %d", e.Group)
	}
	if e.Column != "" {
		at.WriteString(", column " + e.Column)
	}
	if e.Died {
		return fmt.Sprintf("read %s: the file is damaged, or too large for the memory that reading may take: the process that read it died %s: %v", e.Name, at.String(), e.Err)
	}
	return fmt.Sprintf("%v (%s)", e.Err, at.String())
}

// Unwrap returns Err.
func (e *FileError) Unwrap() error { return e.Err }

// maxProbes bounds the columns that are tried one by one.
const maxProbes = 64

// explain finds a column that cannot be read, by having children read one at a time,
// and adds it to the error.
func explain(ctx context.Context, cfg Config, file *os.File, request Request, err error) error {
	var fault *FileError
	if !errors.As(err, &fault) || !fault.Columnar {
		return err
	}
	names := []string{request.EventTime}
	for _, c := range request.Columns {
		names = append(names, c.Column)
	}
	for _, name := range names[:min(len(names), maxProbes)] {
		rows, openErr := Open(ctx, cfg, file, Request{Name: request.Name, EventTime: request.EventTime, Probe: name})
		if openErr != nil {
			return err
		}
		var probeErr error
		for probeErr == nil {
			_, probeErr = rows.Next(ctx)
		}
		rows.Close()
		if ctx.Err() != nil {
			return err
		}
		if probeErr != io.EOF && !isLacking(probeErr) {
			told := *fault
			told.Column = name
			return &told
		}
	}
	return err
}

// isLacking reports whether a file has no such column at all, which is no damage.
func isLacking(err error) bool { return strings.Contains(err.Error(), "none of the wanted columns") }
