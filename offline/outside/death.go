package outside

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// DeathError says that the process that reads a file died of it.
type DeathError struct {
	Name string
	// After is the place of the last row that it handed out.
	After int64
	// Group is the row group that it was at, -1 where that is not known.
	Group int
	// Column is the column that it dies of by itself, "" where that is not known.
	Column string
	Err    error
}

// Error names the file, and where in it the reader died.
func (e *DeathError) Error() string {
	var where strings.Builder
	fmt.Fprintf(&where, "after row %d", e.After)
	if e.Group >= 0 {
		fmt.Fprintf(&where, ", in row group %d", e.Group)
	}
	if e.Column != "" {
		where.WriteString(", column " + e.Column)
	}
	return fmt.Sprintf("read %s: the file is damaged, or too large for the memory that reading may take: the process that read it died %s: %v", e.Name, where.String(), e.Err)
}

// Unwrap returns Err.
func (e *DeathError) Unwrap() error { return e.Err }

// maxProbes bounds the columns that are tried one by one.
const maxProbes = 64

// explain finds the column that ends the process that reads it, by having children
// read one at a time, and adds it to the error of a file that one died of.
func explain(ctx context.Context, cfg Config, file *os.File, request Request, err error) error {
	var death *DeathError
	if !errors.As(err, &death) || !IsColumnar(request.Name) {
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
		_, probeErr := rows.Next(ctx)
		rows.Close()
		if ctx.Err() != nil {
			return err
		}
		if probeErr != io.EOF && errors.As(probeErr, new(*DeathError)) {
			told := *death
			told.Column = name
			return &told
		}
	}
	return err
}
