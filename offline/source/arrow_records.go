package source

import (
	"context"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
)

// Records are a file's Arrow records as they are, for who keeps columns without
// looking at them.
type Records struct {
	reader *Reader
	in     *records
	schema *arrow.Schema
}

// Records returns the records of a Parquet or Arrow file that was not read from
// yet; false for text, which has none. They take the place of Next and end with
// the Reader.
func (r *Reader) Records() (*Records, bool) {
	in, ok := r.format.(*records)
	if !ok {
		return nil, false
	}
	return &Records{r, in, arrow.NewSchema(in.fields, nil)}, true
}

// Schema returns the columns of the records.
func (r *Records) Schema() *arrow.Schema { return r.schema }

// Next returns the next record, or io.EOF after the last. It is valid until the
// next call; to keep it longer, retain it.
func (r *Records) Next(ctx context.Context) (rec arrow.Record, err error) {
	if r.reader.failed != nil {
		return nil, r.reader.failed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			rec, err = nil, damaged(r.reader.path, p)
		}
		if err != nil {
			r.reader.failed = err
		}
	}()
	rec, err = r.in.in.read()
	if err != nil && err != io.EOF {
		err = fmt.Errorf("read %s: %w", r.reader.path, err)
	}
	return rec, err
}
