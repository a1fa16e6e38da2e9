package online

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
	"featurestore/hlc"
)

// shardRecord is what a store keeps of a shard as a whole:
//
//	u8 format | u64 horizon | note | u32 crc32c
type shardRecord struct {
	// horizon is below what tombstones may have been collected.
	horizon hlc.Timestamp
	// note belongs to whoever rebuilds the shard; nil for none.
	note []byte
}

const (
	shardFormat     = 1
	shardFixedBytes = 1 + 8
	// maxNoteBytes is more than a rebuilding has to say.
	maxNoteBytes = 64 << 10
)

func appendShardKey(dst []byte, s feature.Shard) []byte { return appendShard(dst, kindShard, s) }

func appendShardRecord(dst, key []byte, r shardRecord) []byte {
	from := len(dst)
	dst = binary.BigEndian.AppendUint64(append(dst, shardFormat), uint64(r.horizon))
	return seal(append(dst, r.note...), from, key)
}

func decodeShardRecord(key, value []byte) (shardRecord, error) {
	if len(value) > 0 && value[0] != shardFormat {
		return shardRecord{}, fmt.Errorf("%w: a shard record has %d, this version reads %d", ErrFormat, value[0], shardFormat)
	}
	body, err := unseal(key, value)
	if err != nil {
		return shardRecord{}, err
	}
	if len(body) < shardFixedBytes {
		return shardRecord{}, corrupt(key, "%d bytes of a shard record", len(body))
	}
	r := shardRecord{horizon: hlc.Timestamp(binary.BigEndian.Uint64(body[1:]))}
	if len(body) > shardFixedBytes {
		r.note = bytes.Clone(body[shardFixedBytes:])
	}
	return r, nil
}

// shardRecords are the durable records of all shards that have one. The
// committer alone changes them.
type shardRecords struct {
	mu struct {
		sync.RWMutex
		of map[feature.Shard]shardRecord
	}
}

func (r *shardRecords) get(shard feature.Shard) shardRecord {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.mu.of[shard]
}

func (r *shardRecords) set(shard feature.Shard, to shardRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.of == nil {
		r.mu.of = map[feature.Shard]shardRecord{}
	}
	r.mu.of[shard] = to
}

// loadShards reads one short record for each shard that has one.
func (s *Store) loadShards() error {
	txn := s.db.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{byte(kindShard)}})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		key := it.Item().KeyCopy(nil)
		k, err := decodeKey(key)
		if err != nil {
			return &CorruptError{Key: key, Err: err}
		}
		value, err := it.Item().ValueCopy(nil)
		if err != nil {
			return fmt.Errorf("read %s: %w", describeKey(key), err)
		}
		r, err := decodeShardRecord(key, value)
		if err != nil {
			return err
		}
		s.shards.set(k.shard, r)
	}
	return nil
}

// shardRecord stages the record of a shard; it holds once the batch is shown.
func (st *stage) shardRecord(shard feature.Shard, r shardRecord) {
	key := appendShardKey(nil, shard)
	st.record(key, appendShardRecord(nil, key, r))
	st.shards = append(st.shards, stagedShard{shard: shard, record: r})
}

// Note returns the note that was kept last for a shard, nil for none. It is
// shared, and must not be modified.
func (s *Store) Note(shard feature.Shard) []byte { return s.shards.get(shard).note }

// SetNote keeps another note of at most 64 KiB for a shard, nil for none, and
// returns when it is durable. Errors are those of Append that concern queue,
// disk and size.
func (s *Store) SetNote(ctx context.Context, shard feature.Shard, note []byte) error {
	if err := checkNote(note); err != nil {
		return err
	}
	note = bytes.Clone(note)
	return s.queue.run(ctx, len(note), func(ctx context.Context, c *committer) error {
		return c.alone(ctx, func(st *stage) error {
			r := s.shards.get(shard)
			r.note = note
			st.shardRecord(shard, r)
			return nil
		})
	})
}

func checkNote(note []byte) error {
	if len(note) > maxNoteBytes {
		return &TooLargeError{What: "note", Bytes: len(note), Limit: maxNoteBytes}
	}
	return nil
}
