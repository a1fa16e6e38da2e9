package online

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
	"featurestore/hlc"
)

// maxDropped is how many entries one transaction removes; others take their
// turn between two of them.
const maxDropped = 1000

// truncation serializes those who remove entries.
type truncation struct {
	turn chan struct{} // holds a token while somebody does
	// begins is, by log, before what the first entry is: what was removed leaves
	// marks that take time to step over. Who has the turn owns it.
	begins map[logID]hlc.Timestamp
	// held is what a reader besides the members has; nil for no such reader.
	held atomic.Pointer[func(feature.Shard) hlc.Vector]
}

func newTruncation() *truncation {
	return &truncation{turn: make(chan struct{}, 1), begins: map[logID]hlc.Timestamp{}}
}

func (t *truncation) begin(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *truncation) end() { <-t.turn }

// HoldLogs keeps entries from Truncate that a reader of the logs has not read:
// have returns how far it has come in each log of a shard, and is called
// while entries are removed. TruncateTo goes by its limits all the same: a reader
// that does not come along cannot fill the disk. Nil is no reader; there is one.
func (s *Store) HoldLogs(have func(feature.Shard) hlc.Vector) { s.truncation.held.Store(&have) }

// readThrough is up to where a reader lets a log go.
func (t *truncation) readThrough(log logID) hlc.Timestamp {
	have := t.held.Load()
	if have == nil || *have == nil {
		return ^hlc.Timestamp(0)
	}
	return (*have)(log.shard)[log.origin]
}

// oldEntry is an entry that may be removed.
type oldEntry struct {
	log       logID
	at        hlc.Timestamp
	sizeBytes int
}

// Truncate removes the entries of an origin's log in a shard up to and
// including a position, but none that is younger than minAge by its timestamp
// (0 for any age), and none beyond progress or held for a reader (HoldLogs).
// Reads that begin before the last
// of them are told so from then on (ErrTruncated). When it fails a prefix of
// them is gone. Errors are those of Append that concern queue and disk.
func (s *Store) Truncate(ctx context.Context, shard feature.Shard, through hlc.Position, minAge time.Duration) error {
	if err := s.truncation.begin(ctx); err != nil {
		return err
	}
	defer s.truncation.end()
	log := logID{shard: shard, origin: through.Origin}
	last := min(through.At, s.Progress(shard)[through.Origin], s.truncation.readThrough(log))
	if minAge > 0 {
		last = min(last, hlc.FromTime(s.Now().Add(-minAge)))
	}
	for {
		old, err := s.oldest(log, last)
		if err != nil {
			return fmt.Errorf("truncate the log of %v in shard %d/%d: %w", log.origin, shard.Group, shard.Partition, err)
		}
		if len(old) == 0 {
			return nil
		}
		if err := s.drop(ctx, old); err != nil {
			return err
		}
	}
}

// TruncateTo removes the oldest entries of a shard, of whatever origin, until
// its logs take at most maxBytes (see LogBytes) and none is older than maxAge. A
// bound that is not positive is none. It waits for what is there to be counted,
// by Run. When it fails the oldest are gone. Errors are those of Append that
// concern queue and disk, and ErrCorrupt.
func (s *Store) TruncateTo(ctx context.Context, shard feature.Shard, maxBytes int64, maxAge time.Duration) error {
	if err := s.truncation.begin(ctx); err != nil {
		return err
	}
	defer s.truncation.end()
	if err := s.logSizes.wait(ctx); err != nil {
		return err
	}
	for {
		var limit oldLimit
		if maxAge > 0 {
			limit.before = hlc.FromTime(s.Now().Add(-maxAge))
		}
		if size := s.LogBytes(shard); maxBytes > 0 && size > maxBytes {
			limit.bytes = size - maxBytes
		}
		var all []oldEntry
		known := s.progress.shard(shard)
		for origin := range known.heads {
			old, err := s.oldest(logID{shard: shard, origin: origin}, known.vector[origin])
			if err != nil {
				return fmt.Errorf("truncate the logs of shard %d/%d: %w", shard.Group, shard.Partition, err)
			}
			all = append(all, old...)
		}
		old := limit.choose(all)
		if len(old) == 0 {
			return nil
		}
		if err := s.drop(ctx, old); err != nil {
			return err
		}
	}
}

// wait returns when what was there at Open is counted.
func (l *logSizes) wait(ctx context.Context) error {
	l.ask()
	select {
	case <-l.counted:
		return l.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// oldLimit says what is to go: entries before a timestamp, and as many more of
// the oldest as take so many bytes.
type oldLimit struct {
	before hlc.Timestamp
	bytes  int64
}

// choose returns the oldest of what may go, at most maxDropped, oldest first.
// Of each log all holds the oldest ones, without a gap; it is reordered.
func (l oldLimit) choose(all []oldEntry) []oldEntry {
	slices.SortFunc(all, func(a, b oldEntry) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.log.origin, b.log.origin))
	})
	n := 0
	for ; n < len(all) && n < maxDropped && (all[n].at < l.before || l.bytes > 0); n++ {
		l.bytes -= int64(all[n].sizeBytes)
	}
	return all[:n]
}

// oldest returns the first entries of a log up to a timestamp, at most
// maxDropped.
func (s *Store) oldest(log logID, last hlc.Timestamp) (old []oldEntry, err error) {
	return s.stretch(log, s.truncation.begins[log], last)
}

// youngest returns the last entries of a log, beyond a timestamp, at most
// maxDropped.
func (s *Store) youngest(log logID, after hlc.Timestamp) ([]oldEntry, error) {
	var tail []oldEntry
	for {
		some, err := s.stretch(log, after+1, ^hlc.Timestamp(0))
		if err != nil || len(some) == 0 {
			return tail, err
		}
		tail = some
		if len(some) < maxDropped {
			return tail, nil
		}
		after = some[len(some)/2].at
	}
}

// stretch returns the first entries of a log from one timestamp to another, at
// most maxDropped.
func (s *Store) stretch(log logID, first, last hlc.Timestamp) (old []oldEntry, err error) {
	if err := s.reading(); err != nil {
		return nil, err
	}
	defer s.done(&err)
	at := s.snapshots.pin()
	defer s.snapshots.unpin(at)
	txn := s.db.NewTransactionAt(at, false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{Prefix: appendEntryPrefix(nil, log.shard, log.origin)})
	defer it.Close()
	for it.Seek(appendEntryKey(nil, log.shard, log.origin, first)); it.Valid() && len(old) < maxDropped; it.Next() {
		item := it.Item()
		k, err := decodeKey(item.Key())
		if err != nil {
			return nil, &CorruptError{Key: item.KeyCopy(nil), Err: err}
		}
		if k.at > last {
			break
		}
		old = append(old, oldEntry{log: log, at: k.at, sizeBytes: len(item.Key()) + int(item.ValueSize())})
	}
	return old, nil
}

// drop removes entries, of each log the first that there are, rising, and
// raises the floors in the same transaction.
func (s *Store) drop(ctx context.Context, old []oldEntry) error {
	floors := map[logID]hlc.Timestamp{}
	for i := range old {
		floors[old[i].log] = old[i].at
	}
	err := s.queue.run(ctx, 0, func(ctx context.Context, c *committer) error {
		return c.alone(ctx, func(st *stage) error {
			for i := range old {
				st.drop(&old[i])
			}
			for log, floor := range floors {
				if err := st.raiseFloor(log, floor); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("remove %d log entries: %w", len(old), err)
	}
	for log, floor := range floors {
		s.truncation.begins[log] = floor
	}
	return nil
}

// drop stages the removal of an entry.
func (st *stage) drop(e *oldEntry) {
	key := appendEntryKey(nil, e.log.shard, e.log.origin, e.at)
	st.drops = append(st.drops, stagedDrop{key: key, shard: e.log.shard, sizeBytes: e.sizeBytes})
	st.sizeBytes += entryBytes(len(key), 0)
}
