package export

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

// Output is an export on its way to a file, in the format of the file's ending:
// .parquet, .arrow (Arrow IPC, the file form) or .csv. The file appears under its
// name when it is complete, and not before.
type Output struct {
	path   string
	to     sink // nil once it ended
	buffer *bufio.Writer
	summed *summed
	rows   int64
	write  func(arrow.Record) error
	finish func() error
}

// Create begins a file, of this machine or, under a URL, in a bucket. Rows with
// schema will be written to it. The caller commits or abandons it; where it is in a
// bucket, the end of ctx ends it.
func Create(ctx context.Context, path string, schema *arrow.Schema) (_ *Output, err error) {
	begin, ok := formats[filepath.Ext(bareName(path))]
	if !ok {
		return nil, fmt.Errorf("%w: %s; let it end in .parquet, .arrow or .csv", ErrFormat, path)
	}
	o := &Output{path: path}
	if o.to, err = beginFile(ctx, path); err != nil {
		return nil, err
	}
	o.summed = newSummed(o.to)
	o.buffer = bufio.NewWriterSize(o.summed, 1<<20)
	defer caught(&err)
	if o.write, o.finish, err = begin(o.buffer, schema); err != nil {
		o.Abandon()
		return nil, err
	}
	return o, nil
}

// formats begin a file, and return how a record is written and how the file ends.
var formats = map[string]func(io.Writer, *arrow.Schema) (func(arrow.Record) error, func() error, error){
	".parquet": func(w io.Writer, s *arrow.Schema) (func(arrow.Record) error, func() error, error) {
		f, err := pqarrow.NewFileWriter(s, w, parquet.NewWriterProperties(
			parquet.WithCompression(compress.Codecs.Zstd), parquet.WithDictionaryDefault(false), parquet.WithMaxRowGroupLength(128<<10),
		), pqarrow.DefaultWriterProps())
		if err != nil {
			return nil, nil, err
		}
		return f.WriteBuffered, f.Close, nil
	},
	".arrow": func(w io.Writer, s *arrow.Schema) (func(arrow.Record) error, func() error, error) {
		f, err := ipc.NewFileWriter(onlyWriter{w, new(int64)}, ipc.WithSchema(s))
		if err != nil {
			return nil, nil, err
		}
		return f.Write, f.Close, nil
	},
	".csv": func(w io.Writer, s *arrow.Schema) (func(arrow.Record) error, func() error, error) {
		f, err := newCSVFile(w, s)
		if err != nil {
			return nil, nil, err
		}
		return f.write, f.finish, nil
	},
}

// onlyWriter is what the Arrow file's writer wants of a stream: where it is.
type onlyWriter struct {
	io.Writer
	at *int64
}

func (w onlyWriter) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	*w.at += int64(n)
	return n, err
}

// Seek answers where the stream is, and goes nowhere.
func (w onlyWriter) Seek(offset int64, whence int) (int64, error) {
	if offset == 0 && whence == io.SeekCurrent {
		return *w.at, nil
	}
	return 0, errors.New("a stream goes forward alone")
}

// Write adds the rows of a record.
func (o *Output) Write(rec arrow.Record) error {
	o.rows += rec.NumRows()
	err := func() (err error) {
		defer caught(&err)
		return o.write(rec)
	}()
	if err != nil {
		return fmt.Errorf("write %s: %w", o.path, err)
	}
	return nil
}

// Written is what a file has.
type Written struct {
	Rows, Bytes int64
	SHA256      string // of its contents, in hex
}

// Commit completes the file, on disk, and gives it its name.
func (o *Output) Commit() (w Written, err error) {
	err = func() (err error) {
		defer caught(&err)
		return o.finish()
	}()
	if err != nil {
		o.Abandon()
		return Written{}, fmt.Errorf("write %s: %w", o.path, err)
	}
	if err = o.buffer.Flush(); err == nil {
		err = o.to.Commit()
	}
	if err != nil {
		o.Abandon()
		return Written{}, fmt.Errorf("write %s: %w", o.path, err)
	}
	o.to = nil
	return Written{o.rows, o.summed.bytes, o.summed.sum()}, nil
}

// Abandon removes what there is of a file that was not committed.
func (o *Output) Abandon() {
	if o.to != nil {
		o.to.Abandon()
		o.summed.sum()
		o.to = nil
	}
}

// caught turns a panic of the library into an error: it panics where others
// return one.
func caught(err *error) {
	switch p := recover().(type) {
	case nil:
	case error:
		*err = p
	default:
		*err = fmt.Errorf("%v", p)
	}
}
