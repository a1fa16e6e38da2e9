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

// decodeScalar takes data of the right length that AppendValue could have
// written: one NaN, bools of 0 and 1, text in UTF-8, decimals as ParseDecimal
// keeps them.
func decodeScalar(k Kind, data string) (Value, error) {
	ok := false
	v := Value{kind: k}
	switch k {
	case Null:
		ok = data == ""
	case Bool:
		if ok = len(data) == 1 && data[0] <= 1; ok {
			v.bits = uint64(data[0])
		}
	case Int32:
		if ok = len(data) == 4; ok {
			v.bits = uint64(int64(int32(le32(data))))
		}
	case Int64, Timestamp:
		if ok = len(data) == 8; ok {
			v.bits = le64(data)
		}
	case Float32:
		if ok = len(data) == 4; ok {
			v.bits = uint64(le32(data))
			f := math.Float32frombits(uint32(v.bits))
			ok = f == f || v == OfFloat32(f)
		}
	case Float64:
		if ok = len(data) == 8; ok {
			v.bits = le64(data)
			f := math.Float64frombits(v.bits)
			ok = f == f || v == OfFloat64(f)
		}
	case UUID:
		ok, v.data = len(data) == UUID.width(), data
	case Bytes:
		ok, v.data = true, data
	case String, JSON:
		ok, v.data = utf8.ValidString(data), data
	case Decimal:
		ok, v.data = canonicalDecimal(data), data
	}
	if !ok {
		return Value{}, fmt.Errorf("%w: no %s is encoded in these %d bytes", ErrCorrupt, k, len(data))
	}
	return v, nil
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
	if s != "" && s[0] < 0x80 { // nearly all ids and lengths
		return uint64(s[0]), 1
	}
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

// alias views b as a string without a copy; b must not change meanwhile.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Clone returns a copy of v that aliases no buffer.
func (v Value) Clone() Value {
	v.data = strings.Clone(v.data)
	return v
}
