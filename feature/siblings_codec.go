package feature

import (
	"encoding/binary"
	"fmt"

	"featurestore/hlc"
)

const positionBytes = 12

// appendSiblings appends the body of a siblings cell. Its own value comes first
// and needs no version: it is that of the cell.
func appendSiblings(dst []byte, c *Cell) []byte {
	dst = appendSized(dst, c.Value)
	if c.Siblings == nil {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(c.Siblings.Replaced)))
	for _, p := range c.Siblings.Replaced {
		dst = binary.BigEndian.AppendUint32(dst, uint32(p.Origin))
		dst = binary.BigEndian.AppendUint64(dst, uint64(p.At))
	}
	for _, s := range c.Siblings.Beside {
		dst = appendVersion(dst, s.Version)
		null := byte(0)
		if s.Value.IsNull() {
			null = 1
		}
		dst = appendSized(append(dst, null), s.Value)
	}
	return dst
}

func appendSized(dst []byte, v Value) []byte {
	return AppendValue(binary.AppendUvarint(dst, uint64(v.size())), v)
}

// latest returns the cell's own value and the body after it.
func (e *EncodedCell) latest() (Value, []byte, error) { return e.cutSized(e.body, e.Null) }

// cutSized reads a value and its length from the start of b.
func (e *EncodedCell) cutSized(b []byte, null bool) (Value, []byte, error) {
	size, n := uvarint(alias(b))
	if n <= 0 || size > uint64(len(b)-n) || null && size != 0 {
		return Value{}, nil, fmt.Errorf("%w: siblings break off", ErrCorrupt)
	}
	body, rest := b[n:n+int(size)], b[n+int(size):]
	if null {
		return Value{}, rest, nil
	}
	v, err := DecodeValue(e.Kind, e.Shape, body)
	return v, rest, err
}

// siblings fills c, whose version is set.
func (e *EncodedCell) siblings(c *Cell) error {
	latest, rest, err := e.latest()
	if err != nil {
		return err
	}
	var s SiblingSet
	if s.Replaced, rest, err = cutReplaced(rest); err != nil {
		return err
	}
	above := c.Version
	err = e.eachBeside(rest, func(x Sibling) error {
		if compareDots(x.Version, above) >= 0 || isReplaced(s.Replaced, x.Version.Position()) {
			return fmt.Errorf("%w: siblings out of order, or replaced", ErrCorrupt)
		}
		above = x.Version
		s.Beside = append(s.Beside, x)
		return nil
	})
	c.Value = latest
	if len(s.Replaced)+len(s.Beside) > 0 {
		c.Siblings = &s
	}
	return err
}

func cutReplaced(b []byte) (replaced []hlc.Position, rest []byte, err error) {
	n, read := uvarint(alias(b))
	if read <= 0 || n > uint64(len(b)-read)/positionBytes {
		return nil, nil, fmt.Errorf("%w: siblings break off", ErrCorrupt)
	}
	b = b[read:]
	for ; n > 0; n-- {
		p := hlc.Position{Origin: hlc.Origin(binary.BigEndian.Uint32(b)), At: hlc.Timestamp(binary.BigEndian.Uint64(b[4:]))}
		if last := len(replaced) - 1; p.At == 0 || last >= 0 && replaced[last].Origin >= p.Origin {
			return nil, nil, fmt.Errorf("%w: replaced siblings out of order", ErrCorrupt)
		}
		replaced, b = append(replaced, p), b[positionBytes:]
	}
	return replaced, b, nil
}

// beside visits the values beside the cell's own, the later first.
func (e *EncodedCell) beside(visit func(Sibling) error) error {
	_, rest, err := e.latest()
	if err != nil {
		return err
	}
	n, read := uvarint(alias(rest))
	if read <= 0 || n > uint64(len(rest)-read)/positionBytes {
		return fmt.Errorf("%w: siblings break off", ErrCorrupt)
	}
	return e.eachBeside(rest[read+int(n)*positionBytes:], visit)
}

func (e *EncodedCell) eachBeside(b []byte, visit func(Sibling) error) error {
	for len(b) > 0 {
		if len(b) <= versionBytes || b[versionBytes] > 1 {
			return fmt.Errorf("%w: siblings break off", ErrCorrupt)
		}
		x := Sibling{Version: decodeVersion(b)}
		var err error
		if x.Value, b, err = e.cutSized(b[versionBytes+1:], b[versionBytes] == 1); err != nil {
			return err
		}
		if err := visit(x); err != nil {
			return err
		}
	}
	return nil
}

// Conflicts returns how many values a siblings cell holds beside the one that
// its readers see, 0 for cells of other rules.
func (e *EncodedCell) Conflicts() (n int, err error) {
	if e.Rule != Siblings {
		return 0, nil
	}
	err = e.beside(func(Sibling) error { n++; return nil })
	return n, err
}
