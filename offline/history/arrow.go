package history

import (
	"context"
	"iter"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"featurestore/feature"
)

// ArrowType is the type of a feature's column: in files of history, and in what is
// made of them.
func ArrowType(t feature.Type) arrow.DataType { return typeOf(t) }

// ArrowKeyType is the type of a join key's column: integers are int64, floats
// float64, for that is what entity keys give back.
func ArrowKeyType(k feature.JoinKey) arrow.DataType { return scalarType(keyKind(k.Type.Kind)) }

// AppendArrow appends a value of a feature's or join key's type, or null, to a
// builder of its column.
func AppendArrow(b array.Builder, v feature.Value) { appendValue(b, v) }

// ArrowValue reads what AppendArrow appended of a type: element i of a column.
func ArrowValue(a arrow.Array, i int, t feature.Type) (feature.Value, error) { return valueAt(a, i, t) }

// Merged yields the rows of files, which Files listed, in order of key, event time
// and version (CompareRows). It ends after an error. Rows own their memory. Of each
// file it holds the rows that are read at a time, and a page of each column.
func (r *Reader) Merged(ctx context.Context, files []DataFile) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for row, err := range merged(ctx, r.opener, files) {
			r.read.Add(1)
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// CompareRows is the order of rows in a file, and of Merged.
func CompareRows(a, b *Row) int { return compareRows(a, b) }
