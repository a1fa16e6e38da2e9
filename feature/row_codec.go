package feature

import (
	"encoding/binary"
	"fmt"
	"slices"

	"featurestore/hlc"
)

// Encoding of a row. Version is 22 bytes (see version.go).
//
//	Row  = u8 format | u8 flags | [Version ByEvent] [Version ByWrite]
//	       | uvarint n | n x Cell
//	Cell = uvarint feature | u8 rule<<4|flags | u8 shape<<4|kind
//	       | [Version] [Version epoch] | uvarint length | body
//	body = value (event_time, write_time, max, min; empty for null)
//	     | counter: n x { u32 origin | u64 at | element }
//	     | set:     n x { u64 at | u32 origin | u8 present | element }
//	     | siblings: uvarint length | value | uvarint m | m x { u32 origin | u64 at }
//	       | n x { Version | u8 null | uvarint length | value }
//
// A cell's version is left out when it equals the one of the cell before it, so
// that a row written whole stores one. Every row has exactly one encoding.
const rowFormat = 1

const (
	rowTombstone      = 1 << 0 // ByEvent follows
	rowTombstoneSplit = 1 << 1 // ByWrite differs and follows too
	cellVersion       = 1 << 0 // version differs from the cell before
	cellEpoch         = 1 << 1 // epoch is not zero
	cellNull          = 1 << 2 // a stored null
)

// AppendRow appends the encoding of r to dst.
func AppendRow(dst []byte, r Row) []byte {
	flags := byte(0)
	if !r.Tombstone.IsZero() {
		flags |= rowTombstone
		if r.Tombstone.ByWrite != r.Tombstone.ByEvent {
			flags |= rowTombstoneSplit
		}
	}
	dst = append(dst, rowFormat, flags)
	if flags&rowTombstone != 0 {
		dst = appendVersion(dst, r.Tombstone.ByEvent)
	}
	if flags&rowTombstoneSplit != 0 {
		dst = appendVersion(dst, r.Tombstone.ByWrite)
	}
	dst = binary.AppendUvarint(dst, uint64(len(r.Cells)))
	var last Version
	for i := range r.Cells {
		dst = appendCell(dst, &r.Cells[i], last)
		last = r.Cells[i].Version
	}
	return dst
}

func appendCell(dst []byte, c *Cell, last Version) []byte {
	flags := byte(0)
	if c.Version != last {
		flags |= cellVersion
	}
	if !c.Epoch.IsZero() {
		flags |= cellEpoch
	}
	if c.isNull() {
		flags |= cellNull
	}
	dst = binary.AppendUvarint(dst, uint64(c.Feature))
	dst = append(dst, byte(c.Rule)<<4|flags, byte(c.Shape)<<4|byte(c.Kind))
	if flags&cellVersion != 0 {
		dst = appendVersion(dst, c.Version)
	}
	if flags&cellEpoch != 0 {
		dst = appendVersion(dst, c.Epoch)
	}
	if !c.Rule.Merges() {
		dst = binary.AppendUvarint(dst, uint64(c.Value.size()))
		return AppendValue(dst, c.Value)
	}
	// The length of these is known only afterwards.
	start := len(dst)
	dst = appendMerged(dst, c)
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(len(dst)-start))
	return slices.Insert(dst, start, length[:n]...)
}

func (c *Cell) isNull() bool {
	return c.Rule != Counter && c.Rule != Set && c.Value.IsNull()
}

// appendMerged appends the body of a cell whose contents merge.
func appendMerged(dst []byte, c *Cell) []byte {
	switch c.Rule {
	case Counter:
		for _, t := range c.Totals {
			dst = binary.BigEndian.AppendUint32(dst, uint32(t.Origin))
			dst = binary.BigEndian.AppendUint64(dst, uint64(t.At))
			dst = appendElem(dst, t.Sum)
		}
	case Set:
		for _, e := range c.Elements {
			dst = binary.BigEndian.AppendUint64(dst, uint64(e.At))
			dst = binary.BigEndian.AppendUint32(dst, uint32(e.Origin))
			present := byte(0)
			if e.Present {
				present = 1
			}
			dst = appendElem(append(dst, present), e.Value)
		}
	case Siblings:
		dst = appendSiblings(dst, c)
	}
	return dst
}

// DecodeRow is the inverse of AppendRow. The row's values alias b, which must
// not change while the row is in use. What AppendRow would write differently
// is an error (F5).
func DecodeRow(b []byte) (Row, error) {
	r, err := ReadRow(b)
	if err != nil {
		return Row{}, err
	}
	row := Row{Tombstone: r.tombstone, Cells: make([]Cell, r.left)}
	for i := 0; r.Next(); i++ {
		c := &row.Cells[i]
		if err := r.Cell.decode(c); err != nil {
			return Row{}, err
		}
		if row.Tombstone.covers(c) {
			return Row{}, fmt.Errorf("%w: feature %d is older than the delete beside it", ErrCorrupt, c.Feature)
		}
	}
	if r.err != nil {
		return Row{}, r.err
	}
	return row, nil
}

// decode fills c, which is zero.
func (e *EncodedCell) decode(c *Cell) (err error) {
	c.Feature, c.Rule, c.Kind, c.Shape = e.Feature, e.Rule, e.Kind, e.Shape
	c.Version, c.Epoch = e.Version, e.Epoch
	switch e.Rule {
	case Counter:
		err = e.totals(func(t Total) error {
			if n := len(c.Totals); n > 0 && c.Totals[n-1].Origin >= t.Origin {
				return fmt.Errorf("%w: counter totals out of order", ErrCorrupt)
			}
			c.Totals = append(c.Totals, t)
			return nil
		})
	case Set:
		err = e.elements(func(x Element) error {
			if n := len(c.Elements); n > 0 && compareElements(c.Elements[n-1], x) >= 0 {
				return fmt.Errorf("%w: set elements out of order", ErrCorrupt)
			}
			c.Elements = append(c.Elements, x)
			return nil
		})
	case Siblings:
		err = e.siblings(c)
	default:
		c.Value, err = e.Value()
	}
	return err
}

func (e *EncodedCell) totals(visit func(Total) error) error {
	const head = 12
	for b := e.body; len(b) > 0; {
		if len(b) <= head {
			return fmt.Errorf("%w: counter breaks off", ErrCorrupt)
		}
		sum, n := cutElem(e.Kind, alias(b[head:]))
		if n == 0 {
			return fmt.Errorf("%w: counter breaks off", ErrCorrupt)
		}
		t := Total{Origin: hlc.Origin(binary.BigEndian.Uint32(b)), At: hlc.Timestamp(binary.BigEndian.Uint64(b[4:])), Sum: sum}
		if err := visit(t); err != nil {
			return err
		}
		b = b[head+n:]
	}
	return nil
}

func (e *EncodedCell) elements(visit func(Element) error) error {
	const head = 13
	for b := e.body; len(b) > 0; {
		if len(b) <= head || b[12] > 1 {
			return fmt.Errorf("%w: set breaks off", ErrCorrupt)
		}
		v, n := cutElem(e.Kind, alias(b[head:]))
		if n == 0 {
			return fmt.Errorf("%w: set breaks off", ErrCorrupt)
		}
		x := Element{
			At: hlc.Timestamp(binary.BigEndian.Uint64(b)), Origin: hlc.Origin(binary.BigEndian.Uint32(b[8:])),
			Present: b[12] == 1, Value: v,
		}
		if err := visit(x); err != nil {
			return err
		}
		b = b[head+n:]
	}
	return nil
}
