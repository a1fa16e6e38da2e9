package online

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"featurestore/feature"
)

var batches = sync.Pool{New: func() any { return new(Batch) }}

// maxBatchBytes bounds the memory that a batch keeps for the next one.
const maxBatchBytes = 1 << 20

// ReadRows looks up rows as Read does, for callers that keep them: each nil, or
// in the encoding of feature.AppendRow. It returns those of all keys, or of the
// first as far as maxBytes hold, of one at least.
func (s *Store) ReadRows(ctx context.Context, keys []feature.RowKey, maxBytes int) ([][]byte, error) {
	b := batches.Get().(*Batch)
	defer func() {
		if cap(b.rows) <= maxBatchBytes {
			batches.Put(b)
		}
	}()
	for {
		b.Reset()
		for _, k := range keys {
			b.Add(k.Shard, k.View, k.Key)
		}
		if b.MaxBytes = maxBytes; len(keys) == 1 {
			b.MaxBytes = 0
		}
		err := s.Read(ctx, b)
		if errors.Is(err, ErrTooLarge) {
			keys = keys[:(len(keys)+1)/2]
			continue
		}
		if err != nil {
			return nil, err
		}
		rows := make([][]byte, len(keys))
		for i := range rows {
			rows[i] = bytes.Clone(b.Row(i))
		}
		return rows, nil
	}
}

// RowKeys returns the names of the rows that b asks for. They are the caller's.
func (b *Batch) RowKeys() []feature.RowKey {
	keys := bytes.Clone(b.keys)
	out := make([]feature.RowKey, len(b.ends))
	from := 0
	for i, to := range b.ends {
		k, err := decodeKey(keys[from:to:to])
		if err != nil {
			panic(err) // Add made it
		}
		out[i], from = feature.RowKey{Shard: k.shard, View: k.view, Key: k.entity}, to
	}
	return out
}

// SetRows puts rows that were read elsewhere in the place of what a Read finds:
// one for each row that b asks for, nil where there is none. Rows beyond MaxBytes
// are ErrTooLarge.
func (b *Batch) SetRows(rows [][]byte) error {
	b.clearRows()
	for i, row := range rows {
		from := len(b.rows)
		b.rows = append(b.rows, row...)
		b.spans = append(b.spans, span{})
		b.put(i, from)
		if b.isFull() {
			return &TooLargeError{What: "batch of rows", Bytes: len(b.rows), Limit: b.MaxBytes}
		}
	}
	return nil
}
