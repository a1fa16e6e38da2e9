package export

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// Buffers of a summed writer: what is written is copied, so that it can be summed while
// the next is made.
const (
	sumBuffers = 4
	sumBytes   = 256 << 10
)

// summed writes to another writer, counts, and sums what it was given, in a goroutine of
// its own. It is for one goroutine, which ends it by sum.
type summed struct {
	to      io.Writer
	bytes   int64
	free    chan []byte
	filled  chan []byte
	current []byte // of sumBytes at most
	done    chan [sha256.Size]byte
	ended   bool
	digest  [sha256.Size]byte
}

func newSummed(to io.Writer) *summed {
	s := &summed{to: to, free: make(chan []byte, sumBuffers), filled: make(chan []byte, sumBuffers), done: make(chan [sha256.Size]byte, 1)}
	for range sumBuffers {
		s.free <- nil // made when it is needed
	}
	go func() {
		h := sha256.New()
		for b := range s.filled {
			h.Write(b)
			s.free <- b[:0]
		}
		s.done <- [sha256.Size]byte(h.Sum(nil))
	}()
	return s
}

// Write writes, and sums what was taken.
func (s *summed) Write(b []byte) (int, error) {
	n, err := s.to.Write(b)
	s.bytes += int64(n)
	for b = b[:n]; len(b) > 0; {
		if s.current == nil {
			if s.current = <-s.free; s.current == nil {
				s.current = make([]byte, 0, sumBytes)
			}
		}
		k := min(len(b), sumBytes-len(s.current))
		s.current, b = append(s.current, b[:k]...), b[k:]
		if len(s.current) == sumBytes {
			s.filled <- s.current
			s.current = nil
		}
	}
	return n, err
}

// sum ends the summing, and returns the SHA-256 of what was written, in hex. It may be
// called again.
func (s *summed) sum() string {
	if !s.ended {
		s.ended = true
		if len(s.current) > 0 {
			s.filled <- s.current
		}
		close(s.filled)
		s.digest = <-s.done
	}
	return hex.EncodeToString(s.digest[:])
}
