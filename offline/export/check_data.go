package export

import (
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// What a record from outside says of its buffers is checked here, because the library
// believes it: an offset beyond its buffer would end the process wherever it is used.

const (
	// maxNesting is how deep lists and structs may lie in one another.
	maxNesting = 8
	// maxElements bounds the elements of one column's lists in one record: a bit of a
	// stream can be one, and writing it takes some ten bytes.
	maxElements = 16 << 20
)

// checkType refuses types whose arrays are not checked, and nesting beyond depth.
func checkType(t arrow.DataType, depth int) error {
	if depth == 0 {
		return errors.New("its type is nested too deep")
	}
	switch t := t.(type) {
	case *arrow.NullType: // its elements take no bytes, so a list of them could have any number
		if depth < maxNesting {
			return errors.New("its type has nulls within lists or structs")
		}
		return nil
	case *arrow.FixedSizeBinaryType:
		if t.ByteWidth <= 0 {
			return fmt.Errorf("its type is %s", t)
		}
		return nil
	case *arrow.BinaryType, *arrow.StringType, *arrow.LargeBinaryType, *arrow.LargeStringType:
		return nil
	case *arrow.ListType:
		return checkType(t.Elem(), depth-1)
	case *arrow.FixedSizeListType:
		if t.Len() <= 0 {
			return fmt.Errorf("its type is %s", t)
		}
		return checkType(t.Elem(), depth-1)
	case *arrow.StructType:
		if t.NumFields() == 0 {
			return errors.New("its type is a struct without fields")
		}
		for _, f := range t.Fields() {
			if err := checkType(f.Type, depth-1); err != nil {
				return err
			}
		}
		return nil
	case *arrow.DictionaryType, arrow.ExtensionType:
		return fmt.Errorf("its type is %s: send it as a plain column", t)
	case arrow.FixedWidthDataType:
		return nil
	}
	return fmt.Errorf("its type is %s, which is not taken: send numbers, text, bytes, times, lists or structs", t)
}

// checkData reports whether the buffers of an array hold what it says.
func checkData(d arrow.ArrayData) error {
	n := d.Len() + d.Offset()
	if d.Len() < 0 || d.Offset() < 0 || n < 0 {
		return errors.New("a length is negative")
	}
	buffers := d.Buffers()
	if len(buffers) > 0 && buffers[0] != nil && buffers[0].Len() > 0 && buffers[0].Len() < (n+7)/8 {
		return fmt.Errorf("%d bytes say which of %d values are null", buffers[0].Len(), n)
	}
	if len(buffers) > 0 && d.NullN() != 0 && lengthOf(buffers[0]) == 0 && n > 0 && d.DataType().ID() != arrow.NULL {
		return fmt.Errorf("nothing says which %d values are null", d.NullN())
	}
	switch t := d.DataType().(type) {
	case *arrow.NullType:
		return nil
	case *arrow.BinaryType, *arrow.StringType:
		return checkOffsets(d, arrow.Int32Traits.CastFromBytes, lengthOf(buffers[2]))
	case *arrow.LargeBinaryType, *arrow.LargeStringType:
		return checkOffsets(d, arrow.Int64Traits.CastFromBytes, lengthOf(buffers[2]))
	case *arrow.ListType:
		child := d.Children()[0]
		if child.Len() > maxElements {
			return fmt.Errorf("its lists have %d elements in one record, at most %d are taken", child.Len(), maxElements)
		}
		return errors.Join(checkOffsets(d, arrow.Int32Traits.CastFromBytes, child.Len()), checkData(child))
	case *arrow.FixedSizeListType:
		child := d.Children()[0]
		if child.Len() > maxElements {
			return fmt.Errorf("its lists have %d elements in one record, at most %d are taken", child.Len(), maxElements)
		}
		if child.Len()/int(t.Len()) < n {
			return fmt.Errorf("%d elements are not %d lists of %d", child.Len(), n, t.Len())
		}
		return checkData(child)
	case *arrow.StructType:
		for _, child := range d.Children() {
			if child.Len() < n {
				return fmt.Errorf("a field has %d values of %d", child.Len(), n)
			}
			if err := checkData(child); err != nil {
				return err
			}
		}
		return nil
	case arrow.FixedWidthDataType:
		if have := lengthOf(buffers[1]); int64(n) > int64(have)*8/int64(t.BitWidth()) { // a product could overflow
			return fmt.Errorf("%d bytes are not %d values of %s", have, n, t)
		}
		return nil
	}
	return fmt.Errorf("its type is %s", d.DataType())
}

func lengthOf(b *memory.Buffer) int {
	if b == nil {
		return 0
	}
	return b.Len()
}

// checkOffsets reports whether offsets rise, within what they point into.
func checkOffsets[T int32 | int64](d arrow.ArrayData, cast func([]byte) []T, most int) error {
	n := d.Len() + d.Offset()
	if n == 0 {
		return nil
	}
	b := d.Buffers()[1]
	var offsets []T
	if b != nil {
		offsets = cast(b.Bytes())
	}
	if len(offsets) < n+1 {
		return fmt.Errorf("%d offsets are not those of %d values", len(offsets), n)
	}
	last := T(0)
	for i, at := range offsets[:n+1] {
		if at < last || int64(at) > int64(most) {
			return fmt.Errorf("offset %d is %d: want at least %d and at most %d", i, at, last, most)
		}
		last = at
	}
	return nil
}
