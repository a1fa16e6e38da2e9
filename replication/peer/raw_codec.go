package peer

import (
	"fmt"

	"google.golang.org/grpc/mem"
)

// rawCodec has gRPC carry frames as they are: a mem.Buffer goes out, and a
// *[]byte receives one copy of what came in, which is its own. The bytes are
// those of package wire, so the name is that of its encoding.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.(mem.Buffer)
	if !ok {
		return nil, fmt.Errorf("send a frame: it is a %T, want a mem.Buffer", v)
	}
	return mem.BufferSlice{b}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("receive a frame: into a %T, want a *[]byte", v)
	}
	*b = data.Materialize()
	return nil
}
