package oplog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
)

// format is the only one this version reads and writes.
const format = 1

const (
	flagLogOnly = 1 << 0
	flagRequest = 1 << 1
)

const (
	headBytes = 1 + 1 + 1 + 8 + 4 + 8 // up to and including prev
	sumBytes  = 4
	// Least sizes of a dep and of a row, so that a count cannot claim more than
	// the bytes that follow it could hold.
	minDepBytes = 2
	minRowBytes = 7
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrCorrupt reports bytes that are no entry this version writes. A store that
// finds one in its own log has lost data there.
var ErrCorrupt = errors.New("corrupt log entry")

// ErrFormat reports an entry of a format this version does not know: written by
// a newer version, or not an entry.
var ErrFormat = errors.New("unknown log entry format")

// Append appends the encoding of e to dst. The entry must be valid (Validate):
// what Append makes of another, Decode refuses.
func Append(dst []byte, e Entry) []byte {
	start := len(dst)
	flags := byte(0)
	if e.LogOnly {
		flags |= flagLogOnly
	}
	if e.Request != nil {
		flags |= flagRequest
	}
	dst = append(dst, format, byte(e.Kind), flags)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.At))
	dst = binary.BigEndian.AppendUint32(dst, uint32(e.Origin))
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Prev))
	dst = binary.AppendUvarint(dst, uint64(len(e.Deps)))
	for _, d := range e.Deps {
		dst = binary.AppendUvarint(dst, uint64(d.Origin))
		dst = binary.AppendUvarint(dst, uint64(e.At-d.At))
	}
	if r := e.Request; r != nil {
		dst = append(append(dst, r.ID[:]...), r.Digest[:]...)
		dst = binary.AppendUvarint(dst, uint64(r.Shards))
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.Rows)))
	for _, r := range e.Rows {
		dst = binary.AppendUvarint(dst, uint64(r.View))
		dst = append(binary.AppendUvarint(dst, uint64(len(r.Key))), r.Key...)
		dst = appendRow(dst, r.Delta)
	}
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// appendRow appends row behind its length, which is known only afterwards:
// moving the row by a byte or two costs less than a buffer to encode it in.
func appendRow(dst []byte, row feature.Row) []byte {
	start := len(dst)
	dst = feature.AppendRow(dst, row)
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(len(dst)-start))
	return slices.Insert(dst, start, length[:n]...)
}

// Decode is the inverse of Append. Keys and values of the entry alias b, which
// must not change while the entry is in use. It returns ErrFormat for a format
// it does not know and ErrCorrupt for everything else that Append would not
// write, a valid checksum over an invalid entry included.
func Decode(b []byte) (Entry, error) {
	if len(b) == 0 {
		return Entry{}, fmt.Errorf("%w: no bytes", ErrCorrupt)
	}
	if b[0] != format {
		return Entry{}, fmt.Errorf("%w: it is %d, this version reads %d", ErrFormat, b[0], format)
	}
	if len(b) < headBytes+sumBytes {
		return Entry{}, fmt.Errorf("%w: %d bytes, an entry has at least %d", ErrCorrupt, len(b), headBytes+sumBytes)
	}
	body, sum := b[:len(b)-sumBytes], binary.BigEndian.Uint32(b[len(b)-sumBytes:])
	if got := crc32.Checksum(body, castagnoli); got != sum {
		return Entry{}, fmt.Errorf("%w: checksum %08x, want %08x", ErrCorrupt, got, sum)
	}
	if body[2]&^(flagLogOnly|flagRequest) != 0 {
		return Entry{}, fmt.Errorf("%w: flags %#x", ErrCorrupt, body[2])
	}
	e := Entry{
		Kind:    Kind(body[1]),
		LogOnly: body[2]&flagLogOnly != 0,
		At:      hlc.Timestamp(binary.BigEndian.Uint64(body[3:])),
		Origin:  hlc.Origin(binary.BigEndian.Uint32(body[11:])),
		Prev:    hlc.Timestamp(binary.BigEndian.Uint64(body[15:])),
	}
	r := reader{rest: body[headBytes:]}
	e.Deps = r.deps(e.At)
	if body[2]&flagRequest != 0 {
		e.Request = r.request()
	}
	e.Rows = r.rows()
	if r.err == nil && len(r.rest) > 0 {
		r.fail("%d bytes after the last row", len(r.rest))
	}
	if r.err != nil {
		return Entry{}, fmt.Errorf("%w %v: %w", ErrCorrupt, e.Position(), r.err)
	}
	if err := e.Validate(); err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return e, nil
}
