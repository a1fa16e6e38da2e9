package pit

import (
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/zeebo/xxh3"
)

// keyClass says which values are compared with one another. Values of two
// classes are never equal, so no join compares them.
type keyClass uint8

const (
	noClass    keyClass = iota // cannot be a key
	intClass                   // integers of any width, by value
	floatClass                 // floats of any width, by value; -0 is 0, NaN is nothing
	boolClass
	timeClass // timestamps of any unit and zone, as nanoseconds
	textClass
	bytesClass // binary of any or fixed length
)

// classOf returns the class of an Arrow type, looking through dictionaries.
func classOf(t arrow.DataType) keyClass {
	switch t.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64:
		return intClass
	case arrow.FLOAT32, arrow.FLOAT64:
		return floatClass
	case arrow.BOOL:
		return boolClass
	case arrow.TIMESTAMP:
		return timeClass
	case arrow.STRING, arrow.LARGE_STRING:
		return textClass
	case arrow.BINARY, arrow.LARGE_BINARY, arrow.FIXED_SIZE_BINARY:
		return bytesClass
	case arrow.DICTIONARY:
		return classOf(t.(*arrow.DictionaryType).ValueType)
	}
	return noClass
}

// narrow reports whether keys of these classes are one word of 64 bits.
func narrow(classes []keyClass) bool {
	return len(classes) == 1 && classes[0] < textClass
}

// keyBatch holds the keys of consecutive rows. A narrow key is a word; a wide
// one is bytes, in which each value has a fixed length or is preceded by its
// length, so that values never run into each other.
type keyBatch struct {
	narrow bool
	hash   []uint64
	null   []bool // the key has a null: it equals nothing
	words  []uint64
	bytes  []byte // of wide keys, one after another
	ends   []int  // where in bytes each key ends
}

func (b *keyBatch) len() int { return len(b.hash) }

// at returns the bytes of a wide key.
func (b *keyBatch) at(i int) []byte {
	if i == 0 {
		return b.bytes[:b.ends[0]]
	}
	return b.bytes[b.ends[i-1]:b.ends[i]]
}

func (b *keyBatch) reset(narrow bool) {
	b.narrow = narrow
	b.hash, b.null, b.words, b.bytes, b.ends = b.hash[:0], b.null[:0], b.words[:0], b.bytes[:0], b.ends[:0]
}

// addWord appends a narrow key.
func (b *keyBatch) addWord(word uint64, null bool) {
	b.words, b.null, b.hash = append(b.words, word), append(b.null, null), append(b.hash, mix(word))
}

// addBytes appends a wide key.
func (b *keyBatch) addBytes(key []byte, null bool) {
	b.bytes = append(b.bytes, key...)
	b.closeKey(len(b.bytes)-len(key), null)
}

// closeKey ends the wide key that begins at start.
func (b *keyBatch) closeKey(start int, null bool) {
	b.ends, b.null = append(b.ends, len(b.bytes)), append(b.null, null)
	b.hash = append(b.hash, xxh3.Hash(b.bytes[start:]))
}

// mix spreads a word over 64 bits (the finalizer of MurmurHash3).
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// keyError is a key that cannot be compared: a time beyond nanoseconds.
type keyError struct {
	column, row int
	err         error
}

// Error is completed by the caller, who knows the names.
func (e *keyError) Error() string { return fmt.Sprintf("key %d, row %d: %v", e.column, e.row, e.err) }

// Unwrap returns what is wrong with the value.
func (e *keyError) Unwrap() error { return e.err }

// read sets b to the keys of the columns' rows.
func (b *keyBatch) read(columns []arrow.Array, classes []keyClass) *keyError {
	b.reset(narrow(classes))
	values := make([]keyColumn, len(columns))
	for i, column := range columns {
		values[i] = keyColumnOf(column, classes[i])
	}
	rows := columns[0].Len()
	if b.narrow {
		return b.readWords(values[0], rows)
	}
	for row := range rows {
		start, null := len(b.bytes), false
		for c := range values {
			v := &values[c]
			if v.isNull(row) {
				null = true
				continue
			}
			if v.text != nil {
				text := v.text(row)
				b.bytes = binary.LittleEndian.AppendUint64(b.bytes, uint64(len(text)))
				b.bytes = append(b.bytes, text...)
				continue
			}
			word, exists, err := v.word(row)
			if err != nil {
				return &keyError{c, row, err}
			}
			null = null || !exists
			b.bytes = binary.LittleEndian.AppendUint64(b.bytes, word)
		}
		b.closeKey(start, null)
	}
	return nil
}

func (b *keyBatch) readWords(v keyColumn, rows int) *keyError {
	if a, ok := v.array.(*array.Int64); ok && a.NullN() == 0 { // the usual key
		for _, n := range a.Int64Values() {
			b.addWord(uint64(n), false)
		}
		return nil
	}
	for row := range rows {
		if v.isNull(row) {
			b.addWord(0, true)
			continue
		}
		word, exists, err := v.word(row)
		if err != nil {
			return &keyError{0, row, err}
		}
		b.addWord(word, !exists)
	}
	return nil
}
