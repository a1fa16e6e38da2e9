package pit

import (
	"fmt"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// withoutFixedLists returns the schema in which fixed-size lists are lists.
// Those inside other types are refused.
func withoutFixedLists(s *arrow.Schema) (*arrow.Schema, error) {
	fields := make([]arrow.Field, s.NumFields())
	for i, f := range s.Fields() {
		fields[i] = f
		if t, ok := f.Type.(*arrow.FixedSizeListType); ok {
			fields[i].Type = arrow.ListOfField(t.ElemField())
		}
		if hasFixedList(fields[i].Type) {
			return s, misfit("column %s of the entity rows is %s: only a column as a whole may be a fixed-size list", f.Name, f.Type)
		}
	}
	meta := s.Metadata()
	return arrow.NewSchema(fields, &meta), nil
}

func hasFixedList(t arrow.DataType) bool {
	switch t := t.(type) {
	case *arrow.FixedSizeListType:
		return true
	case *arrow.DictionaryType:
		return hasFixedList(t.ValueType)
	case arrow.ExtensionType:
		return hasFixedList(t.StorageType())
	case arrow.NestedType:
		for _, f := range t.Fields() {
			if hasFixedList(f.Type) {
				return true
			}
		}
	}
	return false
}

// asLists returns the record with the columns of schema s, which is
// withoutFixedLists of the record's. The caller releases it.
func asLists(mem memory.Allocator, s *arrow.Schema, r arrow.Record) (arrow.Record, error) {
	columns := make([]arrow.Array, r.NumCols())
	for i := range columns {
		f, ok := r.Column(i).(*array.FixedSizeList)
		if !ok {
			columns[i] = r.Column(i)
			continue
		}
		list, err := asList(mem, s.Field(i).Type, f)
		if err != nil {
			return nil, fmt.Errorf("column %s of the entity rows: %w", s.Field(i).Name, err)
		}
		defer list.Release()
		columns[i] = list
	}
	return array.NewRecord(s, columns, r.NumRows()), nil
}

func asList(mem memory.Allocator, t arrow.DataType, f *array.FixedSizeList) (arrow.Array, error) {
	n, width := f.Len(), int64(f.DataType().(*arrow.FixedSizeListType).Len())
	first := int64(f.Data().Offset()) * width
	if int64(n)*width > math.MaxInt32 {
		return nil, errTakeTooLarge
	}
	values := array.NewSlice(f.ListValues(), first, first+int64(n)*width)
	defer values.Release()
	offsets := newBuffer(mem, (n+1)*4)
	defer offsets.Release()
	for i, to := 0, arrow.Int32Traits.CastFromBytes(offsets.Bytes()); i <= n; i++ {
		to[i] = int32(int64(i) * width)
	}
	valid, nulls := takeValidity(mem, []arrow.Array{f}, []span{{length: int32(n)}}, n)
	if valid != nil {
		defer valid.Release()
	}
	data := array.NewData(t, n, []*memory.Buffer{valid, offsets}, []arrow.ArrayData{values.Data()}, nulls, 0)
	defer data.Release()
	return array.MakeFromData(data), nil
}
