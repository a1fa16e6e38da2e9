package outside

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// The kinds of frames. A file is opened, has batches, and ends; or it fails.
const (
	frameOpened = 'o'
	frameBatch  = 'b'
	frameFailed = 'x'
	frameEnd    = 'z'
)

// MaxFrameBytes bounds a frame: a batch of the largest rows that a push takes.
const MaxFrameBytes = 64 << 20

const frameHead = 1 + 4 + 4

// appendFrame appends a frame to dst.
func appendFrame(dst []byte, kind byte, headers any, body []byte) ([]byte, error) {
	text, err := json.Marshal(headers)
	if err != nil {
		return nil, err
	}
	if n := len(text) + len(body) + 4; n > MaxFrameBytes {
		return nil, fmt.Errorf("a batch takes %d bytes; at most %d: write smaller rows", n, MaxFrameBytes)
	}
	dst = append(dst, kind)
	dst = binary.BigEndian.AppendUint32(dst, uint32(4+len(text)+len(body)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(text)))
	return append(append(dst, text...), body...), nil
}

// readFrame reads the next frame. The slices are the caller's. Where the stream ends
// between frames the error is io.EOF, within one io.ErrUnexpectedEOF.
func readFrame(in io.Reader) (kind byte, headers, body []byte, err error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, nil, nil, err
	}
	total, text := binary.BigEndian.Uint32(head[1:]), binary.BigEndian.Uint32(head[5:])
	if total < 4 || total > MaxFrameBytes || text > total-4 {
		return 0, nil, nil, fmt.Errorf("a frame of %d bytes with %d of headers, want at most %d", total, text, MaxFrameBytes)
	}
	rest := make([]byte, total-4)
	if _, err := io.ReadFull(in, rest); err != nil {
		return 0, nil, nil, io.ErrUnexpectedEOF
	}
	return head[0], rest[:text], rest[text:], nil
}
