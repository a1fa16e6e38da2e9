package pit

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// spillDir makes the files of one join, and removes them.
type spillDir struct {
	parent string
	bytes  atomic.Int64 // written, for the report
	mu     struct {
		sync.Mutex
		path  string // "" until the first file
		files []*spillFile
	}
}

func (d *spillDir) create() (*spillFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.path == "" {
		path, err := os.MkdirTemp(d.parent, "pit-")
		if err != nil {
			return nil, fmt.Errorf("spill: %w", err)
		}
		d.mu.path = path
	}
	f, err := os.CreateTemp(d.mu.path, "*.spill")
	if err != nil {
		return nil, fmt.Errorf("spill: %w", err)
	}
	s := &spillFile{file: f, total: &d.bytes}
	d.mu.files = append(d.mu.files, s)
	return s, nil
}

// remove closes and removes all files, when nobody uses them any more.
func (d *spillDir) remove() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.mu.files {
		f.close()
	}
	if d.mu.path != "" {
		os.RemoveAll(d.mu.path)
	}
}

// spillFile holds segments, which many goroutines append and read.
type spillFile struct {
	file  *os.File
	end   atomic.Int64
	total *atomic.Int64
	shut  bool
}

// segment is a stretch of a spill file.
type segment struct {
	at   int64
	size int64
}

// close gives the disk back. It may be called again.
func (f *spillFile) close() {
	if !f.shut {
		f.shut = true
		f.file.Close()
		os.Remove(f.file.Name())
	}
}

func (f *spillFile) append(data []byte) (segment, error) {
	s := segment{at: f.end.Add(int64(len(data))) - int64(len(data)), size: int64(len(data))}
	if _, err := f.file.WriteAt(data, s.at); err != nil {
		return s, fmt.Errorf("spill: %w", err)
	}
	f.total.Add(s.size)
	return s, nil
}

// read returns the segment's bytes, in dst where they fit.
func (f *spillFile) read(dst []byte, s segment) ([]byte, error) {
	if int64(cap(dst)) < s.size {
		dst = make([]byte, s.size)
	}
	dst = dst[:s.size]
	if _, err := f.file.ReadAt(dst, s.at); err != nil {
		return nil, fmt.Errorf("read what was spilled: %w", err)
	}
	return dst, nil
}

// appendRecord writes a record as an Arrow stream of its own.
func (f *spillFile) appendRecord(r arrow.Record) (segment, error) {
	var b bytes.Buffer
	w := ipc.NewWriter(&b, ipc.WithSchema(r.Schema()))
	if err := w.Write(r); err != nil {
		return segment{}, fmt.Errorf("spill a record: %w", err)
	}
	if err := w.Close(); err != nil {
		return segment{}, fmt.Errorf("spill a record: %w", err)
	}
	return f.append(b.Bytes())
}

// readRecord reads what appendRecord wrote. The caller releases it.
func (f *spillFile) readRecord(mem memory.Allocator, s segment) (arrow.Record, error) {
	data, err := f.read(nil, s)
	if err != nil {
		return nil, err
	}
	r, err := ipc.NewReader(bytes.NewReader(data), ipc.WithAllocator(mem))
	if err != nil {
		return nil, fmt.Errorf("read a spilled record: %w", err)
	}
	defer r.Release()
	if !r.Next() {
		return nil, fmt.Errorf("read a spilled record: it is not there: %w", r.Err())
	}
	record := r.Record()
	record.Retain()
	return record, nil
}
