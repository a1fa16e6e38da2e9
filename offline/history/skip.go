package history

import (
	"slices"

	"github.com/apache/arrow/go/v17/parquet/metadata"

	"featurestore/feature"
)

// without returns which row groups have none of keys, by the least and the greatest
// value of the first join key that the file says of each; nil where that is no integer.
func (r *fileReader) without(keys keySet) func(group int) bool {
	if len(r.columns.keys) == 0 || r.columns.keys[0].kind != feature.Int64 {
		return nil
	}
	var firsts []int64
	for k := range keys.keys {
		// No row has a key that is none of the file's columns.
		if values, ok := r.columns.keyValues(feature.Key(k)); ok {
			firsts = append(firsts, values[0].Int())
		}
	}
	slices.Sort(firsts)
	return func(group int) bool {
		column, err := r.in.ParquetReader().MetaData().RowGroup(group).ColumnChunk(0)
		if err != nil {
			return false // who reads it hears of it
		}
		of, err := column.Statistics()
		if err != nil {
			return false
		}
		s, ok := of.(*metadata.Int64Statistics)
		if !ok || !s.HasMinMax() {
			return false
		}
		at, _ := slices.BinarySearch(firsts, s.Min())
		return at == len(firsts) || firsts[at] > s.Max()
	}
}
