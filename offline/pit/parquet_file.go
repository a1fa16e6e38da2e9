package pit

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

// parquetFile is an open file.
type parquetFile struct {
	file  *os.File
	raw   *file.Reader
	arrow *pqarrow.FileReader
}

// readAhead is how much of a column is read from a file at once. Pages are read
// as they are needed: a whole column of a row group would be ten times as much.
const readAhead = 64 << 10

// footers keeps those of the files that were read last: a file is opened for
// each of its row groups, and its footer may take longer to decode than they do.
// It is for many goroutines.
type footers struct {
	sync.Mutex
	last [8]footer
	next int
}

type footer struct {
	path     string
	size     int64
	modified time.Time
	meta     *metadata.FileMetaData
}

// of returns the footer of a file that has not changed since, or nil.
func (f *footers) of(path string, info os.FileInfo) *metadata.FileMetaData {
	f.Lock()
	defer f.Unlock()
	for _, one := range f.last {
		if one.path == path && one.size == info.Size() && one.modified.Equal(info.ModTime()) {
			return one.meta
		}
	}
	return nil
}

func (f *footers) keep(path string, info os.FileInfo, meta *metadata.FileMetaData) {
	f.Lock()
	defer f.Unlock()
	f.last[f.next] = footer{path, info.Size(), info.ModTime(), meta}
	f.next = (f.next + 1) % len(f.last)
}

func openFile(path string, known *footers) (*parquetFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	// Only Go's allocator: v17 reads pages after it has released them.
	props := parquet.NewReaderProperties(memory.NewGoAllocator())
	props.BufferedStreamEnabled, props.BufferSize = true, readAhead
	options := []file.ReadOption{file.WithReadProps(props)}
	meta := known.of(path, info)
	if meta != nil {
		options = append(options, file.WithMetadata(meta))
	}
	raw, err := file.NewParquetReader(f, options...)
	if err != nil {
		f.Close()
		return nil, err
	}
	if meta == nil {
		known.keep(path, info, raw.MetaData())
	}
	in, err := pqarrow.NewFileReader(raw, pqarrow.ArrowReadProperties{}, memory.NewGoAllocator())
	if err != nil {
		f.Close()
		return nil, err
	}
	return &parquetFile{f, raw, in}, nil
}

func (f *parquetFile) close() { f.file.Close() }

// fields are the columns as Arrow sees them.
func (f *parquetFile) fields() []arrow.Field {
	fields := make([]arrow.Field, len(f.arrow.Manifest.Fields))
	for i := range fields {
		fields[i] = *f.arrow.Manifest.Fields[i].Field
	}
	return fields
}

// recovered turns a panic of the library on our goroutine into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the file is damaged: %v", p)
	}
}
