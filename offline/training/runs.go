package training

import (
	"bufio"
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/offline/history"
)

// fanIn is how many files are read at once. Of each, some thousand rows and a page
// of every column are in memory: a history has a file a day at least, for years.
const fanIn = 32

// inOrder yields the rows of files in one order, reading at most width at once. More
// are merged into runs in the directory first, until there are few enough (the merge
// sort of tapes).
func inOrder(ctx context.Context, in *history.Reader, files []history.DataFile, dir string, width int) iter.Seq2[history.Row, error] {
	if len(files) <= width {
		return in.Merged(ctx, files)
	}
	return func(yield func(history.Row, error) bool) {
		var runs []string
		for some := range slices.Chunk(files, width) {
			run, err := writeRun(dir, in.Merged(ctx, some))
			if err != nil {
				yield(history.Row{}, err)
				return
			}
			runs = append(runs, run)
		}
		for len(runs) > width {
			var fewer []string
			for some := range slices.Chunk(runs, width) {
				run, err := writeRun(dir, mergedRuns(ctx, some))
				if err != nil {
					yield(history.Row{}, err)
					return
				}
				fewer = append(fewer, run)
			}
			runs = fewer
		}
		for row, err := range mergedRuns(ctx, runs) {
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// writeRun writes rows to a new file of the directory, in their order.
func writeRun(dir string, rows iter.Seq2[history.Row, error]) (path string, err error) {
	f, err := os.CreateTemp(dir, "run-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<18)
	var b []byte
	for row, err := range rows {
		if err != nil {
			return "", err
		}
		b = appendRow(b[:0], &row)
		if _, err := w.Write(binary.AppendUvarint(w.AvailableBuffer(), uint64(len(b)))); err != nil {
			return "", err
		}
		if _, err := w.Write(b); err != nil {
			return "", err
		}
	}
	return f.Name(), w.Flush()
}

// mergedRuns yields the rows of runs in one order, and removes the runs.
func mergedRuns(ctx context.Context, paths []string) iter.Seq2[history.Row, error] {
	return func(yield func(history.Row, error) bool) {
		var h runHeap
		defer func() {
			for _, r := range h {
				r.close()
			}
		}()
		for _, path := range paths {
			r, err := openRun(path)
			if err == nil {
				h = append(h, r)
				_, err = r.advance()
			}
			if err != nil {
				yield(history.Row{}, err)
				return
			}
		}
		h = slices.DeleteFunc(h, func(r *run) bool {
			if r.ended {
				r.close()
			}
			return r.ended
		})
		heap.Init(&h)
		for len(h) > 0 {
			if err := ctx.Err(); err != nil {
				yield(history.Row{}, err)
				return
			}
			if !yield(h[0].row, nil) {
				return
			}
			more, err := h[0].advance()
			switch {
			case err != nil:
				yield(history.Row{}, err)
				return
			case more:
				heap.Fix(&h, 0)
			default:
				heap.Pop(&h).(*run).close()
			}
		}
	}
}

// run is a file of rows that is read, and the row that comes next.
type run struct {
	file  *os.File
	in    *bufio.Reader
	row   history.Row
	ended bool
}

func openRun(path string) (*run, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &run{file: f, in: bufio.NewReaderSize(f, 1<<16)}, nil
}

func (r *run) close() {
	_ = r.file.Close() // it was only read
	_ = os.Remove(r.file.Name())
}

// advance reads the next row into memory of its own.
func (r *run) advance() (more bool, err error) {
	n, err := binary.ReadUvarint(r.in)
	if err == io.EOF {
		r.ended = true
		return false, nil
	}
	var b []byte
	if err == nil {
		b = make([]byte, n)
		_, err = io.ReadFull(r.in, b)
	}
	if err == nil {
		r.row, err = decodeRow(b)
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", filepath.Base(r.file.Name()), err)
	}
	return true, nil
}

// runHeap has the run with the least row first.
type runHeap []*run

// The methods of heap.Interface.
func (h runHeap) Len() int           { return len(h) }
func (h runHeap) Less(i, j int) bool { return history.CompareRows(&h[i].row, &h[j].row) < 0 }
func (h runHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *runHeap) Push(x any)        { *h = append(*h, x.(*run)) }
func (h *runHeap) Pop() any {
	last := len(*h) - 1
	r := (*h)[last]
	*h = (*h)[:last]
	return r
}

// A row of a run; integers are big endian:
//
//	i64 event time | u16 generation | u64 at | u32 origin | u64 log at | u32 log origin
//	| u8 log only | u32 length | key | delta, as package feature encodes it
const rowHead = 8 + 2 + 8 + 4 + 8 + 4 + 1 + 4

func appendRow(b []byte, r *history.Row) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(r.Version.EventTime))
	b = binary.BigEndian.AppendUint16(b, r.Version.Generation)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Version.At))
	b = binary.BigEndian.AppendUint32(b, uint32(r.Version.Origin))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Log.At))
	b = binary.BigEndian.AppendUint32(b, uint32(r.Log.Origin))
	logOnly := byte(0)
	if r.LogOnly {
		logOnly = 1
	}
	b = binary.BigEndian.AppendUint32(append(b, logOnly), uint32(len(r.Key)))
	return feature.AppendRow(append(b, r.Key...), r.Delta)
}

// decodeRow is the inverse; the row has b from then on.
func decodeRow(b []byte) (r history.Row, err error) {
	if len(b) < rowHead {
		return r, io.ErrUnexpectedEOF
	}
	r.Version = feature.Version{
		EventTime: int64(binary.BigEndian.Uint64(b)), Generation: binary.BigEndian.Uint16(b[8:]),
		At: hlc.Timestamp(binary.BigEndian.Uint64(b[10:])), Origin: hlc.Origin(binary.BigEndian.Uint32(b[18:])),
	}
	r.Log = hlc.Position{At: hlc.Timestamp(binary.BigEndian.Uint64(b[22:])), Origin: hlc.Origin(binary.BigEndian.Uint32(b[30:]))}
	r.LogOnly = b[34] == 1
	n := int(binary.BigEndian.Uint32(b[35:]))
	if n > len(b)-rowHead {
		return r, io.ErrUnexpectedEOF
	}
	r.Key = feature.Key(b[rowHead : rowHead+n])
	r.Delta, err = feature.DecodeRow(b[rowHead+n:])
	return r, err
}
