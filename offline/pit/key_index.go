package pit

import "bytes"

// keyIndex numbers distinct keys from 0, in the order in which they come. It
// is a hash table with open addressing; a lookup allocates nothing.
type keyIndex struct {
	narrow bool
	table  []indexEntry // a power of two, at most half full
	words  []uint64     // of narrow keys, by number
	bytes  []byte       // of wide keys, one after another
	ends   []int
	n      uint32
}

// indexEntry has the upper half of the hash beside the number, so that most
// entries of other keys are told apart without a look at the key.
type indexEntry struct {
	tag    uint32
	number uint32 // plus 1; 0: the entry is empty
}

func newKeyIndex(narrow bool) *keyIndex {
	return &keyIndex{narrow: narrow, table: make([]indexEntry, 64)}
}

// find returns the number of key i of b.
func (x *keyIndex) find(b *keyBatch, i int) (number uint32, ok bool) {
	hash := b.hash[i]
	tag, mask := uint32(hash>>32), uint64(len(x.table)-1)
	for at := hash & mask; ; at = (at + 1) & mask {
		e := x.table[at]
		if e.number == 0 {
			return 0, false
		}
		if e.tag == tag && x.equal(e.number-1, b, i) {
			return e.number - 1, true
		}
	}
}

// notFound stands for keys that an index does not have.
const notFound = 1<<32 - 1

// findAll appends the numbers of those keys of b that rows names.
func (x *keyIndex) findAll(dst []uint32, b *keyBatch, rows []uint32) []uint32 {
	for _, i := range rows {
		n, ok := x.find(b, int(i))
		if !ok {
			n = notFound
		}
		dst = append(dst, n)
	}
	return dst
}

func (x *keyIndex) equal(number uint32, b *keyBatch, i int) bool {
	if x.narrow {
		return x.words[number] == b.words[i]
	}
	start := 0
	if number > 0 {
		start = x.ends[number-1]
	}
	return bytes.Equal(x.bytes[start:x.ends[number]], b.at(i))
}

// number returns the number of key i of b, a new one if need be.
func (x *keyIndex) number(b *keyBatch, i int) uint32 {
	if n, ok := x.find(b, i); ok {
		return n
	}
	if int(x.n+1)*2 > len(x.table) {
		x.grow()
	}
	if x.narrow {
		x.words = append(x.words, b.words[i])
	} else {
		x.bytes = append(x.bytes, b.at(i)...)
		x.ends = append(x.ends, len(x.bytes))
	}
	x.n++
	x.put(b.hash[i], x.n)
	return x.n - 1
}

func (x *keyIndex) put(hash uint64, number uint32) {
	mask := uint64(len(x.table) - 1)
	at := hash & mask
	for x.table[at].number != 0 {
		at = (at + 1) & mask
	}
	x.table[at] = indexEntry{uint32(hash >> 32), number}
}

// grow doubles the table. It hashes the keys again: keeping their hashes would
// take as much memory as the table.
func (x *keyIndex) grow() {
	x.table = make([]indexEntry, 2*len(x.table))
	var b keyBatch
	for number := range x.n {
		b.reset(x.narrow)
		if x.narrow {
			b.addWord(x.words[number], false)
		} else {
			start := 0
			if number > 0 {
				start = x.ends[number-1]
			}
			b.addBytes(x.bytes[start:x.ends[number]], false)
		}
		x.put(b.hash[0], number+1)
	}
}

// keyBytes is about what a key takes in an index, text apart.
const keyBytes = 40

// size returns the bytes that the index holds.
func (x *keyIndex) size() int64 {
	return int64(len(x.table)*8 + cap(x.words)*8 + cap(x.bytes) + cap(x.ends)*8)
}
