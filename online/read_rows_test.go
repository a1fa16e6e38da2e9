package online

import (
	"bytes"
	"errors"
	"testing"

	"featurestore/feature"
)

// Rows by key are those that a Read finds, as many as the limit holds and one at
// least.
func TestReadRowsReturnsWhatReadFinds(t *testing.T) {
	h := openHouse(t)
	var keys []feature.RowKey
	var want [][]byte
	var b Batch
	for id := range int64(6) {
		p := bigNote(id)
		if id != 3 { // of which there is no row
			h.append(write(p))
		}
		b.Add(p.Shard, p.View, p.Key)
	}
	keys = b.RowKeys()
	if err := h.Read(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	for i := range keys {
		want = append(want, bytes.Clone(b.Row(i)))
	}
	b.Reset() // keys and rows are the caller's
	b.Add(feature.Shard{}, 1, feature.Key("another"))
	const size = 200 << 10 // a note's
	for _, c := range []struct{ limit, rows int }{{1 << 30, 6}, {4 * size, 3}, {size / 2, 1}} {
		got, err := h.ReadRows(t.Context(), keys, c.limit)
		if err != nil || len(got) != c.rows {
			t.Fatalf("limit %d: got %d rows, %v, want %d", c.limit, len(got), err, c.rows)
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) || (got[i] == nil) != (i == 3) {
				t.Errorf("limit %d: row %d has %d bytes, want %d", c.limit, i, len(got[i]), len(want[i]))
			}
		}
	}
	b.Reset()
	for _, k := range keys {
		b.Add(k.Shard, k.View, k.Key)
	}
	if err := b.SetRows(want); err != nil {
		t.Fatal(err)
	}
	for i := range keys {
		if !bytes.Equal(b.Row(i), want[i]) || (b.Row(i) == nil) != (i == 3) {
			t.Errorf("row %d set is not the row got", i)
		}
	}
	b.MaxBytes = size
	if err := b.SetRows(want); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want that they are too large together", err)
	}
}
