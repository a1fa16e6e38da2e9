package online

import (
	"bytes"
	"slices"

	"featurestore/feature"
)

// Batch is a set of rows to look up, and then what was found. It is meant to be
// reused: after a few lookups it allocates no more. It belongs to one goroutine
// at a time. The zero value is ready.
type Batch struct {
	// MaxBytes bounds the rows together, 0 not at all. A Read that comes to more
	// ends with ErrTooLarge: a few large rows, asked for often, must not fill
	// memory.
	MaxBytes int

	keys  []byte // one after the other
	ends  []int  // where each key ends
	rows  []byte // one after the other
	spans []span // where each row lies
	// missed are the indexes that the hot tier could not answer, by rising key.
	missed []int
	fills  []hotRow // what is offered to the hot tier
	hashes []uint64 // of the keys
	// touched keeps the compiler from leaving out the loads of hotTable.touch.
	touched uint64
}

// span is a row's place in Batch.rows.
type span struct {
	from, to int
	found    bool
}

// Reset empties the batch and keeps its memory. Rows got from it are invalid.
func (b *Batch) Reset() {
	b.keys, b.ends = b.keys[:0], b.ends[:0]
	b.clearRows()
}

func (b *Batch) clearRows() {
	b.rows, b.spans, b.missed = b.rows[:0], b.spans[:0], b.missed[:0]
}

// Add asks for one row and returns its index. The key is copied. The same row
// may be asked for twice.
func (b *Batch) Add(shard feature.Shard, view feature.ViewID, key feature.Key) int {
	b.keys = appendRowKey(b.keys, shard, view, key)
	b.ends = append(b.ends, len(b.keys))
	return len(b.ends) - 1
}

// Len returns how many rows were asked for.
func (b *Batch) Len() int { return len(b.ends) }

// Row returns row i in the encoding of feature.AppendRow, or nil when there is
// none. It may be called after a Read without error, aliases the batch, and is
// valid until Reset or the next Read.
func (b *Batch) Row(i int) []byte {
	s := b.spans[i]
	if !s.found {
		return nil
	}
	return b.rows[s.from:s.to:s.to]
}

// key returns key i.
func (b *Batch) key(i int) []byte {
	from := 0
	if i > 0 {
		from = b.ends[i-1]
	}
	return b.keys[from:b.ends[i]]
}

// sortMissed orders the missed by key: neighbours lie in one block.
func (b *Batch) sortMissed() {
	slices.SortFunc(b.missed, func(i, j int) int { return bytes.Compare(b.key(i), b.key(j)) })
}

// isFull reports that the rows are beyond MaxBytes.
func (b *Batch) isFull() bool { return b.MaxBytes > 0 && len(b.rows) > b.MaxBytes }

// put records a row that was appended to rows since from.
func (b *Batch) put(i, from int) {
	b.spans[i] = span{from: from, to: len(b.rows), found: len(b.rows) > from}
}
