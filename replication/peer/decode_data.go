package peer

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"featurestore/replication"
	"featurestore/replication/oplog"
)

// A field is one field of a protobuf message, as it lies in the bytes. The
// generated code copies every list of bytes; these readers do not.
type field struct {
	number protowire.Number
	kind   protowire.Type
	value  uint64 // of a number
	bytes  []byte // of a list of bytes, aliasing the message
}

// fields calls visit for every field of b, in order, until one fails.
func fields(b []byte, visit func(f *field) error) error {
	for len(b) > 0 {
		var f field
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		f.number, f.kind, b = number, kind, b[n:]
		switch kind {
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			f.value = uint64(v)
		case protowire.Fixed64Type:
			f.value, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
			f.bytes = f.bytes[:len(f.bytes):len(f.bytes)]
		default: // groups, which this format has none of
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return fmt.Errorf("field %d: %w", number, protowire.ParseError(n))
		}
		b = b[n:]
		if err := visit(&f); err != nil {
			return err
		}
	}
	return nil
}

// want fails unless f has the type that the format gives it.
func (f *field) want(kind protowire.Type) error {
	if f.kind != kind {
		return fmt.Errorf("field %d is of type %d, want %d", f.number, f.kind, kind)
	}
	return nil
}

// number reads f into dst.
func number[T ~uint32 | ~uint64](f *field, kind protowire.Type, dst *T) error {
	*dst = T(f.value)
	return f.want(kind)
}

func decodeInterval(b []byte) (replication.Message, error) {
	var iv oplog.Interval
	var shard uint32
	var raw [][]byte
	err := fields(b, func(f *field) error {
		switch f.number {
		case 1:
			return number(f, protowire.Fixed32Type, &shard)
		case 2:
			return number(f, protowire.Fixed32Type, &iv.Origin)
		case 3:
			return number(f, protowire.Fixed64Type, &iv.After)
		case 4:
			return number(f, protowire.Fixed64Type, &iv.Through)
		case 5:
			raw = append(raw, f.bytes)
			return f.want(protowire.BytesType)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	iv.Shard = unpackShard(shard)
	if iv.Entries, err = entriesOf(raw); err != nil {
		return nil, err
	}
	return replication.Interval{Interval: iv}, iv.Validate()
}

func decodeRelog(b []byte) (replication.Message, error) {
	var shard uint32
	var raw [][]byte
	err := fields(b, func(f *field) error {
		switch f.number {
		case 1:
			return number(f, protowire.Fixed32Type, &shard)
		case 2:
			raw = append(raw, f.bytes)
			return f.want(protowire.BytesType)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	entries, err := entriesOf(raw)
	return replication.Relog{Shard: unpackShard(shard), Entries: entries}, err
}

func decodeChunk(b []byte) (replication.Message, error) {
	var c oplog.Chunk
	var shard uint32
	var origins, barrierOrigins []uint32
	var at, barrierAt []uint64
	err := fields(b, func(f *field) (err error) {
		switch f.number {
		case 1:
			return number(f, protowire.Fixed32Type, &shard)
		case 2:
			c.After = bytesOf(f.bytes)
			return f.want(protowire.BytesType)
		case 3:
			c.Next = bytesOf(f.bytes)
			return f.want(protowire.BytesType)
		case 4:
			origins, err = column(f, 4, origins, binary.LittleEndian.Uint32)
			return err
		case 5:
			at, err = column(f, 8, at, binary.LittleEndian.Uint64)
			return err
		case 6:
			return number(f, protowire.Fixed64Type, &c.Horizon)
		case 7:
			if err := f.want(protowire.BytesType); err != nil {
				return err
			}
			row, err := decodeChunkRow(f.bytes)
			if err != nil {
				return fmt.Errorf("rows[%d]: %w", len(c.Rows), err)
			}
			c.Rows = append(c.Rows, row)
		case 8:
			barrierOrigins, err = column(f, 4, barrierOrigins, binary.LittleEndian.Uint32)
			return err
		case 9:
			barrierAt, err = column(f, 8, barrierAt, binary.LittleEndian.Uint64)
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.Shard = unpackShard(shard)
	if c.Progress, err = vectorOf(origins, at); err != nil {
		return nil, err
	}
	c.Barrier, err = vectorOf(barrierOrigins, barrierAt)
	return replication.Chunk{Chunk: c}, err
}

func decodeChunkRow(b []byte) (oplog.ChunkRow, error) {
	var r oplog.ChunkRow
	var view uint64
	err := fields(b, func(f *field) error {
		switch f.number {
		case 1:
			return number(f, protowire.VarintType, &view)
		case 2:
			r.Key = f.bytes
			return f.want(protowire.BytesType)
		case 3:
			r.Row = f.bytes
			return f.want(protowire.BytesType)
		}
		return nil
	})
	if err == nil {
		r.View, err = checkRow(view, r.Key)
	}
	if err == nil && len(r.Row) == 0 {
		err = errors.New("row is empty")
	}
	return r, err
}

// column adds the items of one packed field, of size bytes each.
func column[T any](f *field, size int, to []T, item func([]byte) T) ([]T, error) {
	if err := f.want(protowire.BytesType); err != nil {
		return nil, err
	}
	if len(f.bytes)%size != 0 {
		return nil, fmt.Errorf("field %d has %d bytes, want a multiple of %d", f.number, len(f.bytes), size)
	}
	for b := f.bytes; len(b) > 0; b = b[size:] {
		to = append(to, item(b))
	}
	return to, nil
}
