package online

import (
	"bytes"
	"context"
	"fmt"

	"github.com/zeebo/xxh3"

	"featurestore/feature"
	"featurestore/hlc"
)

// Digest visits the rows of a shard by rising view and key, all from one
// moment, and returns the durable progress of which they are the join, and the
// horizon, both of the same moment. Hash is of the row's encoding, newest the
// greatest timestamp of a write in it. Rows are seen as if everything below a
// time had been collected (see Collect), so that stores of one progress whose
// horizons lie below it see the same, however far their collecting has come. Key is
// valid during the visit, which ends early when it returns false.
//
// Errors are ctx's, ErrClosed and ErrCorrupt.
func (s *Store) Digest(ctx context.Context, shard feature.Shard, below hlc.Timestamp, visit func(view feature.ViewID, key feature.Key, hash uint64, newest hlc.Timestamp) bool) (hlc.Vector, hlc.Timestamp, error) {
	at := s.snapshots.pin()
	defer s.snapshots.unpin(at)
	progress, horizon, err := s.stateAt(at, shard)
	if err != nil {
		return nil, 0, fmt.Errorf("digest of shard %d/%d: %w", shard.Group, shard.Partition, err)
	}
	limits := newLimits(s.Registry(), below)
	prefix := appendShard(nil, kindRow, shard)
	var fault error
	err = s.walk(ctx, at, prefix, prefix, func(key, value []byte) bool {
		var seen digested
		if seen, fault = limits.digest(key, value); fault != nil {
			return false
		}
		return seen.empty || visit(seen.view, seen.key, seen.hash, seen.newest)
	})
	if err == nil {
		err = fault
	}
	if err != nil {
		return nil, 0, fmt.Errorf("digest of shard %d/%d: %w", shard.Group, shard.Partition, err)
	}
	return progress, horizon, nil
}

// stateAt is shardState of a pinned snapshot.
func (s *Store) stateAt(at uint64, shard feature.Shard) (progress hlc.Vector, horizon hlc.Timestamp, err error) {
	if err := s.reading(); err != nil {
		return nil, 0, err
	}
	defer s.done(&err)
	txn := s.db.NewTransactionAt(at, false)
	defer txn.Discard()
	return shardState(txn, shard)
}

// digested is what a visit of Digest is told of a row.
type digested struct {
	view   feature.ViewID
	key    feature.Key
	hash   uint64
	newest hlc.Timestamp
	empty  bool
}

func (l limits) digest(key, value []byte) (digested, error) {
	encoded, err := unseal(key, value)
	if err != nil {
		return digested{}, err
	}
	row, err := feature.DecodeRow(encoded)
	if err != nil {
		return digested{}, &CorruptError{Key: bytes.Clone(key), Err: err}
	}
	k, err := decodeKey(key)
	if err != nil {
		return digested{}, &CorruptError{Key: bytes.Clone(key), Err: err}
	}
	row, changed, err := l.collect(key, row)
	if err != nil {
		return digested{}, err
	}
	if changed {
		encoded = feature.AppendRow(nil, row)
	}
	return digested{
		view: k.view, key: k.entity, hash: xxh3.Hash(encoded), newest: row.Newest(),
		empty: row.IsEmpty(),
	}, nil
}
