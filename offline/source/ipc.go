package source

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

const (
	ipcMagic     = "ARROW1"
	featherMagic = "FEA1"
)

// ipcFile reads Arrow IPC, one record batch at a time: the file form through
// its footer, the stream form from front to back.
type ipcFile struct {
	file   *os.File
	random *ipc.FileReader // the file form
	batch  int
	stream *ipc.Reader // the stream form
}

func openIPC(f *os.File, path string, o Options) (format, error) {
	head := make([]byte, len(ipcMagic))
	if _, err := f.ReadAt(head, 0); err != nil {
		return nil, errors.New("it is too short for an Arrow file")
	}
	if string(head[:len(featherMagic)]) == featherMagic {
		return nil, errors.New("it is Feather version 1; write it as version 2, which is Arrow IPC")
	}
	in := &ipcFile{file: f}
	var schema *arrow.Schema
	var err error
	if string(head) == ipcMagic {
		if in.random, err = ipc.NewFileReader(f, ipc.WithAllocator(memory.NewGoAllocator())); err == nil {
			schema = in.random.Schema()
		}
	} else if in.stream, err = ipc.NewReader(f, ipc.WithAllocator(memory.NewGoAllocator())); err == nil {
		schema = in.stream.Schema()
	}
	if err != nil {
		return nil, fmt.Errorf("it is not Arrow IPC, or cut short: %w", err)
	}
	r := &records{in: in, path: path, build: builder{opt: o}, behind: in.behind}
	for _, field := range schema.Fields() {
		r.names = append(r.names, field.Name)
	}
	if err := r.choose(o.Columns, schema.Fields()); err != nil {
		return nil, err
	}
	return r, nil
}

// behind tells how far the file has been read.
func (p *ipcFile) behind(int64) int64 {
	at, err := p.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0
	}
	if p.random != nil { // it seeks to a batch and reads it
		info, err := p.file.Stat()
		if err != nil {
			return 0
		}
		return info.Size() * int64(p.batch) / max(int64(p.random.NumRecords()), 1)
	}
	return at
}

func (p *ipcFile) read() (arrow.Record, error) {
	if p.random != nil {
		if p.batch == p.random.NumRecords() {
			return nil, io.EOF
		}
		p.batch++
		return p.random.Record(p.batch - 1)
	}
	if p.stream.Next() {
		return p.stream.Record(), nil
	}
	if err := p.stream.Err(); err != nil && err != io.EOF {
		return nil, err
	}
	return nil, io.EOF
}

func (p *ipcFile) close() error {
	if p.stream != nil {
		p.stream.Release()
	}
	if p.random != nil {
		return errors.Join(p.random.Close(), p.file.Close())
	}
	return p.file.Close()
}
