package online

import (
	"encoding/binary"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
	"featurestore/hlc"
)

// The result of a request, under its id:
//
//	u8 format | 16 bytes digest
//	| uvarint n | n x { u16 group | u16 partition | u32 origin | u64 at }
//	| uvarint n | n x uvarint superseded, as the distance from the one before
//	| u32 crc32c
const (
	requestFormat = 1
	positionBytes = 2 + 2 + 4 + 8
)

func appendRequestRecord(dst, key []byte, digest [16]byte, r Receipt) []byte {
	from := len(dst)
	dst = append(append(dst, requestFormat), digest[:]...)
	dst = binary.AppendUvarint(dst, uint64(len(r.Positions)))
	for _, p := range r.Positions {
		dst = binary.BigEndian.AppendUint16(dst, uint16(p.Shard.Group))
		dst = binary.BigEndian.AppendUint16(dst, p.Shard.Partition)
		dst = binary.BigEndian.AppendUint32(dst, uint32(p.Position.Origin))
		dst = binary.BigEndian.AppendUint64(dst, uint64(p.Position.At))
	}
	dst = binary.AppendUvarint(dst, uint64(len(r.Superseded)))
	last := 0
	for _, i := range r.Superseded {
		dst = binary.AppendUvarint(dst, uint64(i-last))
		last = i
	}
	return seal(dst, from, key)
}

func decodeRequestRecord(key, value []byte) (digest [16]byte, r Receipt, err error) {
	bad := func(what string) ([16]byte, Receipt, error) { return digest, Receipt{}, corrupt(key, "%s", what) }
	body, err := unseal(key, value)
	if err != nil {
		return digest, Receipt{}, err
	}
	if len(body) < 1+len(digest) || body[0] != requestFormat {
		return bad(fmt.Sprintf("%d bytes, want format %d and a digest", len(body), requestFormat))
	}
	copy(digest[:], body[1:])
	rest := body[1+len(digest):]
	n, read := uvarint(rest)
	if read == 0 || n > uint64(len(rest)-read)/positionBytes {
		return bad("its positions break off")
	}
	rest = rest[read:]
	for range n {
		r.Positions = append(r.Positions, ShardPosition{
			Shard:    feature.Shard{Group: feature.GroupID(binary.BigEndian.Uint16(rest)), Partition: binary.BigEndian.Uint16(rest[2:])},
			Position: hlc.Position{Origin: hlc.Origin(binary.BigEndian.Uint32(rest[4:])), At: hlc.Timestamp(binary.BigEndian.Uint64(rest[8:]))},
		})
		rest = rest[positionBytes:]
	}
	if n, read = uvarint(rest); read == 0 || n > uint64(len(rest)-read) {
		return bad("its superseded changes break off")
	}
	rest = rest[read:]
	last := uint64(0)
	for i := range n {
		step, read := uvarint(rest)
		if read == 0 || step > maxSuperseded-last || i > 0 && step == 0 {
			return bad("its superseded changes do not rise")
		}
		last += step
		r.Superseded = append(r.Superseded, int(last))
		rest = rest[read:]
	}
	if len(rest) > 0 {
		return bad(fmt.Sprintf("%d bytes left", len(rest)))
	}
	return digest, r, nil
}

// maxSuperseded is more changes than fit a write.
const maxSuperseded = 1 << 31

// Repeated returns the receipt of the request that id names, if it was done
// before and its record lasts. It tells without the request's contents, which
// definitions applied since may not understand any more. Found is false for a
// request that is not done; one that is under way meanwhile is found by Append.
// Errors are ErrIdempotencyMismatch, ErrClosed and ErrCorrupt.
func (s *Store) Repeated(id *Idempotency) (r Receipt, found bool, err error) {
	if err := s.reading(); err != nil {
		return Receipt{}, false, err
	}
	defer s.done(&err)
	at := s.snapshots.pin()
	defer s.snapshots.unpin(at)
	txn := s.db.NewTransactionAt(at, false)
	defer txn.Discard()
	return repeated(txn, id)
}

// repeated looks a request up among the durable ones. Found is false for a new
// one.
func repeated(txn *badger.Txn, id *Idempotency) (r Receipt, found bool, err error) {
	key := appendRequestKey(nil, id.ID)
	value, err := getCopy(txn, key)
	if value == nil || err != nil {
		return Receipt{}, false, err
	}
	digest, r, err := decodeRequestRecord(key, value)
	if err != nil {
		return Receipt{}, false, err
	}
	if digest != id.Digest {
		return Receipt{}, false, ErrIdempotencyMismatch
	}
	r.Repeated = true
	return r, true, nil
}
