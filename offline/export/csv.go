package export

import (
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/csv"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/history"
)

// csvFile writes CSV. A list is written as JSON, as in answers of REST: [0.5,-1].
type csvFile struct {
	out    *csv.Writer
	schema *arrow.Schema
	kinds  []feature.Kind // of the elements of lists, 0 for other columns
}

// newCSVFile begins a file. A column that CSV has no form for is an error that names it.
func newCSVFile(w io.Writer, s *arrow.Schema) (*csvFile, error) {
	f := &csvFile{kinds: make([]feature.Kind, s.NumFields())}
	fields := make([]arrow.Field, s.NumFields())
	for i, field := range s.Fields() {
		if list, ok := field.Type.(*arrow.ListType); ok {
			if f.kinds[i], ok = kindOf(list.Elem()); !ok {
				return nil, noCSV(field)
			}
			field.Type = arrow.BinaryTypes.String
		} else if _, nested := field.Type.(arrow.NestedType); nested || field.Type.ID() == arrow.DICTIONARY || field.Type.ID() == arrow.EXTENSION {
			return nil, noCSV(field)
		}
		fields[i] = field
	}
	f.schema = arrow.NewSchema(fields, nil)
	f.out = csv.NewWriter(w, f.schema, csv.WithHeader(true), csv.WithNullWriter(""))
	return f, f.out.Write(emptyRecord(f.schema)) // the header, where there are no rows
}

func noCSV(f arrow.Field) error {
	return fmt.Errorf("column %s is %s, which CSV has no form for: write .parquet or .arrow, or leave it out", f.Name, f.Type)
}

// kindOf is the kind of a list's elements; false where there is none.
func kindOf(t arrow.DataType) (feature.Kind, bool) {
	for k := feature.Bytes; k <= feature.JSON; k++ {
		if arrow.TypeEqual(history.ArrowType(feature.ScalarOf(k)), t) {
			return k, true
		}
	}
	return 0, false
}

func (f *csvFile) write(rec arrow.Record) error {
	columns := make([]arrow.Array, rec.NumCols())
	for i := range columns {
		columns[i] = rec.Column(i)
		if f.kinds[i] == 0 {
			continue
		}
		text, err := listText(rec.Column(i), f.kinds[i])
		if err != nil {
			return fmt.Errorf("column %s: %w", rec.ColumnName(i), err)
		}
		columns[i] = text // of Go's heap: it need not be released
	}
	return f.out.Write(array.NewRecord(f.schema, columns, rec.NumRows()))
}

func (f *csvFile) finish() error {
	if err := f.out.Flush(); err != nil {
		return err
	}
	return f.out.Error()
}

func listText(a arrow.Array, k feature.Kind) (arrow.Array, error) {
	b := array.NewStringBuilder(memory.NewGoAllocator())
	defer b.Release()
	var text []byte
	for i := range a.Len() {
		v, err := history.ArrowValue(a, i, feature.ListOf(k))
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		if v.IsNull() {
			b.AppendNull()
			continue
		}
		text = api.AppendValue(text[:0], v)
		b.Append(string(text))
	}
	return b.NewArray(), nil
}
