package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"featurestore/feature"
)

// Options say what to read and how much of it at a time. The zero value reads
// every column with the type that the file gives it.
type Options struct {
	// Columns to read; nil: all of the file's. A column that the file lacks is
	// absent in every row.
	Columns []Want
	// BatchRows bounds the rows of a batch; default 1000.
	BatchRows int
	// BatchBytes bounds the text or the values of a batch, except that a single
	// row may exceed it; default 2 MiB.
	BatchBytes int
	// MaxRowBytes bounds a row of a text file; default 1 MiB.
	MaxRowBytes int
	// MaxGroupBytes bounds the stored size of the wanted columns in one row
	// group of a Parquet file, which is read at once; default 256 MiB.
	MaxGroupBytes int64
	// TimeLayouts are layouts, in the words of package time, to try on text that
	// should be a timestamp, after RFC 3339 and its form with a space. A layout
	// without a zone means UTC.
	TimeLayouts []string
}

// Want names a column and the type its values shall have. The zero Type takes
// what the file gives: strings from CSV.
type Want struct {
	Name string
	Type feature.Type
}

const (
	defaultBatchRows     = 1000
	defaultBatchBytes    = 2 << 20
	defaultMaxRowBytes   = 1 << 20
	defaultMaxGroupBytes = 256 << 20
)

// Validate reports every fault of o, joined; nil when there is none.
func (o Options) Validate() error {
	var errs []error
	for name, n := range map[string]int64{
		"BatchRows": int64(o.BatchRows), "BatchBytes": int64(o.BatchBytes),
		"MaxRowBytes": int64(o.MaxRowBytes), "MaxGroupBytes": o.MaxGroupBytes,
	} {
		if n < 0 {
			errs = append(errs, fmt.Errorf("%s is %d: it must be positive, or zero for the default", name, n))
		}
	}
	seen := map[string]bool{}
	for _, w := range o.Columns {
		if seen[w.Name] {
			errs = append(errs, fmt.Errorf("Columns names %q twice", w.Name))
		}
		seen[w.Name] = true
	}
	for _, layout := range o.TimeLayouts {
		sample := time.Date(2001, 2, 3, 0, 0, 0, 0, time.UTC)
		if t, err := time.Parse(layout, sample.Format(layout)); err != nil || !t.Equal(sample) {
			errs = append(errs, fmt.Errorf("TimeLayouts: %q does not tell year, month and day; write it like 1/2/2006 15:04", layout))
		}
	}
	return errors.Join(errs...)
}

func (o Options) withDefaults() Options {
	if o.BatchRows == 0 {
		o.BatchRows = defaultBatchRows
	}
	if o.BatchBytes == 0 {
		o.BatchBytes = defaultBatchBytes
	}
	if o.MaxRowBytes == 0 {
		o.MaxRowBytes = defaultMaxRowBytes
	}
	if o.MaxGroupBytes == 0 {
		o.MaxGroupBytes = defaultMaxGroupBytes
	}
	return o
}

// A format reads one kind of file.
type format interface {
	// columns are the names in the file; nil when it has no list of them.
	columns() []string
	// next returns the next batch, or io.EOF.
	next() (*Batch, error)
	// done is how much of the file, in bytes, has been handed out.
	done() int64
	close() error
}

// Reader streams the batches of one file. It is for one goroutine.
type Reader struct {
	path   string
	size   int64
	format format
	failed error
}

// Open opens a file for reading. Its format follows from the ending of path.
// It returns ErrUnknownFormat for other endings, and an error naming the file
// when the header, the magic number or the footer is wrong. The caller closes
// the Reader.
func Open(ctx context.Context, path string, o Options) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return OpenFile(ctx, f, path, o)
}

// OpenFile is Open of a file that is open already, at its beginning. Its format
// follows from the ending of path, which errors name. It takes f over: f is closed
// with the Reader, and when OpenFile fails.
func OpenFile(ctx context.Context, f *os.File, path string, o Options) (_ *Reader, err error) {
	r := &Reader{path: path}
	defer func() {
		if p := recover(); p != nil {
			err = damaged(path, p)
		}
		if err != nil {
			f.Close()
		}
	}()
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("read %s: it is a folder; name a file", path)
	}
	r.size = info.Size()
	if r.format, err = openFormat(ctx, f, path, info.Size(), o.withDefaults()); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return r, nil
}

func openFormat(ctx context.Context, f *os.File, path string, size int64, o Options) (format, error) {
	name, packed := strings.CutSuffix(strings.ToLower(path), ".gz")
	switch ext := filepath.Ext(name); ext {
	case ".csv":
		return openCSV(f, path, packed, o)
	case ".jsonl", ".ndjson":
		return openJSONLines(f, path, packed, o)
	case ".parquet", ".arrow", ".ipc", ".feather":
		if packed {
			return nil, fmt.Errorf("%w: unpack %s files first: they are not read from front to back", ErrUnknownFormat, ext)
		}
		if ext == ".parquet" {
			return openParquet(ctx, f, path, size, o)
		}
		return openIPC(f, path, o)
	default:
		return nil, fmt.Errorf("%w %q: use .csv, .jsonl, .ndjson (each also with .gz), .parquet, .arrow, .ipc or .feather", ErrUnknownFormat, filepath.Ext(path))
	}
}

// Columns returns the names of the file's columns in their order, whether
// wanted or not; nil for JSON lines, which have no list of them.
func (r *Reader) Columns() []string { return r.format.columns() }

// Groups returns how many rows each row group of a Parquet file has; nil for other
// formats.
func (r *Reader) Groups() []int64 {
	if in, ok := r.format.(*records); ok {
		if p, ok := in.in.(*parquetFile); ok {
			return p.groups()
		}
	}
	return nil
}

// Progress returns how many bytes of the file have been handed out, about, and
// how many it has.
func (r *Reader) Progress() (done, size int64) { return min(r.format.done(), r.size), r.size }

// Next returns the next batch, or io.EOF after the last. After any other error
// the Reader stays failed: the rows after it cannot be told. A batch with
// Faults and no rows is possible. It returns the error of ctx once that ends.
func (r *Reader) Next(ctx context.Context) (b *Batch, err error) {
	if r.failed != nil {
		return nil, r.failed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			b, err = nil, damaged(r.path, p)
		}
		if err != nil {
			r.failed = err
		}
	}()
	b, err = r.format.next()
	var row *RowError
	if err != nil && err != io.EOF && !errors.As(err, &row) {
		err = fmt.Errorf("read %s: %w", r.path, err)
	}
	return b, err
}

// damaged turns a panic of a decoder on our goroutine into an error. What it
// panicked with is for whoever examines the file.
func damaged(path string, p any) error {
	var at string
	for line := range strings.Lines(string(debug.Stack())) {
		if strings.Contains(line, "/arrow/go/") && strings.HasPrefix(line, "\t") {
			at = " at " + filepath.Base(strings.Fields(line)[0])
			break
		}
	}
	return fmt.Errorf("read %s: the file is damaged: %v%s", path, p, at)
}

// Close closes the file. Batches stay valid.
func (r *Reader) Close() error { return r.format.close() }
