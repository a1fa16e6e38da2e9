package pit

import (
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// RecordBytes is about what the rows of a record take: of a slice its own part of the
// buffers, not what it keeps alive.
func RecordBytes(r arrow.Record) int64 { return recordBytes(r) }

// recordBytes is about what the rows of a record take: of a slice its own part
// of the buffers, not what it keeps alive.
func recordBytes(r arrow.Record) int64 {
	var n int64
	for _, c := range r.Columns() {
		n += arrayBytes(c)
	}
	return n
}

func arrayBytes(a arrow.Array) int64 {
	rows := int64(a.Len())
	if rows == 0 {
		return 0
	}
	bits := rows / 8
	switch a := a.(type) {
	case *array.String, *array.Binary:
		o := offsetsOf[int32](a)
		return bits + 4*rows + int64(o[rows]-o[0])
	case *array.LargeString, *array.LargeBinary:
		o := offsetsOf[int64](a)
		return bits + 8*rows + o[rows] - o[0]
	case array.ListLike:
		if f, ok := a.(*array.FixedSizeList); ok {
			width := int64(f.DataType().(*arrow.FixedSizeListType).Len())
			return bits + elementBytes(f.ListValues(), 0, rows*width)
		}
		start, _ := a.ValueOffsets(0)
		_, end := a.ValueOffsets(int(rows) - 1)
		return bits + 8*rows + elementBytes(a.ListValues(), start, end)
	case *array.Struct:
		for f := range a.NumField() {
			bits += arrayBytes(a.Field(f))
		}
		return bits
	case *array.Dictionary:
		return 4*rows + arrayBytes(a.Dictionary())
	}
	if t, ok := a.DataType().(arrow.FixedWidthDataType); ok {
		return bits + rows*int64(t.BitWidth())/8
	}
	var n int64
	for _, b := range a.Data().Buffers() {
		if b != nil {
			n += int64(b.Len())
		}
	}
	return n
}

func elementBytes(values arrow.Array, start, end int64) int64 {
	part := array.NewSlice(values, start, end)
	defer part.Release()
	return arrayBytes(part)
}

// placedBytes is what the rows of a column take that places name, each as often
// as it is named.
func placedBytes(a arrow.Array, places []placement) (n int64) {
	switch a := a.(type) {
	case *array.String, *array.Binary:
		o := offsetsOf[int32](a)
		for _, p := range places {
			n += 4 + int64(o[p.row+1]-o[p.row])
		}
	case *array.LargeString, *array.LargeBinary:
		o := offsetsOf[int64](a)
		for _, p := range places {
			n += 8 + o[p.row+1] - o[p.row]
		}
	case array.ListLike:
		values := a.ListValues()
		t, fixed := values.DataType().(arrow.FixedWidthDataType)
		for _, p := range places {
			start, end := a.ValueOffsets(int(p.row))
			if fixed {
				n += 8 + (end-start)*int64(t.BitWidth())/8
			} else {
				n += 8 + elementBytes(values, start, end)
			}
		}
	case *array.Struct:
		for f := range a.NumField() {
			n += placedBytes(a.Field(f), places)
		}
	default:
		if t, ok := a.DataType().(arrow.FixedWidthDataType); ok {
			return int64(len(places)) * (int64(t.BitWidth()) + 1) / 8
		}
	}
	return n
}
