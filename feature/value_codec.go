package feature

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// Encoding of a value, after the cell's kind and shape bytes:
//
//	bool 1 byte | int32, float32 4 bytes | int64, float64, timestamp 8 bytes
//	uuid 16 bytes | bytes, string, decimal, json the bytes themselves
//	vector: its elements | list: fixed-width elements one after the other,
//	others as { uvarint length | bytes }
//
// Numbers are little endian. The length of the whole stands before it, in the
// cell, so it is not repeated.

// ErrCorrupt reports bytes that are no encoding this version writes.
var ErrCorrupt = errors.New("corrupt encoding")

// AppendValue appends the encoding of v, without kind and shape, to dst. Null
// appends nothing.
func AppendValue(dst []byte, v Value) []byte {
	if v.shape != Scalar {
		return append(dst, v.data...)
	}
	return appendScalar(dst, v)
}

// size is the number of bytes that AppendValue appends.
func (v Value) size() int {
	if w := v.kind.width(); w > 0 && v.shape == Scalar {
		return w
	}
	return len(v.data)
}

func appendScalar(dst []byte, v Value) []byte {
	switch v.kind.width() {
	case 1:
		return append(dst, byte(v.bits))
	case 4:
		return binary.LittleEndian.AppendUint32(dst, uint32(v.bits))
	case 8:
		return binary.LittleEndian.AppendUint64(dst, v.bits)
	}
	return append(dst, v.data...)
}

func appendElem(dst []byte, v Value) []byte {
	if v.kind.width() == 0 {
		dst = binary.AppendUvarint(dst, uint64(len(v.data)))
	}
	return appendScalar(dst, v)
}

// DecodeValue is the inverse of AppendValue. The value of a variable-width
// kind aliases b, which must not change while it is in use.
func DecodeValue(k Kind, s Shape, b []byte) (Value, error) {
	data := alias(b)
	switch s {
	case Scalar:
		return decodeScalar(k, data)
	case List:
		return decodeList(k, data)
	case Vector:
		if k != Float32 || len(b)%4 != 0 {
			return Value{}, fmt.Errorf("%w: vector of %s in %d bytes", ErrCorrupt, k, len(b))
		}
		v, err := decodeList(k, data)
		v.shape = Vector
		return v, err
	}
	return Value{}, fmt.Errorf("%w: shape %d", ErrCorrupt, s)
}

func decodeScalar(k Kind, data string) (Value, error) {
	bad := func() (Value, error) {
		return Value{}, fmt.Errorf("%w: %s in %d bytes", ErrCorrupt, k, len(data))
	}
	if w := k.width(); k >= kindEnd || w > 0 && len(data) != w {
		return bad()
	}
	switch k {
	case Null:
		if data != "" {
			return bad()
		}
		return Value{}, nil
	case Bool:
		if data[0] > 1 {
			return bad()
		}
		return OfBool(data[0] == 1), nil
	case Int32:
		return OfInt32(int32(le32(data))), nil
	case Int64, Timestamp:
		return Value{kind: k, bits: le64(data)}, nil
	case Float32:
		v := Value{kind: k, bits: uint64(le32(data))}
		if v.IsNaN() && v != OfFloat32(float32(math.NaN())) {
			return bad()
		}
		return v, nil
	case Float64:
		v := Value{kind: k, bits: le64(data)}
		if v.IsNaN() && v != OfFloat64(math.NaN()) {
			return bad()
		}
		return v, nil
	case String, JSON:
		if !utf8.ValidString(data) {
			return bad()
		}
	case Decimal:
		if !canonicalDecimal(data) {
			return bad()
		}
	}
	return Value{kind: k, data: data}, nil
}

func decodeList(k Kind, data string) (Value, error) {
	if k == Null || k >= kindEnd {
		return Value{}, fmt.Errorf("%w: list of %s", ErrCorrupt, k)
	}
	for rest := data; rest != ""; {
		_, n := cutElem(k, rest)
		if n == 0 {
			return Value{}, fmt.Errorf("%w: list of %s breaks off", ErrCorrupt, k)
		}
		rest = rest[n:]
	}
	return Value{kind: k, shape: List, data: data}, nil
}

// cutElem decodes the first element of a list's data and returns the bytes it
// took, 0 when they are corrupt.
func cutElem(k Kind, data string) (v Value, n int) {
	size, head := k.width(), 0
	if size == 0 {
		length, read := uvarint(data)
		if read <= 0 || length > uint64(len(data)-read) {
			return Value{}, 0
		}
		size, head = int(length), read
	}
	if len(data) < head+size {
		return Value{}, 0
	}
	v, err := decodeScalar(k, data[head:head+size])
	if err != nil {
		return Value{}, 0
	}
	return v, head + size
}

// uvarint reads the shortest form only, so that every value has one encoding.
func uvarint(s string) (v uint64, n int) {
	v, n = binary.Uvarint(unsafe.Slice(unsafe.StringData(s), len(s)))
	if n > 1 && s[n-1] == 0 {
		return 0, 0
	}
	return v, n
}

func le32(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func le64(s string) uint64 {
	return uint64(le32(s)) | uint64(le32(s[4:]))<<32
}

// Clone returns a copy of v that aliases no buffer.
func (v Value) Clone() Value {
	v.data = strings.Clone(v.data)
	return v
}
