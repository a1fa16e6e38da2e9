package bucket

import (
	"errors"
	"io"
	"os"
)

// spool holds the blocks of an object that were read: one that is all there is in
// memory, others in a temporary file.
type spool struct {
	size int64
	head []byte // nil where there is a file
	file *os.File
	have []bool
	// left is the name of a file that is to be removed at the end; "" where the
	// system let it go at once.
	left string
}

// newSpool takes the first block.
func newSpool(dir string, size int64, head []byte) (_ *spool, err error) {
	s := &spool{size: size, head: head}
	s.have = make([]bool, s.count())
	if len(s.have) > 0 {
		s.have[0] = true
	}
	if s.count() <= 1 {
		return s, nil
	}
	file, err := os.CreateTemp(dir, "featurestore-object-*")
	if err != nil {
		return nil, err
	}
	// Nobody else needs its name, and without one it goes with the process.
	if os.Remove(file.Name()) != nil {
		s.left = file.Name()
	}
	return s, s.moveTo(file)
}

// moveTo has the blocks in a file. After an error it is closed.
func (s *spool) moveTo(file *os.File) error {
	s.file = file
	if _, err := s.file.WriteAt(s.head, 0); err != nil {
		return errors.Join(err, s.close())
	}
	s.head = nil
	return nil
}

func (s *spool) count() int64 { return (s.size + blockBytes - 1) / blockBytes }

func (s *spool) has(block int64) bool { return s.have[block] }

func (s *spool) length(block int64) int64 { return min(blockBytes, s.size-block*blockBytes) }

// fill reads one block.
func (s *spool) fill(block int64, from io.Reader) error {
	to := &spoolWriter{file: s.file, at: block * blockBytes}
	n, err := io.CopyN(to, from, s.length(block))
	switch {
	case to.err != nil:
		return to.err
	case err != nil:
		return cutAfter(n, s.length(block), err)
	}
	s.have[block] = true
	return nil
}

// spoolWriter writes to a file, and keeps its errors apart from those of reading.
type spoolWriter struct {
	file *os.File
	at   int64
	err  error
}

func (w *spoolWriter) Write(p []byte) (int, error) {
	n, err := w.file.WriteAt(p, w.at)
	w.at, w.err = w.at+int64(n), err
	return n, err
}

// readAt reads from blocks that are there.
func (s *spool) readAt(p []byte, off int64) (int, error) {
	if s.file == nil {
		return copy(p, s.head[off:]), nil
	}
	return s.file.ReadAt(p, off)
}

func (s *spool) close() error {
	s.head = nil
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.left != "" {
		err = errors.Join(err, os.Remove(s.left))
	}
	s.file = nil
	return err
}
