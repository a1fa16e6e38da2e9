package outside

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Serve is the child: it reads a Request from in, limits this process, reads file and
// writes frames to out. An error that the parent can be told was told; what Serve
// returns is for standard error.
func Serve(ctx context.Context, in io.Reader, file *os.File, out io.Writer) error {
	var request Request
	decoder := json.NewDecoder(in)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&request); err != nil {
		return fmt.Errorf("the request is not JSON: %w", err)
	}
	w := &frames{out: bufio.NewWriterSize(out, 64<<10)}
	err := request.validate()
	if err == nil {
		err = limitMemory(request.MemoryBytes)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart) // the descriptor is shared with who read it before
	}
	if err == nil {
		err = serveRows(ctx, &request, file, w)
	}
	switch {
	case err != nil && w.err != nil:
		return w.err // nobody reads
	case err != nil:
		w.write(frameFailed, failure{Message: err.Error()}, nil)
	default:
		w.write(frameEnd, struct{}{}, nil)
	}
	return errors.Join(w.err, w.flush())
}

// frames writes frames; the first error stays.
type frames struct {
	out     *bufio.Writer
	scratch []byte
	err     error
}

func (w *frames) write(kind byte, headers any, body []byte) {
	if w.err != nil {
		return
	}
	if w.scratch, w.err = appendFrame(w.scratch[:0], kind, headers, body); w.err == nil {
		_, w.err = w.out.Write(w.scratch)
	}
}

// flush hands out what was written: a batch must be told before the next one is
// read, for the reading may be what ends the process.
func (w *frames) flush() error {
	if w.err == nil {
		w.err = w.out.Flush()
	}
	return w.err
}
