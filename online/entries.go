package online

import (
	"context"
	"fmt"
	"iter"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// Entries yields the log of one origin in one shard, from the first entry after
// a timestamp to the progress that was published when the iteration began. It
// ends with an error, once, when ctx ends, the store is closed, or the log
// breaks off: each entry must name the one before it, the first one at or
// before after, and the last must be the head (ErrCorrupt). Entries before the
// error are good. ErrTruncated says that entries after that timestamp were
// removed. What an entry points to is valid until the next.
func (s *Store) Entries(ctx context.Context, shard feature.Shard, origin hlc.Origin, after hlc.Timestamp) iter.Seq2[oplog.Entry, error] {
	return func(yield func(oplog.Entry, error) bool) {
		known := s.progress.shard(shard)
		through, head := known.vector[origin], known.heads[origin]
		at := s.snapshots.pin()
		defer s.snapshots.unpin(at)
		if err := s.isWhole(at, logID{shard: shard, origin: origin}, after); err != nil {
			yield(oplog.Entry{}, err)
			return
		}
		chain := chain{shard: shard, origin: origin, last: after}
		stopped := false
		var fault error
		err := s.walk(ctx, at, appendEntryPrefix(nil, shard, origin), appendEntryKey(nil, shard, origin, after+1),
			func(key, value []byte) bool {
				var e oplog.Entry
				if e, fault = chain.next(key, value); fault != nil || e.At > through {
					return false
				}
				stopped = !yield(e, nil)
				return !stopped
			})
		switch {
		case stopped:
		case err != nil:
			yield(oplog.Entry{}, fmt.Errorf("log of %v in shard %d/%d after %v: %w", origin, shard.Group, shard.Partition, chain.last, err))
		case fault != nil:
			yield(oplog.Entry{}, fault)
		case chain.last < head:
			yield(oplog.Entry{}, corrupt(appendEntryKey(nil, shard, origin, head), "the log ends at %v before it", chain.last))
		}
	}
}

// isWhole returns nil when no entries of a log after a timestamp were removed.
func (s *Store) isWhole(at uint64, log logID, after hlc.Timestamp) (err error) {
	if err := s.reading(); err != nil {
		return err
	}
	defer s.done(&err)
	txn := s.db.NewTransactionAt(at, false)
	defer txn.Discard()
	floor, err := floorOf(txn, log)
	if err == nil && floor > after {
		err = fmt.Errorf("log of %v in shard %d/%d after %v: %w up to %v", log.origin, log.shard.Group, log.shard.Partition, after, ErrTruncated, floor)
	}
	return err
}

// chain follows a log from entry to entry.
type chain struct {
	shard  feature.Shard
	origin hlc.Origin
	last   hlc.Timestamp
	linked bool // last is an entry, not just where the caller began
}

// next decodes the entry after last and checks that nothing lies between.
func (c *chain) next(key, value []byte) (oplog.Entry, error) {
	k, err := decodeKey(key)
	if err != nil {
		return oplog.Entry{}, &CorruptError{Key: append([]byte(nil), key...), Err: err}
	}
	e, err := oplog.Decode(value)
	if err != nil {
		return oplog.Entry{}, &CorruptError{Key: append([]byte(nil), key...), Err: err}
	}
	switch {
	case e.At != k.at || e.Origin != k.origin:
		return oplog.Entry{}, corrupt(key, "the entry says it is %v", e.Position())
	case c.linked && e.Prev != c.last, !c.linked && e.Prev > c.last:
		return oplog.Entry{}, corrupt(key, "the entry before it is at %v, found %v", e.Prev, c.last)
	}
	c.last, c.linked = e.At, true
	return e, nil
}
