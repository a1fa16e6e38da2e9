package oplog

import (
	"encoding/binary"
	"fmt"
	"math"

	"featurestore/feature"
	"featurestore/hlc"
)

// reader takes the parts of an encoded entry off rest. After the first failure
// it returns zeros, and err says what failed.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
	r.rest = nil
}

// uvarint reads a number up to limit, in its shortest form only, so that every
// entry has one encoding.
func (r *reader) uvarint(what string, limit uint64) uint64 {
	v, n := binary.Uvarint(r.rest)
	switch {
	case n <= 0:
		r.fail("%s breaks off", what)
		return 0
	case n > 1 && r.rest[n-1] == 0:
		r.fail("%s is not in shortest form", what)
		return 0
	case v > limit:
		r.fail("%s is %d, at most %d can be", what, v, limit)
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// count reads how many parts of at least size bytes follow.
func (r *reader) count(what string, size int) int {
	return int(r.uvarint(what, uint64(len(r.rest)/size)))
}

func (r *reader) bytes(what string) []byte {
	n := r.count(what, 1)
	if n > len(r.rest) {
		r.fail("%s of %d bytes breaks off", what, n)
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) deps(at hlc.Timestamp) []hlc.Position {
	n := r.count("number of deps", minDepBytes)
	if n == 0 {
		return nil
	}
	deps := make([]hlc.Position, n)
	for i := range deps {
		deps[i].Origin = hlc.Origin(r.uvarint("origin of a dep", math.MaxUint32))
		deps[i].At = at - hlc.Timestamp(r.uvarint("time of a dep", uint64(at)))
	}
	return deps
}

func (r *reader) request() *Request {
	var out Request
	if n := len(out.ID) + len(out.Digest); len(r.rest) < n {
		r.fail("request breaks off")
		return nil
	}
	r.rest = r.rest[copy(out.ID[:], r.rest):]
	r.rest = r.rest[copy(out.Digest[:], r.rest):]
	out.Shards = int(r.uvarint("shards of a request", MaxRequestShards))
	return &out
}

func (r *reader) rows() []Row {
	n := r.count("number of rows", minRowBytes)
	if n == 0 {
		return nil
	}
	rows := make([]Row, n)
	for i := range rows {
		rows[i].View = feature.ViewID(r.uvarint("view of a row", math.MaxUint32))
		rows[i].Key = r.bytes("key of a row")
		row := r.bytes("row")
		if r.err != nil {
			return nil
		}
		var err error
		if rows[i].Delta, err = feature.DecodeRow(row); err != nil {
			r.fail("row %d: %w", i, err)
			return nil
		}
	}
	return rows
}
