package pit

import (
	"fmt"
	"os"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
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

func openFile(path string) (*parquetFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	// Only Go's allocator: v17 reads pages after it has released them.
	props := parquet.NewReaderProperties(memory.NewGoAllocator())
	props.BufferedStreamEnabled, props.BufferSize = true, readAhead
	raw, err := file.NewParquetReader(f, file.WithReadProps(props))
	if err != nil {
		f.Close()
		return nil, err
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
