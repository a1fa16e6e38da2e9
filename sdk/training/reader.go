package training

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"

	"featurestore/api"
	"featurestore/sdk"
)

// Reader hands out the records of an export: an array.RecordReader. It is for one
// goroutine.
type Reader struct {
	stream *sdk.ExportStream
	in     *ipc.Reader
	rows   int64
	ended  bool
	err    error
}

// Export begins an export and reads its schema. Entity rows are those of a training set;
// nil for none, or when the request brings them. The end of ctx ends all of it. The
// caller closes the Reader.
func Export(ctx context.Context, c *sdk.Client, r sdk.ExportRequest, entityRows sdk.EntityStream) (*Reader, error) {
	stream, err := c.Export(ctx, r, entityRows)
	if err != nil {
		return nil, err
	}
	in, err := ipc.NewReader(stream)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", sdk.ErrIncomplete, err), stream.Close())
	}
	return &Reader{stream: stream, in: in}, nil
}

// Close ends the export, at the store as well. Records that were retained stay good.
func (r *Reader) Close() error {
	r.in.Release()
	return r.stream.Close()
}

// Retain and Release do nothing: Close ends the reading.
func (r *Reader) Retain() {}

// Release is as Retain.
func (r *Reader) Release() {}

// Schema returns the columns of the export.
func (r *Reader) Schema() *arrow.Schema { return r.in.Schema() }

// Record returns the record that Next found. It is valid until the next Next; to keep it
// longer, retain it.
func (r *Reader) Record() arrow.Record { return r.in.Record() }

// Next reads the next record. It returns false at the end, and when something went wrong:
// ask Err.
func (r *Reader) Next() bool {
	if r.ended {
		return false
	}
	if r.in.Next() {
		r.rows += r.in.Record().NumRows()
		return true
	}
	r.ended, r.err = true, r.in.Err()
	if r.err == nil || errors.Is(r.err, io.EOF) {
		r.err = r.finish()
	}
	if r.err != nil && !errors.Is(r.err, sdk.ErrIncomplete) {
		r.err = fmt.Errorf("%w: %w", sdk.ErrIncomplete, r.err)
	}
	return false
}

// Err returns why Next found no more: nil when all of the export was handed out (ST1).
// Before the end it is nil.
func (r *Reader) Err() error { return r.err }

// finish reads what stands behind the last record, and compares (ST1).
func (r *Reader) finish() error {
	if n, err := io.Copy(io.Discard, r.stream); err != nil {
		return err
	} else if n > 0 {
		return fmt.Errorf("%d bytes stand behind the end of the Arrow stream", n)
	}
	end, ok := r.stream.End()
	switch {
	case !ok:
		return errors.New("its end is missing")
	case end.Rows != r.rows:
		return fmt.Errorf("%d rows came of %d", r.rows, end.Rows)
	}
	return nil
}

// Manifest says what the export is made of. Before the end, counts and the sum are
// missing.
func (r *Reader) Manifest() (*api.ExportManifest, error) {
	text, ok := r.Schema().Metadata().GetValue(api.MetadataExport)
	if !ok {
		return nil, fmt.Errorf("%w: its schema has no %s", sdk.ErrBadAnswer, api.MetadataExport)
	}
	m := new(api.ExportManifest)
	if err := json.Unmarshal([]byte(text), m); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", sdk.ErrBadAnswer, api.MetadataExport, err)
	}
	if end, ok := r.stream.End(); ok {
		m.Rows, m.SHA256, m.Matched = end.Rows, end.SHA256, end.Matched
	}
	return m, nil
}

var _ array.RecordReader = (*Reader)(nil)
