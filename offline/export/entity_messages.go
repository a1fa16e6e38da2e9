package export

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// messages reads the messages of an Arrow IPC stream from outside. The library makes
// slices of whatever length the metadata of a message names, so these are looked at
// first: a few bytes must not end the process for want of memory.
//
//	ffffffff | i32 length of metadata | metadata, a flatbuffer | body
//
// and once ffffffff 00000000, or the end of the stream. It is an ipc.MessageReader.
type messages struct {
	in   io.Reader
	mem  memory.Allocator
	most int64 // bytes of a body, 0 for any
	last *ipc.Message
}

// What the metadata of a stream may have: far more than any table has columns.
const (
	maxMetadata = 4 << 20
	maxFields   = 20_000
	maxDepth    = 8
)

// Retain does nothing: there is one owner.
func (m *messages) Retain() {}

// Release lets go of the last message.
func (m *messages) Release() {
	if m.last != nil {
		m.last.Release()
		m.last = nil
	}
}

// Message returns the next message, or io.EOF. It is valid until the next call.
func (m *messages) Message() (*ipc.Message, error) {
	m.Release()
	var head [8]byte
	if n, err := io.ReadFull(m.in, head[:]); err != nil {
		if n == 0 || n == 4 && binary.LittleEndian.Uint32(head[:]) == 0 {
			return nil, err
		}
		return nil, fmt.Errorf("it breaks off: %w", err)
	}
	size := binary.LittleEndian.Uint32(head[4:])
	switch {
	case binary.LittleEndian.Uint32(head[:]) != 0xffffffff:
		return nil, errors.New("a message begins otherwise than Arrow's do, since 0.15")
	case size == 0:
		return nil, io.EOF
	case size > maxMetadata:
		return nil, fmt.Errorf("the metadata of a message have %d bytes, at most %d are taken", size, maxMetadata)
	}
	meta := make([]byte, size)
	if _, err := io.ReadFull(m.in, meta); err != nil {
		return nil, fmt.Errorf("it breaks off in the metadata of a message: %w", err)
	}
	bodyBytes, err := checkMessage(meta)
	if err != nil {
		return nil, fmt.Errorf("the metadata of a message are damaged: %w", err)
	}
	if m.most > 0 && bodyBytes > m.most {
		return nil, &TooLargeError{What: "bytes in one record", Most: m.most}
	}
	body := memory.NewResizableBuffer(m.mem)
	defer body.Release()
	body.Resize(int(bodyBytes))
	if _, err := io.ReadFull(m.in, body.Bytes()); err != nil {
		return nil, fmt.Errorf("it breaks off in the body of a message: %w", err)
	}
	m.last = ipc.NewMessage(memory.NewBufferBytes(meta), body)
	return m.last, nil
}

// checkMessage looks at what the library will believe of a message's metadata, and
// returns the length of its body.
func checkMessage(meta []byte) (bodyBytes int64, err error) {
	c := &flat{b: meta}
	root := c.table(c.offset(0))
	kind, header, body := c.slot(root, 1), c.slot(root, 2), c.slot(root, 3)
	if kind == 0 || header == 0 {
		return 0, errors.New("it says not what it is")
	}
	if body != 0 {
		bodyBytes = int64(c.u64(body))
	}
	const schema, dictionary, recordBatch = 1, 2, 3
	switch is := c.u8(kind); is {
	case schema:
		s := c.table(header + c.offset(header))
		c.fields(s, 1, maxDepth)
		c.vector(s, 2, 4)
	case recordBatch:
		r := c.table(header + c.offset(header))
		c.vector(r, 1, 16)
		c.vector(r, 2, 16)
		c.vector(r, 4, 8)
		if compression := c.slot(r, 3); compression != 0 {
			// A frame of zstd may ask for any memory before it is decoded.
			t := c.table(compression + c.offset(compression))
			if codec := c.slot(t, 0); codec != 0 && c.u8(codec) != 0 {
				return 0, errors.New("it is compressed by zstd, which is not taken here: send it plain, or by LZ4")
			}
		}
	case dictionary:
		return 0, errors.New("it has a dictionary: send plain columns")
	default:
		return 0, fmt.Errorf("it is of kind %d", is)
	}
	switch {
	case c.failed:
		return 0, errors.New("an offset or length goes beyond its end")
	case bodyBytes < 0:
		return 0, fmt.Errorf("its body has %d bytes", bodyBytes)
	}
	return bodyBytes, nil
}

// flat walks a flatbuffer that may be damaged. Once something goes beyond its end it has
// failed, and reads zeros.
type flat struct {
	b      []byte
	seen   int // fields
	failed bool
}

func (c *flat) at(pos, size int) []byte {
	if c.failed || pos < 0 || size > len(c.b) || pos > len(c.b)-size {
		c.failed = true
		return make([]byte, 8)
	}
	return c.b[pos : pos+size]
}

func (c *flat) u8(pos int) byte    { return c.at(pos, 1)[0] }
func (c *flat) u16(pos int) int    { return int(binary.LittleEndian.Uint16(c.at(pos, 2))) }
func (c *flat) offset(pos int) int { return int(binary.LittleEndian.Uint32(c.at(pos, 4))) }
func (c *flat) u64(pos int) uint64 { return binary.LittleEndian.Uint64(c.at(pos, 8)) }

// table returns the position of a table whose slots can be read.
func (c *flat) table(pos int) int {
	vtable := pos - int(int32(binary.LittleEndian.Uint32(c.at(pos, 4))))
	c.at(vtable, c.u16(vtable))
	return pos
}

// slot returns where field n of a table stands, 0 where it has none.
func (c *flat) slot(table, n int) int {
	vtable := table - int(int32(binary.LittleEndian.Uint32(c.at(table, 4))))
	at := 4 + 2*n
	if at+2 > c.u16(vtable) {
		return 0
	}
	off := c.u16(vtable + at)
	if off == 0 || c.failed {
		return 0
	}
	return table + off
}

// vector returns where the elements of a vector begin and how many there are, none where
// the table has no such field.
func (c *flat) vector(table, n, elementBytes int) (first, length int) {
	at := c.slot(table, n)
	if at == 0 {
		return 0, 0
	}
	at += c.offset(at)
	length = c.offset(at)
	c.at(at+4, min(length, len(c.b)+1)*elementBytes)
	if c.failed {
		return 0, 0
	}
	return at + 4, length
}

// fields walks a vector of fields and their children.
func (c *flat) fields(table, n, depth int) {
	first, length := c.vector(table, n, 4)
	if c.seen += length; depth == 0 && length > 0 || c.seen > maxFields {
		c.failed = true
	}
	for i := 0; i < length && !c.failed; i++ {
		at := first + 4*i
		f := c.table(at + c.offset(at))
		c.vector(f, 6, 4)
		c.fields(f, 5, depth-1)
	}
}
