package feature

import (
	"errors"
	"fmt"
	"iter"

	"featurestore/hlc"
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
func (e *EncodedCell) Value() (Value, error) {
	switch {
	case e.Null:
		return Value{}, nil
	case e.Rule == Counter:
		var sum Value
		err := e.totals(func(t Total) error { sum = addNumbers(sum, t.Sum); return nil })
		return sum, err
	case e.Rule == Set:
		var c Cell
		if err := e.decode(&c); err != nil {
			return Value{}, err
		}
		return c.Read(), nil
	case e.Rule == Siblings:
		latest, _, err := e.latest()
		return latest, err
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

// minCellBytes is the size of the smallest cell, so that a count cannot claim
// more cells than the bytes that follow it could hold.
const minCellBytes = 4

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
	if read <= 0 || n > uint64(len(rest)/minCellBytes) {
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
		if r.tombstone.ByEvent.IsZero() || r.tombstone.ByWrite.IsZero() || want > versionBytes && r.tombstone.ByWrite == r.tombstone.ByEvent {
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

// readCell reads the next cell over the one before it, part by part: a cell is
// large, and most of it stays the same from cell to cell.
func (r *RowReader) readCell() bool {
	b, c := r.rest, &r.Cell
	id, n := uvarint(alias(b))
	if n <= 0 || id > 1<<32-1 || FeatureID(id) <= c.Feature || len(b) < n+2 {
		return false
	}
	c.Feature = FeatureID(id)
	flags, kind := b[n], b[n+1]
	b = b[n+2:]
	c.Rule, c.Kind, c.Shape = Rule(flags>>4), Kind(kind&0xf), Shape(kind>>4)
	c.Null = flags&cellNull != 0
	if !c.hasValidType() || flags&0xf&^(cellVersion|cellEpoch|cellNull) != 0 {
		return false
	}
	if flags&cellVersion != 0 {
		if len(b) < versionBytes {
			return false
		}
		v := decodeVersion(b)
		if v == c.Version {
			return false
		}
		c.Version, b = v, b[versionBytes:]
	}
	if flags&cellEpoch != 0 {
		if len(b) < versionBytes || !c.Rule.Monotone() {
			return false
		}
		c.Epoch, b = decodeVersion(b), b[versionBytes:]
		if c.Epoch.IsZero() {
			return false
		}
	} else {
		c.Epoch = Version{}
	}
	size, n := uvarint(alias(b))
	if n <= 0 || size > uint64(len(b)-n) || c.Null && size != 0 && c.Rule != Siblings {
		return false
	}
	c.body, r.rest = b[n:n+int(size)], b[n+int(size):]
	return true
}

// hasValidType reports whether the cell's rule, kind and shape go together.
func (e *EncodedCell) hasValidType() bool {
	if e.Kind == Null || e.Kind >= kindEnd || e.Shape >= shapeEnd || e.Shape == Vector && e.Kind != Float32 {
		return false
	}
	switch e.Rule {
	case EventTime, WriteTime, Siblings:
		return true
	case Counter, Set:
		if e.Null {
			return false
		}
	}
	return e.Rule < ruleEnd && e.Rule.Admits(Type{Kind: e.Kind, Shape: e.Shape}) == nil
}

// Contributions yields the writes that are merged in the cell, beside the
// latest, which Version names: those of a counter's totals, of a set's elements
// and of siblings. Cells of other rules have none.
func (e *EncodedCell) Contributions() iter.Seq[hlc.Position] {
	return func(yield func(hlc.Position) bool) {
		stop := errors.New("stop")
		note := func(origin hlc.Origin, at hlc.Timestamp) error {
			if !yield(hlc.Position{Origin: origin, At: at}) {
				return stop
			}
			return nil
		}
		switch e.Rule {
		case Counter:
			_ = e.totals(func(t Total) error { return note(t.Origin, t.At) })
		case Set:
			_ = e.elements(func(x Element) error { return note(x.Origin, x.At) })
		case Siblings:
			_ = e.beside(func(s Sibling) error { return note(s.Version.Origin, s.Version.At) })
		}
	}
}
