package online

import (
	"context"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// ReadLog returns entries of an origin after a position, up to the progress
// that was published when it began: of about maxBytes at most, but one at the
// least when there are any. The interval goes through its last entry; with none
// it goes nowhere, through after. Entries own their memory.
//
// A floor above after says that entries up to there were truncated; none are
// returned then. Errors are ctx's, ErrClosed, and ErrCorrupt for a log that
// breaks off or cannot be read.
func (s *Store) ReadLog(ctx context.Context, shard feature.Shard, origin hlc.Origin, after hlc.Timestamp, maxBytes int) (iv oplog.Interval, floor hlc.Timestamp, err error) {
	iv = oplog.Interval{Shard: shard, Origin: origin, After: after, Through: after}
	if err := ctx.Err(); err != nil {
		return iv, 0, err
	}
	if err := s.reading(); err != nil {
		return iv, 0, err
	}
	defer s.done(&err)
	known := s.progress.shard(shard)
	at := s.snapshots.pin()
	defer s.snapshots.unpin(at)
	txn := s.db.NewTransactionAt(at, false)
	defer txn.Discard()
	forgets := s.cfg.Faults.Has(fault.ForgetFloor)
	if floor, err = floorOf(txn, logID{shard: shard, origin: origin}); err != nil || floor > after && !forgets {
		return iv, floor, err
	}
	if known.heads[origin] > after {
		err := readLog(txn, &iv, known.heads[origin], maxBytes, forgets)
		if err != nil {
			return oplog.Interval{}, 0, fmt.Errorf("log of %v in shard %d/%d after %v: %w", origin, shard.Group, shard.Partition, after, err)
		}
	}
	if forgets {
		floor = 0
	}
	return iv, floor, nil
}

// readLog appends to iv the entries that follow it, up to head. Anywhere takes
// any entry for the first that follows, and none for the end.
func readLog(txn *badger.Txn, iv *oplog.Interval, head hlc.Timestamp, maxBytes int, anywhere bool) error {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: appendEntryPrefix(nil, iv.Shard, iv.Origin)})
	defer it.Close()
	chain := chain{shard: iv.Shard, origin: iv.Origin, last: iv.After}
	if anywhere {
		chain.last = head
	}
	size := 0
	for it.Seek(appendEntryKey(nil, iv.Shard, iv.Origin, iv.After+1)); it.Valid() && iv.Through < head; it.Next() {
		item := it.Item()
		if size += int(item.ValueSize()); size > maxBytes && len(iv.Entries) > 0 {
			return nil
		}
		raw, err := item.ValueCopy(nil)
		if err != nil {
			return fmt.Errorf("read %s: %w", describeKey(item.Key()), err)
		}
		e, err := chain.next(item.Key(), raw)
		if err != nil {
			return err
		}
		iv.Entries = append(iv.Entries, oplog.Logged{Entry: e, Raw: raw})
		iv.Through = e.At
	}
	if iv.Through < head && !anywhere {
		return corrupt(appendEntryKey(nil, iv.Shard, iv.Origin, head), "the log ends at %v before it", iv.Through)
	}
	return nil
}
