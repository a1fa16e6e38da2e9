package online

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"featurestore/feature"
)

// KeyedRow is a row with its entity key. Both are valid until the next one.
type KeyedRow struct {
	Key feature.Key
	Row []byte // in the encoding of feature.AppendRow
}

// Scan yields the current rows of one view in one shard by rising key, all from
// one moment: the one when the iteration began. Rows with nothing but a
// tombstone are among them. It ends with an error, once, when ctx ends, the
// store is closed, or a row is corrupt.
func (s *Store) Scan(ctx context.Context, shard feature.Shard, view feature.ViewID) iter.Seq2[KeyedRow, error] {
	return s.ScanAfter(ctx, shard, view, nil)
}

// ScanAfter is Scan of the rows whose keys are greater than one; nil: of all.
func (s *Store) ScanAfter(ctx context.Context, shard feature.Shard, view feature.ViewID, after feature.Key) iter.Seq2[KeyedRow, error] {
	return func(yield func(KeyedRow, error) bool) {
		at := s.snapshots.pin()
		defer s.snapshots.unpin(at)
		prefix := appendRowPrefix(nil, shard, view)
		from := prefix
		if after != nil {
			from = append(append(bytes.Clone(prefix), after...), 0)
		}
		stopped := false
		var fault error
		err := s.walk(ctx, at, prefix, from, func(key, value []byte) bool {
			var row []byte
			if row, fault = unseal(key, value); fault != nil {
				return false
			}
			stopped = !yield(KeyedRow{Key: feature.Key(key[len(prefix):]), Row: row}, nil)
			return !stopped
		})
		switch {
		case stopped:
		case err != nil:
			yield(KeyedRow{}, fmt.Errorf("scan view %d in shard %d/%d: %w", view, shard.Group, shard.Partition, err))
		case fault != nil:
			yield(KeyedRow{}, fault)
		}
	}
}
