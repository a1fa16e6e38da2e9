package online

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"featurestore/fault"
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
	// changed holds a token when something was published.
	changed chan struct{}

	mu struct {
		sync.Mutex
		closed  bool
		waiting int
	}
}

type shardProgress struct {
	published atomic.Pointer[published]
	waiting   waitList // under progress.mu
}

// published is what is published of one shard. It never changes.
type published struct {
	vector hlc.Vector
	// heads are the last entries at or below vector, of origins that have some.
	heads hlc.Vector
}

func newProgress(maxWaiters int) *progress {
	p := &progress{maxWaiters: maxWaiters, changed: make(chan struct{}, 1)}
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
			k, at, entry, err := decodeProgress(it.Item().Key(), value)
			if err != nil {
				return err
			}
			p.publish(k.shard, hlc.Position{Origin: k.origin, At: at}, entry)
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

// A progress value is u64 timestamp | u64 last entry | u32 crc32c. The last
// entry is left out where it is at the timestamp, as it always is in the own
// log.
const progressBytes = 8 + 8

func appendProgress(dst, key []byte, at, entry hlc.Timestamp) []byte {
	from := len(dst)
	dst = binary.BigEndian.AppendUint64(dst, uint64(at))
	if entry != at {
		dst = binary.BigEndian.AppendUint64(dst, uint64(entry))
	}
	return seal(dst, from, key)
}

func decodeProgress(key, value []byte) (k storedKey, at, entry hlc.Timestamp, err error) {
	if k, err = decodeKey(key); err != nil {
		return storedKey{}, 0, 0, &CorruptError{Key: append([]byte(nil), key...), Err: err}
	}
	body, err := unseal(key, value)
	if err != nil {
		return storedKey{}, 0, 0, err
	}
	if len(body) != 8 && len(body) != progressBytes || k.kind != kindProgress || k.origin == 0 {
		return storedKey{}, 0, 0, corrupt(key, "%d bytes of progress", len(body))
	}
	at = hlc.Timestamp(binary.BigEndian.Uint64(body))
	entry = at
	if len(body) == progressBytes {
		entry = hlc.Timestamp(binary.BigEndian.Uint64(body[8:]))
	}
	if entry > at || len(body) == progressBytes && entry == at {
		return storedKey{}, 0, 0, corrupt(key, "last entry %v of a log that is known through %v", entry, at)
	}
	return k, at, entry, nil
}

// shard returns what is published of a shard; nothing for one never written.
func (p *progress) shard(shard feature.Shard) published {
	if sp := (*p.shards.Load())[shard]; sp != nil {
		return *sp.published.Load()
	}
	return published{}
}

// vector returns a shard's published vector; nil for a shard never written.
func (p *progress) vector(shard feature.Shard) hlc.Vector { return p.shard(shard).vector }

// publish raises a shard's vector to cover pos, and the head of its origin to
// entry, and wakes who waited for that. It reports whether there was anything
// to raise.
func (p *progress) publish(shard feature.Shard, pos hlc.Position, entry hlc.Timestamp) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	sp := p.shardLocked(shard)
	next := *sp.published.Load()
	raised := next.vector[pos.Origin] < pos.At
	if raised {
		next.vector = next.vector.Clone()
		next.vector[pos.Origin] = pos.At
	}
	if next.heads[pos.Origin] < entry {
		next.heads = next.heads.Clone()
		next.heads[pos.Origin] = entry
	} else if !raised {
		return false
	}
	sp.published.Store(&next)
	p.mu.waiting -= sp.waiting.wake(next.vector, pos.Origin)
	return true
}

// lower takes a shard's vector, and the head of an origin, back to the end of a
// log that has ended.
func (p *progress) lower(shard feature.Shard, end hlc.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sp := p.shardLocked(shard)
	next := published{vector: sp.published.Load().vector.Clone(), heads: sp.published.Load().heads.Clone()}
	for _, v := range []hlc.Vector{next.vector, next.heads} {
		if v[end.Origin] = min(v[end.Origin], end.At); v[end.Origin] == 0 {
			delete(v, end.Origin)
		}
	}
	sp.published.Store(&next)
}

// signal tells the consumer of Changed that something was published.
func (p *progress) signal() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

func (p *progress) shardLocked(shard feature.Shard) *shardProgress {
	shards := *p.shards.Load()
	if sp := shards[shard]; sp != nil {
		return sp
	}
	sp := &shardProgress{}
	sp.published.Store(&published{})
	next := maps.Clone(shards)
	next[shard] = sp
	p.shards.Store(&next)
	return sp
}

// Progress returns the published progress of a shard: what a lookup that begins
// now sees, and what is durable. It is nil for a shard without writes, is
// shared, and must not be modified.
//
// It includes claims (see Claim), which are not durable and begin anew at Open.
func (s *Store) Progress(shard feature.Shard) hlc.Vector { return s.progress.vector(shard) }

// Heads returns the timestamp of the last entry that is here of each origin's
// log, truncated ones included, at or below what Progress returns from now on.
// Origins without entries are absent. It is shared, and must not be modified.
func (s *Store) Heads(shard feature.Shard) hlc.Vector { return s.progress.shard(shard).heads }

// Changed returns a channel that receives after progress was published, by
// writes, joins and claims. Signals are not counted, so what they tell of is to
// be looked up. It is for one consumer.
func (s *Store) Changed() <-chan struct{} { return s.progress.changed }

// Claim publishes that nothing of an origin lies between its published progress
// and at, so progress may be raised to there without a commit. It never lowers
// anything, and claims nothing about the store's own origin. It is not durable.
func (s *Store) Claim(shard feature.Shard, at hlc.Position) {
	if at.Origin == 0 || s.isOwn(logID{shard: shard, origin: at.Origin}) {
		return
	}
	if s.progress.publish(shard, at, 0) {
		s.progress.signal()
	}
}

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
	if s.cfg.Faults.Has(fault.ClaimUnwritten) {
		return s.closeUpToNow()
	}
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
