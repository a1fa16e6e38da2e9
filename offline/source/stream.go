package source

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// A stream is a file read from front to back, unpacked where needed.
type stream struct {
	file  *os.File
	in    *bufio.Reader
	taken *counter
}

// counter counts the bytes taken from the file, for progress.
type counter struct {
	in io.Reader
	n  atomic.Int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func openStream(f *os.File, packed bool) (stream, error) {
	s := stream{file: f, taken: &counter{in: f}}
	var in io.Reader = s.taken
	if packed {
		unpacked, err := gzip.NewReader(s.taken)
		if err != nil {
			return stream{}, fmt.Errorf("it is not gzip: %w", err)
		}
		in = unpacked
	}
	s.in = bufio.NewReaderSize(in, 64<<10)
	return s, nil
}

func (s stream) done() int64  { return s.taken.n.Load() }
func (s stream) close() error { return s.file.Close() }

// peeker is what skipMark needs of a reader.
type peeker interface {
	Peek(n int) ([]byte, error)
	Discard(n int) (int, error)
}

// skipMark skips a byte order mark. A file shorter than one has none.
func skipMark(in peeker) error {
	mark := []byte("\xef\xbb\xbf")
	head, err := in.Peek(len(mark))
	if err == nil && bytes.Equal(head, mark) {
		_, err = in.Discard(len(mark))
		return err
	}
	return nil
}

// csvAhead is how much the csv package reads ahead of the record it returns.
const csvAhead = 4096

// rowLimit ends a record that grows beyond max bytes. The csv package sets no
// bound itself: one quote that is never closed would take in the whole file.
type rowLimit struct {
	in   *bufio.Reader
	max  int64
	left int64
}

// reset is called before each record.
func (l *rowLimit) reset() { l.left = l.max + csvAhead }

// Read implements io.Reader.
func (l *rowLimit) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("%w: more than %d bytes; is a quote not closed?", ErrRowTooLong, l.max)
	}
	n, err := l.in.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// Peek and Discard are those of the reader beneath.
func (l *rowLimit) Peek(n int) ([]byte, error) { return l.in.Peek(n) }

// Discard skips bytes.
func (l *rowLimit) Discard(n int) (int, error) { return l.in.Discard(n) }
