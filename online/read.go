package online

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// Read looks up what b asks for. Every row is at least as new as what Progress
// said before the call (S4). Rows are read one by one: those of one batch may
// come from different moments. After an error b holds no rows; errors are
// ctx's, ErrTooLarge (see Batch.MaxBytes), ErrClosed and ErrCorrupt.
//
// It does not allocate when the hot tier has all rows and b is warm.
func (s *Store) Read(ctx context.Context, b *Batch) error {
	if s.ReadHot(b) {
		return nil
	}
	return s.ReadMissed(ctx, b)
}

// ReadHot is the part of Read that never waits: it takes from memory what is
// there, and reports whether that is all. If not, ReadMissed must follow.
func (s *Store) ReadHot(b *Batch) (all bool) {
	b.clearRows()
	s.hot.read(b)
	return len(b.missed) == 0 && !b.isFull()
}

// ReadMissed reads what ReadHot did not find.
func (s *Store) ReadMissed(ctx context.Context, b *Batch) error {
	began := time.Now()
	err := s.readSettled(ctx, b)
	if err != nil {
		b.clearRows()
	}
	s.metrics.read(ctx, time.Since(began), err)
	return err
}

// readSettled reads from Badger until a snapshot held through the whole reading.
func (s *Store) readSettled(ctx context.Context, b *Batch) (err error) {
	if err := s.reading(); err != nil {
		return err
	}
	defer s.done(&err)
	if b.isFull() {
		return &TooLargeError{What: "batch of rows", Bytes: len(b.rows), Limit: b.MaxBytes}
	}
	b.sortMissed()
	rows := len(b.rows)
	for {
		at := s.published.Load()
		err := s.readAt(ctx, b, at)
		if s.snapshots.holds(at) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		b.rows = b.rows[:rows]
	}
}

// readAt reads the missed rows in one transaction and offers them to the hot
// tier.
func (s *Store) readAt(ctx context.Context, b *Batch, at uint64) error {
	txn := s.db.NewTransactionAt(at, false)
	defer txn.Discard()
	for n, i := range b.missed {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read %d of %d rows: %w", n, len(b.missed), err)
		}
		key, from := b.key(i), len(b.rows)
		var err error
		if b.rows, err = appendRow(b.rows, txn, key); err != nil {
			return err
		}
		b.put(i, from)
		if b.isFull() {
			return &TooLargeError{What: "batch of rows", Bytes: len(b.rows), Limit: b.MaxBytes}
		}
	}
	b.fills = b.fills[:0]
	for _, i := range b.missed {
		b.fills = append(b.fills, hotRow{key: b.key(i), row: b.rows[b.spans[i].from:b.spans[i].to]})
	}
	s.hot.fill(b.fills, at)
	return nil
}

// appendRow appends the row under key to dst, nothing when there is none.
func appendRow(dst []byte, txn *badger.Txn, key []byte) ([]byte, error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return dst, nil
	}
	if err != nil {
		return dst, fmt.Errorf("read %s: %w", describeKey(key), err)
	}
	err = item.Value(func(value []byte) error {
		row, err := unseal(key, value)
		dst = append(dst, row...)
		return err
	})
	return dst, err
}
