package online

import (
	"context"
	"fmt"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
)

// logSizes knows about what the logs of each shard take. What is added and
// removed is counted as it is committed; what was there at Open is counted once
// somebody asks, by Run.
type logSizes struct {
	asked   chan struct{} // holds a token once somebody asked
	counted chan struct{} // closed when what was there is counted, or err set
	err     error         // why it could not be counted

	mu struct {
		sync.Mutex
		bytes map[feature.Shard]int64
	}
}

func newLogSizes() *logSizes {
	l := &logSizes{asked: make(chan struct{}, 1), counted: make(chan struct{})}
	l.mu.bytes = map[feature.Shard]int64{}
	return l
}

// LogBytes returns about what the logs of a shard take. Until what was there at
// Open is counted, which the first call begins, it is what was written since.
func (s *Store) LogBytes(shard feature.Shard) int64 {
	s.logSizes.ask()
	s.logSizes.mu.Lock()
	defer s.logSizes.mu.Unlock()
	return max(0, s.logSizes.mu.bytes[shard])
}

func (l *logSizes) ask() {
	select {
	case l.asked <- struct{}{}:
	default:
	}
}

// publish calls show, which makes a commit of the stage readable, and counts
// it: nobody takes a snapshot between the two.
func (l *logSizes) publish(st *stage, show func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	show()
	for i := range st.entries {
		e := &st.entries[i]
		l.mu.bytes[e.log.shard] += int64(len(e.key) + len(e.value))
	}
	for i := range st.drops {
		l.mu.bytes[st.drops[i].shard] -= int64(st.drops[i].sizeBytes)
	}
}

// countLogs waits until somebody asks, then counts what is there.
func (s *Store) countLogs(ctx context.Context) {
	l := s.logSizes
	defer close(l.counted)
	select {
	case <-l.asked:
	case <-ctx.Done():
		l.err = ErrClosed
		return
	}
	l.mu.Lock()
	clear(l.mu.bytes)
	at := s.snapshots.pin()
	l.mu.Unlock()
	defer s.snapshots.unpin(at)
	found := map[feature.Shard]int64{}
	if err := s.sumLogs(ctx, at, found); err != nil {
		l.err = fmt.Errorf("count what the logs take: %w", err)
	}
	l.mu.Lock()
	for shard, n := range found {
		l.mu.bytes[shard] += n
	}
	l.mu.Unlock()
}

// sumLogs adds up the sizes of all log entries in a snapshot, some at a time.
func (s *Store) sumLogs(ctx context.Context, at uint64, found map[feature.Shard]int64) error {
	from := []byte{byte(kindEntry)}
	for from != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		from, err = s.sumSome(at, from, found)
		if err != nil {
			return err
		}
	}
	return nil
}

// sumSome returns the key to go on from, nil at the end.
func (s *Store) sumSome(at uint64, from []byte, found map[feature.Shard]int64) (next []byte, err error) {
	if err := s.reading(); err != nil {
		return nil, err
	}
	defer s.done(&err)
	txn := s.db.NewTransactionAt(at, false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{byte(kindEntry)}})
	defer it.Close()
	n := 0
	for it.Seek(from); it.Valid(); it.Next() {
		item := it.Item()
		if n++; n > keysAtOnce {
			return item.KeyCopy(nil), nil
		}
		k, err := decodeKey(item.Key())
		if err != nil {
			return nil, &CorruptError{Key: item.KeyCopy(nil), Err: err}
		}
		found[k.shard] += int64(len(item.Key())) + item.ValueSize()
	}
	return nil, nil
}

// keysAtOnce bounds how long an iterator that looks at keys alone stays open.
const keysAtOnce = 4096
