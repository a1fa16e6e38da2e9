package online

import (
	"context"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// A walk reads in chunks: Badger's iterators hold memtables and files in memory
// while they are open, and a caller may take its time over what it was given.
const (
	chunkKeys  = 512
	chunkBytes = 1 << 20
)

// chunk is some keys with their values, copied.
type chunk struct {
	memory []byte
	ends   []int // of each key, then of its value
}

func (c *chunk) reset() { c.memory, c.ends = c.memory[:0], c.ends[:0] }

func (c *chunk) full() bool { return len(c.ends) >= 2*chunkKeys || len(c.memory) >= chunkBytes }

func (c *chunk) add(item *badger.Item) error {
	c.memory = append(c.memory, item.Key()...)
	c.ends = append(c.ends, len(c.memory))
	err := item.Value(func(value []byte) error {
		c.memory = append(c.memory, value...)
		return nil
	})
	c.ends = append(c.ends, len(c.memory))
	return err
}

func (c *chunk) len() int { return len(c.ends) / 2 }

func (c *chunk) at(i int) (key, value []byte) {
	from := 0
	if i > 0 {
		from = c.ends[2*i-1]
	}
	mid, to := c.ends[2*i], c.ends[2*i+1]
	return c.memory[from:mid:mid], c.memory[mid:to:to]
}

// walk visits the keys with a prefix, from a first one on, in the snapshot at a
// Badger timestamp, which the caller has pinned. Key and value are valid during
// the visit. It ends early when visit returns false.
func (s *Store) walk(ctx context.Context, at uint64, prefix, from []byte, visit func(key, value []byte) bool) error {
	var c chunk
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.readChunk(&c, at, prefix, from); err != nil {
			return err
		}
		for i := range c.len() {
			if !visit(c.at(i)) {
				return nil
			}
		}
		if !c.full() {
			return nil
		}
		last, _ := c.at(c.len() - 1)
		from = append(append([]byte(nil), last...), 0)
	}
}

func (s *Store) readChunk(c *chunk, at uint64, prefix, from []byte) (err error) {
	if err := s.reading(); err != nil {
		return err
	}
	defer s.done(&err)
	return c.read(s.db, at, prefix, from)
}

// read fills the chunk with the keys from a first one on. A chunk that is not
// full is the last.
func (c *chunk) read(db *badger.DB, at uint64, prefix, from []byte) error {
	c.reset()
	txn := db.NewTransactionAt(at, false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
	defer it.Close()
	for it.Seek(from); it.Valid() && !c.full(); it.Next() {
		if err := c.add(it.Item()); err != nil {
			return fmt.Errorf("read %s: %w", describeKey(it.Item().Key()), err)
		}
	}
	return nil
}
