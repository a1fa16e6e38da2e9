package history

import (
	"context"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"featurestore/feature"
	"featurestore/hlc"
)

// readRows is how many rows a file is read by: a merge holds as many of each file.
const readRows = 1024

// fileReader reads the rows of one file, whose sum was verified, in their order.
type fileReader struct {
	name    string
	columns *columns
	in      *pqarrow.FileReader
	group   int
	skip    func(group int) bool // row groups that are not read; nil is none
	records pqarrow.RecordReader
	record  arrow.Record // of records: valid until it reads on
	at      int
	spread  spread
}

// newFileReader opens a file. The caller closes the reader, and then contents.
func newFileReader(name string, contents parquet.ReaderAtSeeker) (*fileReader, error) {
	return newFileReaderBy(name, contents, readRows)
}

// newFileReaderBy is newFileReader by records of so many rows.
func newFileReaderBy(name string, contents parquet.ReaderAtSeeker, rows int64) (r *fileReader, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
	}()
	defer caught(&err)
	props := parquet.NewReaderProperties(memory.NewGoAllocator())
	// Else whole columns of a row group are read at once: what copies a file has one open.
	props.BufferedStreamEnabled = rows <= readRows
	raw, err := file.NewParquetReader(contents, file.WithReadProps(props))
	if err != nil {
		return nil, err
	}
	in, err := pqarrow.NewFileReader(raw, pqarrow.ArrowReadProperties{BatchSize: rows}, memory.NewGoAllocator())
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range in.Manifest.Fields {
		names = append(names, in.Manifest.Fields[i].Field.Name)
	}
	meta := raw.MetaData().KeyValueMetadata()
	c, err := parseColumns(names, func(key string) (string, bool) {
		v := meta.FindValue(key)
		if v == nil {
			return "", false
		}
		return *v, true
	})
	if err != nil {
		return nil, err
	}
	return &fileReader{name: name, columns: c, in: in}, nil
}

// next returns the next row, or io.EOF. The row owns its memory.
func (r *fileReader) next(ctx context.Context) (row Row, err error) {
	defer caught(&err)
	for r.record == nil || r.at == int(r.record.NumRows()) {
		if err := r.advance(ctx); err != nil {
			return Row{}, err
		}
	}
	row, err = r.row(r.at)
	if err != nil {
		return Row{}, fmt.Errorf("%s: %w", r.name, err)
	}
	r.at++
	return row, nil
}

// advance reads the next record.
func (r *fileReader) advance(ctx context.Context) error {
	for {
		// The library dereferences nil when the context has ended already.
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.records == nil {
			for r.skip != nil && r.group < r.in.ParquetReader().NumRowGroups() && r.skip(r.group) {
				r.group++
			}
			if r.group == r.in.ParquetReader().NumRowGroups() {
				return io.EOF
			}
			var err error
			if r.records, err = r.in.GetRecordReader(ctx, nil, []int{r.group}); err != nil {
				return fmt.Errorf("%s: row group %d: %w", r.name, r.group, err)
			}
			r.group++
		}
		if r.records.Next() {
			r.record, r.at = r.records.Record(), 0
			return nil
		}
		// Next also ends, without saying so, where the library cannot go on.
		if err := r.records.Err(); err != nil && err != io.EOF {
			return fmt.Errorf("%s: row group %d: %w", r.name, r.group-1, err)
		}
		r.records.Release()
		r.records, r.record = nil, nil
	}
}

func (r *fileReader) row(i int) (Row, error) {
	c := r.columns
	var row Row
	var err error
	if row.Key, err = r.key(i); err != nil {
		return Row{}, err
	}
	fixed := c.at() + len(c.features)
	number := func(j int) int64 { return r.record.Column(fixed + j).(*array.Int64).Value(i) }
	row.Version = feature.Version{
		EventTime:  int64(r.record.Column(c.at() - 1).(*array.Timestamp).Value(i)),
		At:         hlc.Timestamp(number(0)),
		Origin:     hlc.Origin(number(1)),
		Generation: uint16(r.record.Column(fixed + 2).(*array.Int32).Value(i)),
	}
	row.LogOnly = r.record.Column(fixed + 4).(*array.Boolean).Value(i)
	row.Log = row.Version.Position()
	if !r.record.Column(fixed + 6).IsNull(i) {
		row.Log = hlc.Position{At: hlc.Timestamp(number(6)), Origin: hlc.Origin(number(7))}
	}
	if delta := r.record.Column(fixed + 8).(*array.Binary); !delta.IsNull(i) {
		// The values alias what they are decoded from.
		row.Delta, err = feature.DecodeRow(append([]byte(nil), delta.Value(i)...))
		if err != nil {
			return Row{}, fmt.Errorf("column %s: %w", ColumnDelta, err)
		}
		return row, nil
	}
	if err := r.values(i); err != nil {
		return Row{}, err
	}
	row.Delta = c.gather(&r.spread, row.Version, r.record.Column(fixed+3).(*array.Boolean).Value(i))
	return row, nil
}

func (r *fileReader) key(i int) (feature.Key, error) {
	if len(r.columns.keys) == 0 {
		return append(feature.Key(nil), r.record.Column(0).(*array.Binary).Value(i)...), nil
	}
	values := make([]feature.Value, len(r.columns.keys))
	for j := range r.columns.keys {
		k := &r.columns.keys[j]
		var err error
		if values[j], err = scalarAt(r.record.Column(j), i, k.kind); err != nil {
			return nil, fmt.Errorf("column %s: %w", k.name, err)
		}
	}
	return r.columns.keyOf(values)
}

// values fills spread from row i.
func (r *fileReader) values(i int) error {
	c, s := r.columns, &r.spread
	if len(s.values) != len(c.features) {
		s.values = make([]feature.Value, len(c.features))
	}
	for j := range c.features {
		var err error
		if s.values[j], err = valueAt(r.record.Column(c.at()+j), i, c.features[j].typ); err != nil {
			return fmt.Errorf("column %s: %w", c.features[j].name, err)
		}
	}
	s.nulls = s.nulls[:0]
	if nulls := r.record.Column(c.at() + len(c.features) + 5).(*array.List); !nulls.IsNull(i) {
		from, to := nulls.ValueOffsets(i)
		for at := int(from); at < int(to); at++ {
			s.nulls = append(s.nulls, feature.FeatureID(nulls.ListValues().(*array.Int64).Value(at)))
		}
	}
	return nil
}

func (r *fileReader) close() {
	if r.records != nil {
		r.records.Release()
		r.records = nil
	}
}
