package flight

import (
	"encoding/binary"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// message is a FlightData whose body is sent from where it lies: the columns of a
// record are not copied to be encoded. Its memory is of Go's heap, for gRPC holds on to
// it after the sending was done.
type message struct {
	header   []byte // the IPC message
	metadata []byte // of the application
	body     [][]byte
	size     int // of body
}

// Fields of FlightData, as Flight.proto numbers them, with the wire type of bytes.
const (
	tagHeader   = 2<<3 | 2
	tagMetadata = 3<<3 | 2
	tagBody     = 1000<<3 | 2
)

// codec encodes messages, and leaves all else to the codec of protocol buffers, whose
// name it has.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(*message)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	head := make([]byte, 0, len(m.header)+len(m.metadata)+32)
	field := func(tag uint64, b []byte) {
		if len(b) > 0 {
			head = binary.AppendUvarint(head, tag)
			head = binary.AppendUvarint(head, uint64(len(b)))
			head = append(head, b...)
		}
	}
	field(tagHeader, m.header)
	field(tagMetadata, m.metadata)
	out := make(mem.BufferSlice, 0, 1+len(m.body))
	if m.size > 0 {
		head = binary.AppendUvarint(head, tagBody)
		head = binary.AppendUvarint(head, uint64(m.size))
	}
	out = append(out, mem.SliceBuffer(head))
	for _, b := range m.body {
		out = append(out, mem.SliceBuffer(b))
	}
	return out, nil
}
