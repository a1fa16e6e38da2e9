package pit

import (
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// span names length consecutive values of one of several arrays. Array -1
// stands for nulls.
type span struct {
	array  int32
	length int32
	start  int64
}

// errTakeTooLarge reports an array whose offsets do not fit its type.
var errTakeTooLarge = errors.New("text or lists of one record exceed 2 GiB: use smaller batches")

// checkTakable reports types that take does not know. FixedSizeList is among
// them on purpose.
func checkTakable(t arrow.DataType) error {
	switch t.ID() {
	case arrow.FIXED_SIZE_LIST:
		return fmt.Errorf("%s must be a list: arrow v17 writes fixed-size lists to Parquet as nulls", t)
	case arrow.NULL, arrow.BOOL, arrow.STRING, arrow.BINARY, arrow.LARGE_STRING, arrow.LARGE_BINARY:
		return nil
	case arrow.LIST, arrow.LARGE_LIST, arrow.MAP, arrow.STRUCT:
		for _, f := range t.(arrow.NestedType).Fields() {
			if err := checkTakable(f.Type); err != nil {
				return err
			}
		}
		return nil
	case arrow.DICTIONARY, arrow.EXTENSION:
		return fmt.Errorf("there is no way to join values of type %s", t)
	}
	if f, ok := t.(arrow.FixedWidthDataType); ok && f.BitWidth() >= 8 && f.BitWidth()%8 == 0 {
		return nil
	}
	return fmt.Errorf("there is no way to join values of type %s", t)
}

// take returns the values that spans name, one after another. All arrays are
// of type t, which passes checkTakable; there may be none.
func take(mem memory.Allocator, t arrow.DataType, arrays []arrow.Array, spans []span) (arrow.Array, error) {
	data, err := takeData(mem, t, arrays, spans)
	if err != nil {
		return nil, err
	}
	defer data.Release()
	return array.MakeFromData(data), nil
}

func takeData(mem memory.Allocator, t arrow.DataType, arrays []arrow.Array, spans []span) (arrow.ArrayData, error) {
	rows := 0
	for _, s := range spans {
		rows += int(s.length)
	}
	if t.ID() == arrow.NULL {
		return array.NewData(t, rows, []*memory.Buffer{nil}, nil, rows, 0), nil
	}
	valid, nulls := takeValidity(mem, arrays, spans, rows)
	buffers := []*memory.Buffer{valid}
	defer func() { release(buffers) }()
	var children []arrow.ArrayData
	defer func() {
		for _, c := range children {
			c.Release()
		}
	}()
	var err error
	switch t.ID() {
	case arrow.BOOL:
		buffers = append(buffers, takeBits(mem, arrays, spans, rows))
	case arrow.STRING, arrow.BINARY:
		var b [2]*memory.Buffer
		b, err = takeBytes[int32](mem, arrays, spans, rows)
		buffers = append(buffers, b[:]...)
	case arrow.LARGE_STRING, arrow.LARGE_BINARY:
		var b [2]*memory.Buffer
		b, err = takeBytes[int64](mem, arrays, spans, rows)
		buffers = append(buffers, b[:]...)
	case arrow.LIST, arrow.MAP, arrow.LARGE_LIST:
		var offsets *memory.Buffer
		var child arrow.ArrayData
		if t.ID() == arrow.LARGE_LIST {
			offsets, child, err = takeList[int64](mem, t, arrays, spans, rows)
		} else {
			offsets, child, err = takeList[int32](mem, t, arrays, spans, rows)
		}
		buffers = append(buffers, offsets)
		if child != nil {
			children = append(children, child)
		}
	case arrow.STRUCT:
		children, err = takeStruct(mem, t.(*arrow.StructType), arrays, spans)
	default:
		buffers = append(buffers, takeFixed(mem, t.(arrow.FixedWidthDataType).BitWidth()/8, arrays, spans, rows))
	}
	if err != nil {
		return nil, err
	}
	return array.NewData(t, rows, buffers, children, nulls, 0), nil
}

func release(buffers []*memory.Buffer) {
	for _, b := range buffers {
		if b != nil {
			b.Release()
		}
	}
}

// newBuffer returns a buffer whose bytes are anything.
func newBuffer(mem memory.Allocator, size int) *memory.Buffer {
	b := memory.NewResizableBuffer(mem)
	b.Resize(size)
	return b
}

func newBits(mem memory.Allocator, n int) *memory.Buffer {
	b := newBuffer(mem, int(bitutil.BytesForBits(int64(n))))
	clear(b.Buf())
	return b
}

// bufferOf returns buffer i of an array, empty where there is none.
func bufferOf(a arrow.Array, i int) []byte {
	if b := a.Data().Buffers()[i]; b != nil {
		return b.Bytes()
	}
	return nil
}

// takeValidity returns no buffer where nothing is null.
func takeValidity(mem memory.Allocator, arrays []arrow.Array, spans []span, rows int) (*memory.Buffer, int) {
	nulls := 0
	for _, s := range spans {
		if s.array < 0 {
			nulls += int(s.length)
			continue
		}
		if a := arrays[s.array]; a.NullN() > 0 {
			for i := int(s.start); i < int(s.start)+int(s.length); i++ {
				if a.IsNull(i) {
					nulls++
				}
			}
		}
	}
	if nulls == 0 {
		return nil, 0
	}
	out := newBits(mem, rows)
	bits, at := out.Bytes(), 0
	for _, s := range spans {
		if s.array < 0 {
			at += int(s.length)
			continue
		}
		a := arrays[s.array]
		whole := a.NullN() == 0
		for i := int(s.start); i < int(s.start)+int(s.length); i++ {
			if whole || a.IsValid(i) {
				bitutil.SetBit(bits, at)
			}
			at++
		}
	}
	return out, nulls
}

func takeBits(mem memory.Allocator, arrays []arrow.Array, spans []span, rows int) *memory.Buffer {
	out := newBits(mem, rows)
	bits, at := out.Bytes(), 0
	for _, s := range spans {
		if s.array < 0 {
			at += int(s.length)
			continue
		}
		a := arrays[s.array].(*array.Boolean)
		for i := int(s.start); i < int(s.start)+int(s.length); i++ {
			if a.IsValid(i) && a.Value(i) {
				bitutil.SetBit(bits, at)
			}
			at++
		}
	}
	return out
}

func takeFixed(mem memory.Allocator, width int, arrays []arrow.Array, spans []span, rows int) *memory.Buffer {
	out := newBuffer(mem, rows*width)
	if width == 8 {
		takeWords(arrow.Uint64Traits.CastFromBytes, out, arrays, spans)
		return out
	}
	if width == 4 {
		takeWords(arrow.Uint32Traits.CastFromBytes, out, arrays, spans)
		return out
	}
	from := make([][]byte, len(arrays))
	for i, a := range arrays {
		from[i] = bufferOf(a, 1)[a.Data().Offset()*width:]
	}
	to := out.Bytes()
	for _, s := range spans {
		n := int(s.length) * width
		if s.array >= 0 {
			copy(to[:n], from[s.array][int(s.start)*width:])
		} else {
			clear(to[:n])
		}
		to = to[n:]
	}
	return out
}

// takeWords is takeFixed for the widths that most features have: a call of
// copy for each value would cost as much as the rest of the join's output.
func takeWords[T uint32 | uint64](words func([]byte) []T, out *memory.Buffer, arrays []arrow.Array, spans []span) {
	from := make([][]T, len(arrays))
	for i, a := range arrays {
		from[i] = words(bufferOf(a, 1))[a.Data().Offset():]
	}
	to := words(out.Bytes())
	for _, s := range spans {
		switch {
		case s.array < 0:
			clear(to[:s.length])
		case s.length == 1:
			to[0] = from[s.array][s.start]
		default:
			copy(to[:s.length], from[s.array][s.start:])
		}
		to = to[s.length:]
	}
}
