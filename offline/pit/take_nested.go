package pit

import (
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// offsetsOf returns the offsets of an array of text, bytes or lists: one more
// than it has values, or none for an empty one.
func offsetsOf[O int32 | int64](a arrow.Array) []O {
	if a.Len() == 0 {
		return []O{0}
	}
	var all []O
	switch p := any(&all).(type) {
	case *[]int32:
		*p = arrow.Int32Traits.CastFromBytes(bufferOf(a, 1))
	case *[]int64:
		*p = arrow.Int64Traits.CastFromBytes(bufferOf(a, 1))
	}
	return all[a.Data().Offset() : a.Data().Offset()+a.Len()+1]
}

// takeOffsets returns the offsets of the result, and how many values it has.
func takeOffsets[O int32 | int64](mem memory.Allocator, from [][]O, spans []span, rows int) (*memory.Buffer, int64, error) {
	var zero O
	size := 4
	if _, wide := any(zero).(int64); wide {
		size = 8
	}
	out := newBuffer(mem, (rows+1)*size)
	var to []O
	switch p := any(&to).(type) {
	case *[]int32:
		*p = arrow.Int32Traits.CastFromBytes(out.Bytes())
	case *[]int64:
		*p = arrow.Int64Traits.CastFromBytes(out.Bytes())
	}
	to[0] = 0
	total, at := int64(0), 1
	for _, s := range spans {
		for i := range int64(s.length) {
			if s.array >= 0 {
				o := from[s.array]
				total += int64(o[s.start+i+1] - o[s.start+i])
			}
			if size == 4 && total > math.MaxInt32 {
				out.Release()
				return nil, 0, errTakeTooLarge
			}
			to[at] = O(total)
			at++
		}
	}
	return out, total, nil
}

func takeBytes[O int32 | int64](mem memory.Allocator, arrays []arrow.Array, spans []span, rows int) ([2]*memory.Buffer, error) {
	from, bytes := make([][]O, len(arrays)), make([][]byte, len(arrays))
	for i, a := range arrays {
		from[i], bytes[i] = offsetsOf[O](a), bufferOf(a, 2)
	}
	offsets, total, err := takeOffsets(mem, from, spans, rows)
	if err != nil {
		return [2]*memory.Buffer{}, err
	}
	out := newBuffer(mem, int(total))
	to := out.Bytes()
	for _, s := range spans {
		if s.array >= 0 {
			o := from[s.array]
			to = to[copy(to, bytes[s.array][o[s.start]:o[s.start+int64(s.length)]]):]
		}
	}
	return [2]*memory.Buffer{offsets, out}, nil
}

// takeList takes the elements of the lists as spans of their own.
func takeList[O int32 | int64](mem memory.Allocator, t arrow.DataType, arrays []arrow.Array, spans []span, rows int) (*memory.Buffer, arrow.ArrayData, error) {
	from, elements := make([][]O, len(arrays)), make([]arrow.Array, len(arrays))
	for i, a := range arrays {
		from[i], elements[i] = offsetsOf[O](a), a.(array.ListLike).ListValues()
	}
	offsets, _, err := takeOffsets(mem, from, spans, rows)
	if err != nil {
		return nil, nil, err
	}
	var inner []span
	for _, s := range spans {
		if s.array < 0 {
			continue
		}
		start, end := int64(from[s.array][s.start]), int64(from[s.array][s.start+int64(s.length)])
		for start < end { // a span's length has 31 bits
			n := min(end-start, math.MaxInt32)
			inner = append(inner, span{array: s.array, start: start, length: int32(n)})
			start += n
		}
	}
	child, err := takeData(mem, t.(arrow.ListLikeType).Elem(), elements, inner)
	if err != nil {
		offsets.Release()
		return nil, nil, err
	}
	return offsets, child, nil
}

func takeStruct(mem memory.Allocator, t *arrow.StructType, arrays []arrow.Array, spans []span) ([]arrow.ArrayData, error) {
	var children []arrow.ArrayData
	for f := range t.NumFields() {
		fields := make([]arrow.Array, len(arrays))
		for i, a := range arrays {
			fields[i] = a.(*array.Struct).Field(f)
		}
		child, err := takeData(mem, t.Field(f).Type, fields, spans)
		if err != nil {
			for _, c := range children {
				c.Release()
			}
			return nil, err
		}
		children = append(children, child)
	}
	return children, nil
}
