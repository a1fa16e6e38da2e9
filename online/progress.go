package online

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
	"featurestore/hlc"
)

// progress holds the published vectors of all shards, and who waits for them.
type progress struct {
	maxWaiters int
	// shards is replaced, never changed, so that lookups read it without a lock.
	shards atomic.Pointer[map[feature.Shard]*shardProgress]
	// own is the greatest timestamp of the store's own origin that Closed may
	// claim.
	own atomic.Uint64

	mu struct {
		sync.Mutex
		closed  bool
		waiting int
	}
}

type shardProgress struct {
	vector  atomic.Pointer[hlc.Vector]
	waiting waitList // under progress.mu
}

func newProgress(maxWaiters int) *progress {
	p := &progress{maxWaiters: maxWaiters}
	p.shards.Store(&map[feature.Shard]*shardProgress{})
	return p
}

// loadProgress reads the durable part of every shard's progress: one short
// record for each shard and origin.
func (s *Store) loadProgress() (*progress, error) {
	p := newProgress(s.cfg.Waiters)
	txn := s.db.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	options := badger.DefaultIteratorOptions
	options.Prefix = []byte{byte(kindProgress)}
	it := txn.NewIterator(options)
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		err := it.Item().Value(func(value []byte) error {
			k, at, err := decodeProgress(it.Item().Key(), value)
			if err != nil {
				return err
			}
			p.publish(k.shard, hlc.Position{Origin: k.origin, At: at})
			if k.origin == s.identity.Origin {
				p.raiseOwn(at)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("load progress: %w", err)
		}
	}
	return p, nil
}

// A progress value is u64 timestamp | u32 crc32c.
func appendProgress(dst, key []byte, at hlc.Timestamp) []byte {
	from := len(dst)
	return seal(binary.BigEndian.AppendUint64(dst, uint64(at)), from, key)
}

func decodeProgress(key, value []byte) (storedKey, hlc.Timestamp, error) {
	k, err := decodeKey(key)
	if err != nil {
		return storedKey{}, 0, &CorruptError{Key: append([]byte(nil), key...), Err: err}
	}
	body, err := unseal(key, value)
	if err != nil {
		return storedKey{}, 0, err
	}
	if len(body) != 8 || k.kind != kindProgress || k.origin == 0 {
		return storedKey{}, 0, corrupt(key, "%d bytes of progress", len(body))
	}
	return k, hlc.Timestamp(binary.BigEndian.Uint64(body)), nil
}

// vector returns a shard's published vector; nil for a shard never written.
func (p *progress) vector(shard feature.Shard) hlc.Vector {
	if sp := (*p.shards.Load())[shard]; sp != nil {
		return *sp.vector.Load()
	}
	return nil
}

// publish raises a shard's vector to cover pos and wakes who waited for it.
func (p *progress) publish(shard feature.Shard, pos hlc.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sp := p.shardLocked(shard)
	old := *sp.vector.Load()
	if old[pos.Origin] >= pos.At {
		return
	}
	next := make(hlc.Vector, len(old)+1)
	maps.Copy(next, old)
	next[pos.Origin] = pos.At
	sp.vector.Store(&next)
	p.mu.waiting -= sp.waiting.wake(next, pos.Origin)
}

func (p *progress) shardLocked(shard feature.Shard) *shardProgress {
	shards := *p.shards.Load()
	if sp := shards[shard]; sp != nil {
		return sp
	}
	sp := &shardProgress{}
	sp.vector.Store(&hlc.Vector{})
	next := maps.Clone(shards)
	next[shard] = sp
	p.shards.Store(&next)
	return sp
}

// Progress returns the published progress of a shard: what a lookup that begins
// now sees, and what is durable. It is nil for a shard without writes, is
// shared, and must not be modified.
func (s *Store) Progress(shard feature.Shard) hlc.Vector { return s.progress.vector(shard) }

// Closed returns a timestamp up to which every entry of the store's own origin,
// in every shard, is durable and readable, and at or below which none will
// follow, even after a restart. Between commits it is the present, during one
// the moment at which it began, so one store alone is never stale. It may wait
// for the disk about once a second.
func (s *Store) Closed() (at hlc.Timestamp, err error) {
	if err := s.reading(); err != nil {
		return 0, err
	}
	defer s.done(&err)
	if !s.assigning.TryRLock() {
		// Timestamps have been given out that are not published yet.
		return hlc.Timestamp(s.progress.own.Load()), nil
	}
	defer s.assigning.RUnlock()
	return s.closeUpToNow()
}

// closeUpToNow is Closed while no entry is on its way: the committer calls it
// between batches, others with assigning read-locked.
func (s *Store) closeUpToNow() (hlc.Timestamp, error) {
	now, err := s.clock.Now()
	if err != nil {
		return 0, fmt.Errorf("close the log up to now: %w", err)
	}
	s.progress.raiseOwn(now)
	return now, nil
}

// raiseOwn lets Closed claim everything up to at.
func (p *progress) raiseOwn(at hlc.Timestamp) {
	for {
		old := p.own.Load()
		if old >= uint64(at) || p.own.CompareAndSwap(old, uint64(at)) {
			return
		}
	}
}
