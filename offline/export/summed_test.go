package export

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"testing"
)

// stingy takes some bytes, and then no more.
type stingy struct {
	bytes.Buffer
	left int
}

var errFull = errors.New("full")

func (s *stingy) Write(b []byte) (int, error) {
	if len(b) > s.left {
		n, _ := s.Buffer.Write(b[:s.left])
		s.left = 0
		return n, errFull
	}
	s.left -= len(b)
	return s.Buffer.Write(b)
}

// The sum is that of what was taken, however it was cut.
func TestWhatIsTakenIsSummed(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, room := range []int{0, 1, sumBytes - 1, sumBytes, sumBytes + 1, 12 * sumBytes, 20*sumBytes + 7} {
		to := &stingy{left: room}
		s := newSummed(to)
		var err error
		for err == nil {
			b := make([]byte, random.IntN(3*sumBytes))
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			_, err = s.Write(b)
		}
		want := sha256.Sum256(to.Bytes())
		if got := s.sum(); !errors.Is(err, errFull) || got != hex.EncodeToString(want[:]) || got != s.sum() || s.bytes != int64(room) {
			t.Errorf("of %d bytes: got %s of %d, want %x; %v", room, got, s.bytes, want, err)
		}
	}
}
