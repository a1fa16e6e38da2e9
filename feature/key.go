package feature

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/zeebo/xxh3"
)

// Key is an entity key: the join-key values of one entity, encoded so that
// equal entities, and only they, have equal bytes.
//
//	Key = n x { u8 class | payload }   in the order of the join keys' names
//
//	class 1 bytes     uvarint length | bytes
//	class 2 string    uvarint length | bytes
//	class 4 integer   8 bytes big endian, sign bit flipped (int32 and int64)
//	class 6 float     8 bytes big endian of the float64 (float32 widened, -0 as 0)
//	class 7 bool      1 byte
//	class 8 timestamp 8 bytes big endian, sign bit flipped
//	class 9 uuid      16 bytes
//	class 10 decimal  uvarint length | shortest text of the number
//
// Values never run into each other, so ("ab","c") and ("a","bc") differ.
type Key []byte

// MaxKeyBytes bounds the encoded size of an entity key.
const MaxKeyBytes = 4096

// ErrKeyTooLong reports an entity key beyond MaxKeyBytes.
var ErrKeyTooLong = fmt.Errorf("the entity key is longer than %d bytes", MaxKeyBytes)

// CanKey reports whether values of t may be join keys: every scalar but json.
func (t Type) CanKey() bool {
	return t.Shape == Scalar && t.Kind > Null && t.Kind < JSON
}

// AppendKeyValue appends one join-key value to dst. The caller appends the
// values in the order of Entity.JoinKeys. Null, NaN, json and lists cannot be
// keys and are errors.
func AppendKeyValue(dst []byte, v Value) ([]byte, error) {
	if v.shape != Scalar || v.kind == Null || v.kind == JSON {
		return dst, fmt.Errorf("a %s cannot be a join key", v.describe())
	}
	switch v.kind {
	case Int32, Int64:
		dst = append(dst, byte(Int64))
		return binary.BigEndian.AppendUint64(dst, v.bits^1<<63), nil
	case Timestamp:
		dst = append(dst, byte(Timestamp))
		return binary.BigEndian.AppendUint64(dst, v.bits^1<<63), nil
	case Float32, Float64:
		f := v.Float()
		if math.IsNaN(f) {
			return dst, fmt.Errorf("NaN cannot be a join key")
		}
		if f == 0 {
			f = 0 // negative zero is zero
		}
		dst = append(dst, byte(Float64))
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(f)), nil
	case Bool:
		return append(dst, byte(Bool), byte(v.bits)), nil
	case UUID:
		return append(append(dst, byte(UUID)), v.data...), nil
	case Decimal:
		return appendKeyText(dst, Decimal, shortestDecimal(v.data)), nil
	}
	return appendKeyText(dst, v.kind, v.data), nil
}

func appendKeyText(dst []byte, class Kind, text string) []byte {
	dst = append(dst, byte(class))
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

// DecodeKey returns the join-key values in their order. Integers come back as
// int64 and floats as float64. The values alias k.
func DecodeKey(k Key) ([]Value, error) {
	var vs []Value
	for rest := k; len(rest) > 0; {
		v, n, err := cutKeyValue(rest)
		if err != nil {
			return nil, fmt.Errorf("key %x: %w", Clip(string(k)), err)
		}
		vs = append(vs, v)
		rest = rest[n:]
	}
	return vs, nil
}

func cutKeyValue(b []byte) (Value, int, error) {
	class, payload := Kind(b[0]), b[1:]
	size, head := class.width(), 0
	switch class {
	case Bytes, String, Decimal:
		n, read := binary.Uvarint(payload)
		if read <= 0 || n > uint64(len(payload)-read) || read > 1 && payload[read-1] == 0 {
			return Value{}, 0, ErrCorrupt
		}
		size, head = int(n), read
	case Int64, Float64, Bool, Timestamp, UUID:
	default:
		return Value{}, 0, fmt.Errorf("%w: class %d", ErrCorrupt, class)
	}
	if len(payload) < head+size {
		return Value{}, 0, ErrCorrupt
	}
	body := payload[head : head+size]
	var v Value
	switch class {
	case Int64, Timestamp:
		v = Value{kind: class, bits: binary.BigEndian.Uint64(body) ^ 1<<63}
	case Float64:
		v = Value{kind: class, bits: binary.BigEndian.Uint64(body)}
		if v.IsNaN() || v.bits == 1<<63 {
			return Value{}, 0, ErrCorrupt
		}
	default:
		var err error
		if v, err = DecodeValue(class, Scalar, body); err != nil {
			return Value{}, 0, err
		}
		if class == Decimal && shortestDecimal(v.data) != v.data {
			return Value{}, 0, ErrCorrupt
		}
	}
	return v, 1 + head + size, nil
}

// PartitionOf returns the partition of an entity key in a group of n
// partitions: the same on every store, for ever.
func PartitionOf(k Key, n uint16) uint16 {
	if n <= 1 {
		return 0
	}
	return uint16(xxh3.Hash(k) % uint64(n))
}

func (v Value) describe() string {
	if v.IsNull() {
		return "null"
	}
	return v.Type().String()
}

// RowKey names a row: the shard and the view it belongs to, and its entity.
type RowKey struct {
	Shard Shard
	View  ViewID
	Key   Key
}
