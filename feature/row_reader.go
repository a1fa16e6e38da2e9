package feature

import (
	"fmt"
	"unsafe"
)

// EncodedCell is a cell as it lies in an encoded row: enough to serve its
// value without building a Row.
type EncodedCell struct {
	Feature FeatureID
	Rule    Rule
	Kind    Kind
	Shape   Shape
	Null    bool
	Version Version
	Epoch   Version
	body    []byte
}

// Value returns what a reader of the cell sees, as Cell.Read does. It
// allocates for sets and decimal counters only; text aliases the row's bytes.
func (e EncodedCell) Value() (Value, error) {
	switch {
	case e.Null:
		return Value{}, nil
	case e.Rule == Counter:
		var sum Value
		err := e.totals(func(t Total) error { sum = addNumbers(sum, t.Sum); return nil })
		return sum, err
	case e.Rule == Set:
		c, err := e.decode()
		return c.Read(), err
	}
	return DecodeValue(e.Kind, e.Shape, e.body)
}

// RowReader walks the cells of an encoded row in order of feature id.
type RowReader struct {
	// Cell is the current cell after Next returned true.
	Cell      EncodedCell
	rest      []byte
	left      uint64
	tombstone Tombstone
	err       error
}

// ReadRow starts reading the row encoded in b. The reader and its cells alias b.
func ReadRow(b []byte) (RowReader, error) {
	if len(b) < 2 {
		return RowReader{}, fmt.Errorf("%w: row of %d bytes", ErrCorrupt, len(b))
	}
	if b[0] != rowFormat {
		return RowReader{}, fmt.Errorf("%w: row format %d, this version reads %d", ErrCorrupt, b[0], rowFormat)
	}
	r := RowReader{}
	rest, err := r.readTombstone(b[1], b[2:])
	if err != nil {
		return RowReader{}, err
	}
	n, read := uvarint(alias(rest))
	if read <= 0 || n > uint64(len(rest)) {
		return RowReader{}, fmt.Errorf("%w: cell count", ErrCorrupt)
	}
	r.rest, r.left = rest[read:], n
	return r, nil
}

func (r *RowReader) readTombstone(flags byte, b []byte) (rest []byte, err error) {
	want := 0
	if flags&rowTombstone != 0 {
		want += versionBytes
	}
	if flags&rowTombstoneSplit != 0 {
		want += versionBytes
	}
	if flags > rowTombstone|rowTombstoneSplit || flags == rowTombstoneSplit || len(b) < want {
		return nil, fmt.Errorf("%w: row flags %d", ErrCorrupt, flags)
	}
	if want > 0 {
		r.tombstone.ByEvent = decodeVersion(b)
		r.tombstone.ByWrite = r.tombstone.ByEvent
		if want > versionBytes {
			r.tombstone.ByWrite = decodeVersion(b[versionBytes:])
		}
		if r.tombstone.IsZero() || want > versionBytes && r.tombstone.ByWrite == r.tombstone.ByEvent {
			return nil, fmt.Errorf("%w: tombstone", ErrCorrupt)
		}
	}
	return b[want:], nil
}

// Tombstone returns the row's tombstone, zero when it was never deleted.
func (r *RowReader) Tombstone() Tombstone { return r.tombstone }

// Next advances to the next cell. It returns false at the end of the row and
// on corrupt bytes; Err tells which.
func (r *RowReader) Next() bool {
	if r.err != nil {
		return false
	}
	if r.left == 0 {
		if len(r.rest) > 0 {
			r.err = fmt.Errorf("%w: %d bytes after the last cell", ErrCorrupt, len(r.rest))
		}
		return false
	}
	if !r.readCell() {
		r.err = fmt.Errorf("%w: cell breaks off", ErrCorrupt)
		return false
	}
	r.left--
	return true
}

// Err returns what ended the walk early, or nil.
func (r *RowReader) Err() error { return r.err }

func (r *RowReader) readCell() bool {
	b, last := r.rest, &r.Cell
	id, n := uvarint(alias(b))
	if n <= 0 || id == 0 || id > 1<<32-1 || FeatureID(id) <= last.Feature || len(b) < n+2 {
		return false
	}
	flags, kind := b[n], b[n+1]
	b = b[n+2:]
	c := EncodedCell{
		Feature: FeatureID(id), Rule: Rule(flags >> 4), Kind: Kind(kind & 0xf), Shape: Shape(kind >> 4),
		Null: flags&cellNull != 0, Version: last.Version,
	}
	if c.Rule >= ruleEnd || c.Kind >= kindEnd || c.Kind == Null || c.Shape >= shapeEnd || flags&0xf > 7 ||
		c.Rule.Admits(Type{Kind: c.Kind, Shape: c.Shape}) != nil {
		return false
	}
	if flags&cellVersion != 0 {
		if len(b) < versionBytes {
			return false
		}
		c.Version = decodeVersion(b)
		b = b[versionBytes:]
		if c.Version == last.Version {
			return false
		}
	}
	if flags&cellEpoch != 0 {
		if len(b) < versionBytes {
			return false
		}
		c.Epoch = decodeVersion(b)
		b = b[versionBytes:]
		if c.Epoch.IsZero() || !c.Rule.Monotone() {
			return false
		}
	}
	size, n := uvarint(alias(b))
	if n <= 0 || size > uint64(len(b)-n) || c.Null && (size != 0 || c.Rule == Counter || c.Rule == Set) {
		return false
	}
	c.body, r.rest = b[n:n+int(size)], b[n+int(size):]
	r.Cell = c
	return true
}

// alias views b as a string without a copy; b must not change meanwhile.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
