package batch

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"strings"

	"featurestore/feature"
)

// note is what is remembered of a file of a view, under its name, and of contents, under
// their sum.
type note struct {
	// ID is that of the marks of its contents, or of what it grew by.
	ID feature.MarkID
	// SizeBytes, Modified (nanoseconds since the Unix epoch) and Tag tell whether it may
	// have changed, Sum is the SHA-256 of those bytes.
	SizeBytes int64
	Modified  int64
	Tag       string
	Sum       []byte
	// Whole says that all of it was written, up to the place Through; before that, Through
	// is where it grew from.
	Whole   bool
	Through int64
}

// isOf reports whether a file looks as it did.
func (n *note) isOf(f File) bool {
	return n.SizeBytes == f.SizeBytes && n.Modified == f.Modified.UnixNano() && n.Tag == f.Tag
}

// noteFormat is the first byte of an encoded note; JSON follows.
const noteFormat = 1

func (n *note) encode() ([]byte, error) {
	text, err := json.Marshal(n)
	return append([]byte{noteFormat}, text...), err
}

func decodeNote(text []byte) (*note, error) {
	if text == nil {
		return nil, nil
	}
	if len(text) == 0 || text[0] != noteFormat {
		return nil, fmt.Errorf("what is noted of it is in a format that this version does not know: it begins with % x, want %02x", text[:min(len(text), 1)], noteFormat)
	}
	n := &note{}
	if err := json.Unmarshal(text[1:], n); err != nil {
		return nil, fmt.Errorf("what is noted of it cannot be read: %w", err)
	}
	return n, nil
}

// markID names something of a view: "file" or "contents" and a sum, "growth" and the sums
// before and after, or "note" and a name.
func markID(view feature.ViewID, what string, of []byte) (id feature.MarkID) {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(view)))
	h.Write([]byte(what + "\x00"))
	h.Write(of)
	copy(id[:], h.Sum(nil))
	return id
}

// growing reports whether a file may be read on where it ended before: text, as it
// lies.
func growing(name string) bool {
	switch path.Ext(strings.ToLower(name)) {
	case ".csv", ".jsonl", ".ndjson":
		return true
	}
	return false
}

// sums returns the SHA-256 of a file and of its first bytes; nil for more than it has.
func sums(ctx context.Context, file *os.File, first int64) (all, part []byte, err error) {
	h, at := sha256.New(), int64(0)
	buffer := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		n := len(buffer)
		if at < first { // stop there, once
			n = int(min(int64(n), first-at))
		}
		n, err := file.ReadAt(buffer[:n], at)
		h.Write(buffer[:n])
		if at += int64(n); at == first && n > 0 {
			part = sumOf(h)
		}
		if err == io.EOF && n == 0 {
			return sumOf(h), part, nil
		}
		if err != nil && err != io.EOF {
			return nil, nil, err
		}
	}
}

func sumOf(h hash.Hash) []byte { return h.Sum(nil) }

// endsLine reports whether the byte before a place ends a line.
func endsLine(file *os.File, place int64) (bool, error) {
	var last [1]byte
	_, err := file.ReadAt(last[:], place-1)
	return last[0] == '\n', err
}
