package peer

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"featurestore/replication"
	"featurestore/replication/peer/wire"
)

// compressFrom is the size of a frame below which compressing it saves less
// than a packet.
const compressFrom = 1 << 10

// codec turns messages into frames and back. It is safe for concurrent use.
type codec struct {
	maxBytes int // of a frame, before it is compressed and after
	compress bool
	encoder  *zstd.Encoder
	decoder  *zstd.Decoder
	pool     mem.BufferPool
}

// newCodec returns a codec of which at most parallel calls compress, and as
// many expand, at one time; others wait.
func newCodec(maxBytes, parallel int, compress bool) (*codec, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(parallel))
	if err != nil {
		return nil, fmt.Errorf("make the compressor: %w", err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(uint64(maxBytes)), zstd.WithDecoderConcurrency(parallel))
	if err != nil {
		return nil, fmt.Errorf("make the decompressor: %w", err)
	}
	return &codec{maxBytes: maxBytes, compress: compress, encoder: encoder, decoder: decoder, pool: mem.DefaultBufferPool()}, nil
}

// encode returns the frame of m. The caller frees it, or hands it to gRPC,
// which does.
func (c *codec) encode(m replication.Message) (mem.Buffer, error) {
	f, err := frameOf(m)
	if err != nil {
		return nil, err
	}
	plain, err := c.encodeFrame(f)
	if err != nil || !c.compress || plain.Len() < compressFrom || !worthIt(m) {
		return plain, err
	}
	return c.pack(plain), nil
}

// worthIt reports whether m holds data rather than positions, which rarely get
// smaller.
func worthIt(m replication.Message) bool {
	switch m.(type) {
	case replication.Interval, replication.Chunk, replication.Relog, replication.RegistryNews, replication.RowsRead:
		return true
	}
	return false
}

func (c *codec) encodeFrame(f *wire.Frame) (mem.Buffer, error) {
	options := proto.MarshalOptions{Deterministic: true}
	size := options.Size(f)
	if size > c.maxBytes {
		return nil, fmt.Errorf("%w: its frame has %d bytes, at most %d may be sent", errUnsendable, size, c.maxBytes)
	}
	buf := c.pool.Get(size)
	options.UseCachedSize = true
	b, err := options.MarshalAppend((*buf)[:0], f)
	if err != nil {
		c.pool.Put(buf)
		return nil, fmt.Errorf("%w: %w", errUnsendable, err)
	}
	*buf = b
	return mem.NewBuffer(buf, c.pool), nil
}

// pack returns a frame that holds another, compressed; or that one when it
// would not be smaller. It takes plain over.
func (c *codec) pack(plain mem.Buffer) mem.Buffer {
	scratch := c.pool.Get(plain.Len())
	defer c.pool.Put(scratch)
	packed := c.encoder.EncodeAll(plain.ReadOnlyData(), (*scratch)[:0])
	size := protowire.SizeTag(bodyZstd) + protowire.SizeBytes(len(packed))
	if size >= plain.Len() {
		return plain
	}
	plain.Free()
	buf := c.pool.Get(size)
	*buf = protowire.AppendBytes(protowire.AppendTag((*buf)[:0], bodyZstd, protowire.BytesType), packed)
	return mem.NewBuffer(buf, c.pool)
}

// decode is the inverse of encode. The message aliases frame, or memory of its
// own when the frame was compressed. Errors match errMalformed.
func (c *codec) decode(frame []byte) (replication.Message, error) {
	if body, packed, err := splitFrame(frame); err == nil && body == bodyZstd {
		if frame, err = c.decoder.DecodeAll(packed, nil); err != nil {
			return nil, fmt.Errorf("%w: expand it: %w", errMalformed, err)
		}
	}
	return decodeMessage(frame)
}
