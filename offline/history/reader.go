package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
)

// Reader reads what one manifest says, whatever is committed meanwhile. Its methods
// are safe for concurrent use.
type Reader struct {
	state  *state
	opener *opener
	close  func()
	read   atomic.Int64
}

// Reader returns a reader of what is committed. Its files stay until Close.
func (h *History) Reader() *Reader {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.mu.state
	return &Reader{state: s, opener: h.opener, close: h.pinLocked(s.number)}
}

// pinLocked keeps the files of a manifest until what it returns is called.
func (h *History) pinLocked(number uint64) (unpin func()) {
	h.mu.pins[number]++
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.mu.pins[number]--; h.mu.pins[number] == 0 {
			delete(h.mu.pins, number)
		}
	})
}

// NewReader returns a reader of a history that another process writes. Files that
// are taken away stay for Config.Keep; reading one that has gone is ErrNotExist, and
// the way out is a new reader.
func NewReader(ctx context.Context, files Files) (*Reader, error) {
	s, err := load(ctx, files)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	return &Reader{state: s, opener: newOpener(files), close: func() {}}, nil
}

// RowsRead is how many rows of the files were handed out so far, by Rows, Merged and
// Records together: what part of an export is done.
func (r *Reader) RowsRead() int64 { return r.read.Load() }

// Close lets go of the files.
func (r *Reader) Close() { r.close() }

// Number is that of the manifest; zero: there is no history yet.
func (r *Reader) Number() uint64 { return r.state.number }

// Sum is that of the manifest, which no other manifest has, of whatever history.
func (r *Reader) Sum() Sum { return r.state.sum }

// CommittedAt is when the manifest was made, by the clock of its store; the zero Time
// where there is none.
func (r *Reader) CommittedAt() time.Time {
	if r.state.number == 0 {
		return time.Time{}
	}
	return time.UnixMilli(r.state.atMillis).UTC()
}

// Progress returns, for each shard, up to where its logs are in what is read.
func (r *Reader) Progress() map[feature.Shard]hlc.Vector {
	out := map[feature.Shard]hlc.Vector{}
	for shard, v := range r.state.progress {
		out[shard] = v.Clone()
	}
	return out
}

// Gaps returns the stretches of logs that are missing.
func (r *Reader) Gaps() []Gap { return slices.Clone(r.state.gaps) }

// Views returns the views that have rows, by rising number.
func (r *Reader) Views() []feature.ViewID {
	views := map[feature.ViewID]bool{}
	for _, f := range r.state.data {
		views[f.View] = true
	}
	return slices.Sorted(maps.Keys(views))
}

// Range is a range of event times in nanoseconds since the Unix epoch, both ends
// included.
type Range struct{ From, To int64 }

// AllTime is every event time.
var AllTime = Range{math.MinInt64, math.MaxInt64}

// Files returns the files that may have rows of a view with event times in a
// range, by day and name. Each row of history is in one of all files.
func (r *Reader) Files(view feature.ViewID, in Range) []DataFile {
	return slices.DeleteFunc(r.state.files(), func(f DataFile) bool {
		return f.View != view || f.MaxEvent < in.From || f.MinEvent > in.To
	})
}

// Open opens a file once its contents were found to be those of its sum
// (ErrCorrupt); a Parquet reader may trust it. The caller closes it.
func (r *Reader) Open(ctx context.Context, f DataFile) (File, error) {
	return r.opener.open(ctx, f.Name, f.SizeBytes, f.Sum)
}

// Rows yields the rows of a file in order of key, event time and version. It ends
// after an error. Rows own their memory.
func (r *Reader) Rows(ctx context.Context, f DataFile) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for row, err := range fileRows(ctx, r.opener, f) {
			r.read.Add(1)
			if !yield(row, err) {
				return
			}
		}
	}
}

func fileRows(ctx context.Context, o *opener, f DataFile) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		rows, err := openRows(ctx, o, f)
		if err != nil {
			yield(Row{}, err)
			return
		}
		defer rows.close()
		for {
			row, err := rows.next(ctx)
			if err == io.EOF || !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// openFile is a reader of rows with the file that it reads.
type openFile struct {
	*fileReader
	contents File
}

func openRows(ctx context.Context, o *opener, f DataFile) (*openFile, error) {
	contents, err := o.open(ctx, f.Name, f.SizeBytes, f.Sum)
	if err != nil {
		return nil, err
	}
	rows, err := newFileReader(f.Name, contents)
	if err != nil {
		return nil, errors.Join(err, contents.Close())
	}
	return &openFile{rows, contents}, nil
}

func (f *openFile) close() {
	f.fileReader.close()
	_ = f.contents.Close() // it was only read
}

// Steps reads when positions became readable in this history's region.
func (r *Reader) Steps(ctx context.Context) (*Steps, error) {
	var all []Step
	for _, name := range slices.Sorted(maps.Keys(r.state.steps)) {
		some, err := readSteps(ctx, r.opener, r.state.steps[name])
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return newSteps(all), nil
}

func readSteps(ctx context.Context, o *opener, f StepFile) (steps []Step, err error) {
	contents, err := o.open(ctx, f.Name, f.SizeBytes, f.Sum)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, contents.Close()) }()
	data, err := io.ReadAll(contents)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name, err)
	}
	if steps, err = decodeSteps(data); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	return steps, nil
}
