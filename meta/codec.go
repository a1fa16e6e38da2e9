package meta

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
)

// Encoding of a Membership; integers of fixed width are big endian, text is
// behind its length, counts and numbers are uvarints in shortest form:
//
//	u8 format | epoch | revision | home
//	n x { store | region | u8 state, 128 more if drained | u32 origin | address
//	      | url | since }                                                    members
//	n x { u32 origin | store | n x { u16 group | u16 partition | u64 final }
//	      | n x { u16 group | u16 partition | u64 upto | u32 origin | u64 at } }   seals
//	if there are terms:
//	n x { u16 group | u16 partition | number | u32 origin | leader | next
//	      | u8 state, 128 more if lossy | since
//	      | n x { u32 origin | leader | u64 final | u64 upto | u32 origin | u64 at } } terms
//	u32 crc32c
//
// A document without terms is of format 1, so that stores which know of none
// read it.
const (
	format      = 1
	formatTerms = 2
	flagLossy   = 1 << 7
	flagDrained = 1 << 7
	maxText     = 256
	maxMembers  = 1 << 10
	maxSeals    = 1 << 16
	maxFinals   = 1 << 16
	sumBytes    = 4
	leastMember = 1 + 1 + 1 + 4 + 1 + 1 + 1
	leastSeal   = 4 + 1 + 1 + 1
	finalBytes  = 2 + 2 + 8
	salvBytes   = 2 + 2 + 8 + 4 + 8
	maxTerms    = 1 << 16
	maxEnded    = 1 << 12
	leastTerm   = 2 + 2 + 1 + 4 + 1 + 1 + 1 + 1 + 1
	leastEnd    = 4 + 1 + 8 + 8 + 4 + 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrCorrupt reports bytes that are no membership.
var ErrCorrupt = errors.New("corrupt membership")

// ErrFormat reports a membership in a format of another version.
var ErrFormat = errors.New("unknown membership format")

// AppendMembership appends the encoding of m to dst. Equal documents have equal
// encodings.
func AppendMembership(dst []byte, m *Membership) []byte {
	from := len(dst)
	if len(m.Terms) > 0 {
		dst = append(dst, formatTerms)
	} else {
		dst = append(dst, format)
	}
	dst = binary.AppendUvarint(dst, m.Epoch)
	dst = binary.AppendUvarint(dst, m.Revision)
	dst = appendText(dst, string(m.Home))
	dst = binary.AppendUvarint(dst, uint64(len(m.Members)))
	for _, x := range m.Members {
		dst = appendText(appendText(dst, string(x.Store)), string(x.Region))
		state := byte(x.State)
		if x.Drained {
			state |= flagDrained
		}
		dst = binary.BigEndian.AppendUint32(append(dst, state), uint32(x.Origin))
		dst = appendText(appendText(dst, x.Address), x.URL)
		dst = binary.AppendUvarint(dst, x.Since)
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.Seals)))
	for _, s := range m.Seals {
		dst = appendText(binary.BigEndian.AppendUint32(dst, uint32(s.Origin)), string(s.Store))
		dst = binary.AppendUvarint(dst, uint64(len(s.Final)))
		for _, shard := range shardsOf(s.Final) {
			dst = binary.BigEndian.AppendUint64(appendShard(dst, shard), uint64(s.Final[shard]))
		}
		dst = binary.AppendUvarint(dst, uint64(len(s.Salvage)))
		for _, shard := range shardsOf(s.Salvage) {
			v := s.Salvage[shard]
			dst = binary.BigEndian.AppendUint64(appendShard(dst, shard), uint64(v.UpTo))
			dst = binary.BigEndian.AppendUint32(dst, uint32(v.As.Origin))
			dst = binary.BigEndian.AppendUint64(dst, uint64(v.As.At))
		}
	}
	if len(m.Terms) > 0 {
		dst = appendTerms(dst, m.Terms)
	}
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[from:], castagnoli))
}

func appendTerms(dst []byte, terms []Term) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(terms)))
	for i := range terms {
		t := &terms[i]
		dst = binary.AppendUvarint(appendShard(dst, t.Shard), t.Number)
		dst = binary.BigEndian.AppendUint32(dst, uint32(t.Origin))
		dst = appendText(appendText(dst, string(t.Leader)), string(t.Next))
		state := byte(t.State)
		if t.Lossy {
			state |= flagLossy
		}
		dst = binary.AppendUvarint(append(dst, state), t.Since)
		dst = binary.AppendUvarint(dst, uint64(len(t.Ended)))
		for _, e := range t.Ended {
			dst = appendText(binary.BigEndian.AppendUint32(dst, uint32(e.Origin)), string(e.Leader))
			dst = binary.BigEndian.AppendUint64(dst, uint64(e.Final))
			dst = binary.BigEndian.AppendUint64(dst, uint64(e.Salvage.UpTo))
			dst = binary.BigEndian.AppendUint32(dst, uint32(e.Salvage.As.Origin))
			dst = binary.BigEndian.AppendUint64(dst, uint64(e.Salvage.As.At))
		}
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendShard(dst []byte, s feature.Shard) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(s.Group))
	return binary.BigEndian.AppendUint16(dst, s.Partition)
}

func shardsOf[T any](m map[feature.Shard]T) []feature.Shard {
	return slices.SortedFunc(maps.Keys(m), feature.Shard.Compare)
}

// DecodeMembership is the inverse of AppendMembership. It returns ErrFormat or
// ErrCorrupt, and shares nothing with b.
func DecodeMembership(b []byte) (*Membership, error) {
	if len(b) > 0 && b[0] != format && b[0] != formatTerms {
		return nil, fmt.Errorf("%w: it is %d, this version reads %d and %d", ErrFormat, b[0], format, formatTerms)
	}
	if len(b) < 1+sumBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrCorrupt, len(b))
	}
	body, sum := b[:len(b)-sumBytes], binary.BigEndian.Uint32(b[len(b)-sumBytes:])
	if got := crc32.Checksum(body, castagnoli); got != sum {
		return nil, fmt.Errorf("%w: checksum %08x, want %08x", ErrCorrupt, got, sum)
	}
	r := reader{rest: body[1:]}
	m := &Membership{Epoch: r.uvarint(math.MaxUint64), Revision: r.uvarint(math.MaxUint64), Home: StoreID(r.text())}
	for range r.count(leastMember, maxMembers) {
		m.Members = append(m.Members, r.member())
	}
	for range r.count(leastSeal, maxSeals) {
		m.Seals = append(m.Seals, r.seal())
	}
	if b[0] == formatTerms {
		for range r.count(leastTerm, maxTerms) {
			m.Terms = append(m.Terms, r.term())
		}
		r.failed = r.failed || len(m.Terms) == 0
	}
	if r.failed || len(r.rest) > 0 || !m.isOrdered() {
		return nil, fmt.Errorf("%w: its body breaks off or is out of order", ErrCorrupt)
	}
	return m, nil
}

func (m *Membership) isOrdered() bool {
	for i := 1; i < len(m.Members); i++ {
		if m.Members[i-1].Store >= m.Members[i].Store {
			return false
		}
	}
	for i := 1; i < len(m.Seals); i++ {
		if m.Seals[i-1].Origin >= m.Seals[i].Origin {
			return false
		}
	}
	for i := 1; i < len(m.Terms); i++ {
		if m.Terms[i-1].Shard.Compare(m.Terms[i].Shard) >= 0 {
			return false
		}
	}
	return true
}

// reader takes parts off rest; after the first failure it returns zeros.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) fail() { r.failed, r.rest = true, nil }

func (r *reader) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > limit || n > 1 && r.rest[n-1] == 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// count reads how many parts of at least size bytes follow, at most limit.
func (r *reader) count(size, limit int) uint64 {
	return r.uvarint(uint64(min(len(r.rest)/size, limit)))
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.rest) {
		r.fail()
		return make([]byte, n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) text() string { return string(r.bytes(int(r.count(1, maxText)))) }

func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.bytes(8)) }

func (r *reader) origin() hlc.Origin { return hlc.Origin(binary.BigEndian.Uint32(r.bytes(4))) }

func (r *reader) shard() feature.Shard {
	b := r.bytes(4)
	return feature.Shard{Group: feature.GroupID(binary.BigEndian.Uint16(b)), Partition: binary.BigEndian.Uint16(b[2:])}
}

func (r *reader) member() Member {
	m := Member{Store: StoreID(r.text()), Region: Region(r.text())}
	state := r.bytes(1)[0]
	m.State, m.Drained = State(state&^flagDrained), state&flagDrained != 0
	if m.State >= stateEnd {
		r.fail()
	}
	m.Origin = r.origin()
	m.Address, m.URL = r.text(), r.text()
	m.Since = r.uvarint(math.MaxUint64)
	return m
}

func (r *reader) seal() Seal {
	s := Seal{Origin: r.origin(), Store: StoreID(r.text())}
	last := -1
	rising := func(shard feature.Shard) {
		at := int(shard.Group)<<16 | int(shard.Partition)
		if at <= last {
			r.fail()
		}
		last = at
	}
	for range r.count(finalBytes, maxFinals) {
		if s.Final == nil {
			s.Final = map[feature.Shard]hlc.Timestamp{}
		}
		shard := r.shard()
		rising(shard)
		s.Final[shard] = hlc.Timestamp(r.u64())
	}
	last = -1
	for range r.count(salvBytes, maxFinals) {
		if s.Salvage == nil {
			s.Salvage = map[feature.Shard]Salvage{}
		}
		shard := r.shard()
		rising(shard)
		s.Salvage[shard] = Salvage{
			UpTo: hlc.Timestamp(r.u64()),
			As:   hlc.Position{Origin: r.origin(), At: hlc.Timestamp(r.u64())},
		}
	}
	return s
}

func (r *reader) term() Term {
	t := Term{Shard: r.shard(), Number: r.uvarint(math.MaxUint64), Origin: r.origin()}
	t.Leader, t.Next = StoreID(r.text()), StoreID(r.text())
	state := r.bytes(1)[0]
	t.State, t.Lossy = TermState(state&^flagLossy), state&flagLossy != 0
	if t.State >= termStateEnd {
		r.fail()
	}
	t.Since = r.uvarint(math.MaxUint64)
	for range r.count(leastEnd, maxEnded) {
		e := TermEnd{Origin: r.origin(), Leader: StoreID(r.text()), Final: hlc.Timestamp(r.u64())}
		e.Salvage.UpTo = hlc.Timestamp(r.u64())
		e.Salvage.As = hlc.Position{Origin: r.origin(), At: hlc.Timestamp(r.u64())}
		t.Ended = append(t.Ended, e)
	}
	return t
}
