package online

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// What is known of a request, under its id:
//
//	u8 format | 16 bytes digest | uvarint shards
//	| uvarint n | n x { u16 group | u16 partition | u32 origin | u64 at }
//	| uvarint n | n x uvarint superseded, as the distance from the one before
//	| u32 crc32c
//
// A store knows the requests that it carried out, and those whose entries it
// joined: who sends a request again, to whichever store has them, is answered as
// it was the first time. The entries of several shards arrive one by one, and one
// leader carries out its shards alone, so a request may be known in part.
const (
	requestFormat = 2
	positionBytes = 2 + 2 + 4 + 8
)

// requestRecord is what is known of one request.
type requestRecord struct {
	digest [16]byte
	// shards is how many the request writes; positions has those that it wrote.
	shards    int
	positions []ShardPosition
	// superseded are rows; only who carried them out knows.
	superseded []int
}

// in returns where the request wrote a shard.
func (r *requestRecord) in(shard feature.Shard) (hlc.Position, bool) {
	if r != nil {
		for _, p := range r.positions {
			if p.Shard == shard {
				return p.Position, true
			}
		}
	}
	return hlc.Position{}, false
}

// isWhole reports whether all of the request was carried out.
func (r *requestRecord) isWhole() bool { return len(r.positions) >= r.shards }

// of returns the receipt of a request that was done before in some shards, in
// their order; false when it was not in one of them.
func (r *requestRecord) of(shards []feature.Shard) (Receipt, bool) {
	out := Receipt{Superseded: r.superseded, Repeated: true}
	for _, s := range shards {
		p, done := r.in(s)
		if !done {
			return Receipt{}, false
		}
		out.Positions = append(out.Positions, ShardPosition{Shard: s, Position: p})
	}
	return out, true
}

// with returns the record with what was done of the request besides. Where a shard
// was written twice, by stores that did not know of each other, the first counts.
func (r *requestRecord) with(positions []ShardPosition, superseded []int) requestRecord {
	out := *r
	out.positions = slices.Clone(r.positions)
	for _, p := range positions {
		if _, done := r.in(p.Shard); !done {
			out.positions = append(out.positions, p)
		}
	}
	out.superseded = slices.Concat(r.superseded, superseded)
	slices.Sort(out.superseded)
	out.superseded = slices.Compact(out.superseded)
	return out
}

func appendRequestRecord(dst, key []byte, r requestRecord) []byte {
	from := len(dst)
	dst = append(append(dst, requestFormat), r.digest[:]...)
	dst = binary.AppendUvarint(dst, uint64(r.shards))
	dst = binary.AppendUvarint(dst, uint64(len(r.positions)))
	for _, p := range r.positions {
		dst = binary.BigEndian.AppendUint16(dst, uint16(p.Shard.Group))
		dst = binary.BigEndian.AppendUint16(dst, p.Shard.Partition)
		dst = binary.BigEndian.AppendUint32(dst, uint32(p.Position.Origin))
		dst = binary.BigEndian.AppendUint64(dst, uint64(p.Position.At))
	}
	dst = binary.AppendUvarint(dst, uint64(len(r.superseded)))
	last := 0
	for _, i := range r.superseded {
		dst = binary.AppendUvarint(dst, uint64(i-last))
		last = i
	}
	return seal(dst, from, key)
}

func decodeRequestRecord(key, value []byte) (r requestRecord, err error) {
	bad := func(what string) (requestRecord, error) { return requestRecord{}, corrupt(key, "%s", what) }
	body, err := unseal(key, value)
	if err != nil {
		return requestRecord{}, err
	}
	if len(body) < 1+len(r.digest) || body[0] != requestFormat {
		return bad(fmt.Sprintf("%d bytes, want format %d and a digest", len(body), requestFormat))
	}
	rest := body[1+copy(r.digest[:], body[1:]):]
	n, read := uvarint(rest)
	if read == 0 || n < 1 || n > oplog.MaxRequestShards {
		return bad("its number of shards is not one")
	}
	r.shards, rest = int(n), rest[read:]
	n, read = uvarint(rest)
	if read == 0 || n > uint64(len(rest)-read)/positionBytes {
		return bad("its positions break off")
	}
	rest = rest[read:]
	for range n {
		r.positions = append(r.positions, ShardPosition{
			Shard:    feature.Shard{Group: feature.GroupID(binary.BigEndian.Uint16(rest)), Partition: binary.BigEndian.Uint16(rest[2:])},
			Position: hlc.Position{Origin: hlc.Origin(binary.BigEndian.Uint32(rest[4:])), At: hlc.Timestamp(binary.BigEndian.Uint64(rest[8:]))},
		})
		rest = rest[positionBytes:]
	}
	if n, read = uvarint(rest); read == 0 || n > uint64(len(rest)-read) {
		return bad("its superseded rows break off")
	}
	rest = rest[read:]
	last := uint64(0)
	for i := range n {
		step, read := uvarint(rest)
		if read == 0 || step > maxSuperseded-last || i > 0 && step == 0 {
			return bad("its superseded rows do not rise")
		}
		last += step
		r.superseded = append(r.superseded, int(last))
		rest = rest[read:]
	}
	if len(rest) > 0 {
		return bad(fmt.Sprintf("%d bytes left", len(rest)))
	}
	return r, nil
}

// maxSuperseded is more changes than fit a write.
const maxSuperseded = 1 << 31

// Repeated returns the receipt of the request that id names, if all of it was
// done before, here or at a store whose entries are here, and its record lasts. It
// tells without the request's contents, which definitions applied since may not
// understand any more. Found is false for a request that is not done, or known in
// part only; Append finds that, and one that is under way meanwhile.
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
	record, err := requestIn(txn, id.ID)
	switch {
	case err != nil || record == nil:
		return Receipt{}, false, err
	case record.digest != id.Digest:
		return Receipt{}, false, ErrIdempotencyMismatch
	case !record.isWhole():
		return Receipt{}, false, nil
	}
	return Receipt{Positions: record.positions, Superseded: record.superseded, Repeated: true}, true, nil
}

// requestIn looks a request up among the durable ones; nil for a new one.
func requestIn(txn *badger.Txn, id RequestID) (*requestRecord, error) {
	key := appendRequestKey(nil, id)
	value, err := getCopy(txn, key)
	if value == nil || err != nil {
		return nil, err
	}
	r, err := decodeRequestRecord(key, value)
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// stagedRequest is what a batch will know of a request. Before is where the batch
// staged it before, -1 for nowhere.
type stagedRequest struct {
	id     RequestID
	record requestRecord
	key    []byte
	value  []byte
	before int
}

// request returns what is known of a request, nil for nothing, and whether that
// is staged in this batch, so not durable yet.
func (st *stage) request(id RequestID) (record *requestRecord, staged bool, err error) {
	if i, found := st.requestAt[id]; found {
		return &st.requests[i].record, true, nil
	}
	record, err = requestIn(st.snapshot(), id)
	return record, false, err
}

// setRequest stages what is known of a request.
func (st *stage) setRequest(id RequestID, record requestRecord) error {
	key := appendRequestKey(nil, id)
	value := appendRequestRecord(nil, key, record)
	if len(value) >= valueThreshold {
		return &TooLargeError{What: "write", Bytes: st.sizeBytes + len(value), Limit: st.store.disk.maxBytes}
	}
	before, found := st.requestAt[id]
	if !found {
		before = -1
	}
	st.requestAt[id] = len(st.requests)
	st.requests = append(st.requests, stagedRequest{id: id, record: record, key: key, value: value, before: before})
	st.sizeBytes += entryBytes(len(key), len(value))
	return nil
}

// dropRequests takes back what was staged of requests, down to the first n.
func (st *stage) dropRequests(n int) {
	for i := len(st.requests) - 1; i >= n; i-- {
		if r := &st.requests[i]; r.before >= 0 {
			st.requestAt[r.id] = r.before
		} else {
			delete(st.requestAt, r.id)
		}
	}
	clear(st.requests[n:])
	st.requests = st.requests[:n]
}

// wrote stages that a write carried out its request, or what was left of it.
func (st *stage) wrote(w *Write, known *requestRecord, r Receipt) error {
	q := w.request()
	if known == nil {
		known = &requestRecord{digest: q.Digest, shards: q.Shards}
	}
	return st.setRequest(q.ID, known.with(r.Positions, r.Superseded))
}

// joinRequest stages that an entry of another store carried out its request in a
// shard. What is here under the same id for other contents stays: a client that
// gives one name to two requests is told by the store that it asks.
func (st *stage) joinRequest(q *oplog.Request, p ShardPosition) error {
	known, _, err := st.request(q.ID)
	switch {
	case errors.Is(err, ErrCorrupt), err == nil && known == nil:
		known = &requestRecord{digest: q.Digest, shards: q.Shards}
	case err != nil:
		return err
	case known.digest != q.Digest:
		return nil
	}
	if _, done := known.in(p.Shard); done {
		return nil
	}
	return st.setRequest(q.ID, known.with([]ShardPosition{p}, nil))
}
