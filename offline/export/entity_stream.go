package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// EntityStream reads entity rows from an Arrow IPC stream that somebody sent: an
// array.RecordReader. Nothing of it is believed: what a record says of its own buffers is
// checked before it is handed out, and what it takes is bounded. It is for one
// goroutine.
type EntityStream struct {
	ctx    context.Context
	in     *ipc.Reader
	mem    *frugal
	limits StreamLimits
	rec    arrow.Record
	rows   int64
	err    error
}

// StreamLimits bound what an EntityStream takes. Zero fields are no bound.
type StreamLimits struct {
	Bytes       int64 // of the stream
	Rows        int64
	RecordBytes int64 // of one record; decompressed it may have four times as much
}

// ErrStream reports a stream that is not what it should be, or too large.
var ErrStream = errors.New("the entity rows cannot be read")

// NewEntityStream reads the schema. The end of ctx ends the reading. Errors match
// ErrStream, but for those of in. The caller closes it.
func NewEntityStream(ctx context.Context, in io.Reader, limits StreamLimits) (s *EntityStream, err error) {
	defer streamFault(&err)
	e := &EntityStream{ctx: ctx, limits: limits}
	e.mem = &frugal{Allocator: memory.NewGoAllocator(), most: limits.RecordBytes}
	read := &messages{in: &limitedReader{in: in, left: limits.Bytes, limits: limits}, mem: memory.NewGoAllocator(), most: limits.RecordBytes}
	if e.in, err = ipc.NewReaderFromMessageReader(read, ipc.WithAllocator(e.mem)); err != nil {
		return nil, fmt.Errorf("%w: it is no Arrow IPC stream: %w", ErrStream, err)
	}
	for _, f := range e.in.Schema().Fields() {
		if err := checkType(f.Type, maxNesting); err != nil {
			e.Close()
			return nil, fmt.Errorf("%w: column %s: %w", ErrStream, f.Name, err)
		}
	}
	return e, nil
}

// Close ends the reading.
func (e *EntityStream) Close() { e.in.Release() }

// Retain and Release do nothing: Close ends the reading.
func (e *EntityStream) Retain() {}

// Release is as Retain.
func (e *EntityStream) Release() {}

// Schema returns the stream's columns.
func (e *EntityStream) Schema() *arrow.Schema { return e.in.Schema() }

// Record returns the record that Next found; it is valid until the next Next.
func (e *EntityStream) Record() arrow.Record { return e.rec }

// Err returns why Next found no more, nil for the end of the stream.
func (e *EntityStream) Err() error { return e.err }

// Next reads the next record.
func (e *EntityStream) Next() bool {
	if e.err == nil {
		e.err = e.ctx.Err()
	}
	if e.err != nil {
		return false
	}
	e.rec, e.err = e.read()
	if e.err == io.EOF {
		e.rec, e.err = nil, nil
		return false
	}
	return e.err == nil
}

func (e *EntityStream) read() (rec arrow.Record, err error) {
	defer streamFault(&err)
	e.mem.taken = 0
	if !e.in.Next() {
		if err := e.in.Err(); err != nil && err != io.EOF {
			return nil, fmt.Errorf("%w: after row %d: %w", ErrStream, e.rows, err)
		}
		return nil, io.EOF
	}
	rec = e.in.Record()
	if rec.NumRows() < 0 || rec.NumRows() > math.MaxInt32 {
		return nil, fmt.Errorf("%w: after row %d: a record says that it has %d rows", ErrStream, e.rows, rec.NumRows())
	}
	for i, c := range rec.Columns() {
		if int64(c.Len()) != rec.NumRows() {
			return nil, fmt.Errorf("%w: after row %d: column %s has %d values of %d", ErrStream, e.rows, rec.ColumnName(i), c.Len(), rec.NumRows())
		}
		if err := checkData(c.Data()); err != nil {
			return nil, fmt.Errorf("%w: after row %d: column %s is damaged: %w", ErrStream, e.rows, rec.ColumnName(i), err)
		}
	}
	if e.rows += rec.NumRows(); e.limits.Rows > 0 && e.rows > e.limits.Rows {
		return nil, &TooLargeError{What: "rows", Most: e.limits.Rows}
	}
	return rec, nil
}

// TooLargeError says which limit a stream goes beyond. It matches ErrStream.
type TooLargeError struct {
	What string
	Most int64
}

// Error names the limit.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the entity rows have more than %d %s: send fewer at once", e.Most, e.What)
}

// Is reports whether target is ErrStream.
func (e *TooLargeError) Is(target error) bool { return target == ErrStream }

// streamFault turns a panic of the decoder into an error.
func streamFault(err *error) {
	switch p := recover(); p := p.(type) {
	case nil:
	case *TooLargeError:
		*err = p
	default:
		*err = fmt.Errorf("%w: the stream is damaged: %v", ErrStream, p)
	}
	var large *TooLargeError
	if errors.As(*err, &large) {
		*err = large
	}
}

// limitedReader ends a stream that is too long, and the reading of it when it lacks
// something.
type limitedReader struct {
	in     io.Reader
	left   int64
	limits StreamLimits
}

func (r *limitedReader) Read(b []byte) (int, error) {
	if r.limits.Bytes == 0 {
		return r.in.Read(b)
	}
	if r.left <= 0 {
		if n, err := r.in.Read(make([]byte, 1)); n == 0 {
			return 0, err
		}
		return 0, &TooLargeError{What: "bytes", Most: r.limits.Bytes}
	}
	n, err := r.in.Read(b[:min(int64(len(b)), r.left)])
	r.left -= int64(n)
	return n, err
}

// frugal refuses records that are too large: a few bytes of a stream may claim any size.
type frugal struct {
	memory.Allocator
	most, taken int64
}

func (a *frugal) check(size int) {
	a.taken += int64(size)
	if a.most > 0 && a.taken > 4*a.most {
		panic(&TooLargeError{What: "bytes in one record, decompressed", Most: 4 * a.most})
	}
}

// Allocate and Reallocate are those of the allocator beneath, within the bound.
func (a *frugal) Allocate(size int) []byte {
	a.check(size)
	return a.Allocator.Allocate(size)
}

// Reallocate is as Allocate.
func (a *frugal) Reallocate(size int, b []byte) []byte {
	a.check(size - len(b))
	return a.Allocator.Reallocate(size, b)
}

var _ array.RecordReader = (*EntityStream)(nil)
