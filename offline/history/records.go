package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/compute"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/feature"
	"featurestore/hlc"
)

// copyRows is how many rows Records reads at a time.
const copyRows = 16 << 10

// RecordSchema is the schema of Records: join keys, event_timestamp, the view's
// features as they are called and typed now, and the columns of history.
func RecordSchema(v *feature.ResolvedView) *arrow.Schema {
	return arrow.NewSchema(columnsOf(v).schema.Fields(), nil)
}

// Wanted says of a row, by the log position of what brought it, whether it is taken. Key
// returns its entity key, for who must know its shard; making it costs something.
type Wanted func(at hlc.Position, key func() feature.Key) bool

// Records yields the rows of a file of a view as history has them, column by column, in
// the schema of RecordSchema and in the order of the file. Features are found by their
// numbers, whatever they were called when they were written; those that the file has
// not are null, and those that the view has not any more are left out, but for what
// _delta has of them. Only rows are taken that are wanted; nil takes all.
// A record is valid until the next. It ends after an error.
func (r *Reader) Records(ctx context.Context, v *feature.ResolvedView, f DataFile, wanted Wanted) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		read := int64(0)
		defer func() { r.read.Add(max(0, f.Rows-read)) }() // those that were not wanted
		err := r.eachRecord(ctx, v, f, wanted, func(rec arrow.Record) error {
			read += rec.NumRows()
			r.read.Add(rec.NumRows())
			if !yield(rec, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
}

var errEnough = errors.New("no more is wanted")

func (r *Reader) eachRecord(ctx context.Context, v *feature.ResolvedView, f DataFile, wanted Wanted, visit func(arrow.Record) error) (err error) {
	contents, err := r.opener.open(ctx, f.Name, f.SizeBytes, f.Sum)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, contents.Close()) }()
	in, err := newFileReaderBy(f.Name, contents, copyRows)
	if err != nil {
		return err
	}
	defer in.close()
	in.in.Props.BatchSize = in.rowsWithin(recordBytes)
	c, schema := columnsOf(v), RecordSchema(v)
	from, ok := c.sources(in.columns)
	if !ok {
		return in.eachBuilt(ctx, c, schema, wanted, visit)
	}
	for {
		rec, err := in.nextRecord(ctx)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			rec, err = arranged(rec, schema, from)
		}
		if err == nil {
			rec, err = filtered(ctx, rec, wanted, c)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		if rec.NumRows() > 0 {
			err = visit(rec)
		}
		rec.Release()
		if err != nil {
			return err
		}
	}
}

// rowsWithin returns how many rows of the file, by its footer, take about so many bytes;
// at most copyRows.
func (r *fileReader) rowsWithin(sizeBytes int64) int64 {
	meta, unpacked := r.in.ParquetReader().MetaData(), int64(0)
	for g := range meta.RowGroups {
		unpacked += meta.RowGroup(g).TotalByteSize()
	}
	each := max(1, unpacked/max(1, meta.NumRows))
	return min(max(1, sizeBytes/each), copyRows)
}

// sources says, for each column of c, which column of a file it is, -1 for none; false
// where the file's columns cannot be taken as they are.
func (c *columns) sources(in *columns) (from []int, ok bool) {
	if len(in.keys) != len(c.keys) || len(c.keys) == 0 {
		return nil, false
	}
	for i := range c.keys {
		if c.keys[i].kind != in.keys[i].kind {
			return nil, false
		}
		from = append(from, i)
	}
	from = append(from, in.at()-1)
	for _, f := range c.features {
		at := in.feature(f.id)
		if at < 0 {
			from = append(from, -1)
			continue
		}
		if in.features[at].typ != f.typ {
			return nil, false
		}
		from = append(from, in.at()+at)
	}
	for i := range fixedColumns {
		from = append(from, in.at()+len(in.features)+i)
	}
	return from, true
}

// nextRecord returns the next record, or io.EOF. It is valid until the next call.
func (r *fileReader) nextRecord(ctx context.Context) (rec arrow.Record, err error) {
	defer caught(&err)
	for {
		if err := r.advance(ctx); err != nil {
			return nil, err
		}
		if r.record.NumRows() > 0 {
			return r.record, nil
		}
	}
}

// arranged puts a file's columns into a schema. The caller releases the record.
func arranged(rec arrow.Record, schema *arrow.Schema, from []int) (arrow.Record, error) {
	columns := make([]arrow.Array, len(from))
	defer func() {
		for _, c := range columns {
			if c != nil {
				c.Release()
			}
		}
	}()
	for i, at := range from {
		t := schema.Field(i).Type
		if at < 0 {
			columns[i] = array.MakeArrayOfNull(memory.DefaultAllocator, t, int(rec.NumRows()))
			continue
		}
		columns[i] = retyped(rec.Column(at), t)
	}
	return array.NewRecord(schema, columns, rec.NumRows()), nil
}

// retyped gives a column its type: the elements of lists come from Parquet under
// another name, and could be null. The caller releases it.
func retyped(column arrow.Array, t arrow.DataType) arrow.Array {
	if arrow.TypeEqual(column.DataType(), t) {
		column.Retain()
		return column
	}
	d := column.Data()
	data := array.NewData(t, d.Len(), d.Buffers(), d.Children(), d.NullN(), d.Offset())
	defer data.Release()
	return array.MakeFromData(data)
}

// filtered takes over a record, and returns its wanted rows.
func filtered(ctx context.Context, rec arrow.Record, wanted Wanted, c *columns) (arrow.Record, error) {
	if wanted == nil {
		return rec, nil
	}
	fixed := c.at() + len(c.features)
	number := func(j, i int) int64 { return rec.Column(fixed + j).(*array.Int64).Value(i) }
	mask := array.NewBooleanBuilder(memory.DefaultAllocator)
	defer mask.Release()
	taken, bad := int64(0), error(nil)
	key := func(i int) feature.Key {
		values, err := make([]feature.Value, len(c.keys)), error(nil)
		for j := range values {
			if values[j], err = scalarAt(rec.Column(j), i, c.keys[j].kind); err != nil {
				bad = fmt.Errorf("column %s: %w", c.keys[j].name, err)
				return nil
			}
		}
		k, err := c.keyOf(values)
		bad = cmp.Or(bad, err)
		return k
	}
	for i := range int(rec.NumRows()) {
		p := hlc.Position{At: hlc.Timestamp(number(0, i)), Origin: hlc.Origin(number(1, i))}
		if !rec.Column(fixed + 6).IsNull(i) {
			p = hlc.Position{At: hlc.Timestamp(number(6, i)), Origin: hlc.Origin(number(7, i))}
		}
		isWanted := wanted(p, func() feature.Key { return key(i) })
		mask.Append(isWanted)
		if isWanted {
			taken++
		}
	}
	if bad != nil {
		rec.Release()
		return nil, bad
	}
	switch taken {
	case rec.NumRows():
		return rec, nil
	case 0:
		defer rec.Release()
		return rec.NewSlice(0, 0), nil
	}
	defer rec.Release()
	keep := mask.NewBooleanArray()
	defer keep.Release()
	return compute.FilterRecordBatch(ctx, rec, keep, compute.DefaultFilterOptions())
}

// eachBuilt makes records row by row, of a file whose columns are others.
func (r *fileReader) eachBuilt(ctx context.Context, c *columns, schema *arrow.Schema, wanted Wanted, visit func(arrow.Record) error) error {
	w := &fileWriter{columns: c, build: array.NewRecordBuilder(memory.DefaultAllocator, schema)}
	defer w.build.Release()
	flush := func() error {
		rec := w.build.NewRecord()
		defer rec.Release()
		w.pending, w.bytes = 0, 0
		if rec.NumRows() == 0 {
			return nil
		}
		return visit(rec)
	}
	for {
		row, err := r.next(ctx)
		switch {
		case err == io.EOF:
			return flush()
		case err != nil:
			return err
		case wanted != nil && !wanted(row.Log, func() feature.Key { return row.Key }):
			continue
		}
		if err := w.addRow(&row); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		if w.pending++; w.pending == recordRows || w.bytes >= recordBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
}
