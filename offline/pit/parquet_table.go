package pit

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
)

// ParquetTable is a Table of Parquet files. Its parts are their row groups,
// named by the path of their file. Files are opened for each reading and closed
// after it.
type ParquetTable struct {
	columns        Columns
	keys, features []arrow.Field
	parts          []Part
	footers        footers
}

// OpenParquet reads the footers of files and returns their table. A schema
// names the columns' types where there may be no file, or where files may lack
// features that were added later, which are null in them; nil: that of the
// files together. Files whose columns do not fit are an error that names file
// and column. Of damaged pages most are errors, for they are decoded where a
// panic of the library can be recovered; but one in seven went unnoticed in a
// test of 600, so verify checksums before.
func OpenParquet(ctx context.Context, c Columns, schema *arrow.Schema, paths ...string) (*ParquetTable, error) {
	t := &ParquetTable{columns: c}
	if schema != nil {
		if err := t.learn(schema.Fields()); err != nil {
			return nil, fmt.Errorf("schema of the table: %w", err)
		}
	}
	paths = slices.Sorted(slices.Values(paths))
	for i, path := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if i > 0 && paths[i-1] == path {
			return nil, fmt.Errorf("read %s: it is named twice", path)
		}
		if err := t.addFile(path, schema == nil); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	if t.keys == nil {
		return nil, fmt.Errorf("a table without files needs a schema")
	}
	return t, nil
}

// Keys implements Table.
func (t *ParquetTable) Keys() []arrow.Field { return t.keys }

// Features implements Table.
func (t *ParquetTable) Features() []arrow.Field { return t.features }

// Parts implements Table.
func (t *ParquetTable) Parts() []Part { return t.parts }

func (t *ParquetTable) addFile(path string, learn bool) (err error) {
	defer recovered(&err)
	f, err := openFile(path, &t.footers)
	if err != nil {
		return err
	}
	defer f.close()
	fields := f.fields()
	if err := t.columns.check(fields); err != nil {
		return err
	}
	if learn {
		err = t.learn(fields)
	} else {
		err = t.fit(fields)
	}
	if err != nil {
		return err
	}
	for g := range f.raw.NumRowGroups() {
		t.parts = append(t.parts, t.part(path, f, g))
	}
	return nil
}

// learn takes keys and features from fields; features of another file before
// stay.
func (t *ParquetTable) learn(fields []arrow.Field) error {
	if err := t.columns.check(fields); err != nil && t.keys == nil {
		return err
	}
	features, err := t.columns.features(fields)
	if err != nil {
		return err
	}
	if t.keys == nil {
		for _, name := range t.columns.Keys {
			t.keys = append(t.keys, fields[indexOf(fields, name)])
		}
	}
	for _, f := range features {
		if indexOf(t.features, f.Name) < 0 {
			t.features = append(t.features, f)
		}
	}
	return t.fit(fields)
}

// fit reports columns of a file that have another type than the table's.
func (t *ParquetTable) fit(fields []arrow.Field) error {
	for _, key := range t.keys {
		if f := fields[indexOf(fields, key.Name)]; classOf(f.Type) != classOf(key.Type) {
			return fmt.Errorf("column %s is %s, want %s", f.Name, f.Type, key.Type)
		}
	}
	for _, want := range t.features {
		if i := indexOf(fields, want.Name); i >= 0 && !arrow.TypeEqual(fields[i].Type, want.Type) {
			return fmt.Errorf("column %s is %s, want %s", want.Name, fields[i].Type, want.Type)
		}
	}
	return nil
}

func indexOf(fields []arrow.Field, name string) int {
	return slices.IndexFunc(fields, func(f arrow.Field) bool { return f.Name == name })
}

// parquetPart is one row group.
type parquetPart struct {
	table *ParquetTable
	path  string
	group int
	rows  int64

	least, greatest int64 // event times
	bounded         bool
}

func (t *ParquetTable) part(path string, f *parquetFile, group int) *parquetPart {
	p := &parquetPart{table: t, path: path, group: group, rows: f.raw.RowGroup(group).NumRows()}
	i := indexOf(f.fields(), t.columns.EventTime)
	p.least, p.greatest, p.bounded = eventTimes(f.raw, group, f.arrow.Manifest.Fields[i].ColIndex, f.fields()[i].Type)
	return p
}

// eventTimes reads bounds from a row group's statistics.
func eventTimes(f *file.Reader, group, column int, t arrow.DataType) (least, greatest int64, ok bool) {
	meta, err := f.MetaData().RowGroup(group).ColumnChunk(column)
	if err != nil {
		return 0, 0, false
	}
	stats, err := meta.Statistics()
	if err != nil || stats == nil || !stats.HasMinMax() {
		return 0, 0, false
	}
	ints, ok := stats.(*metadata.Int64Statistics)
	if !ok {
		return 0, 0, false
	}
	unit := arrow.Nanosecond
	if ts, is := t.(*arrow.TimestampType); is {
		unit = ts.Unit
	}
	least, first := nanos(ints.Min(), unit)
	greatest, last := nanos(ints.Max(), unit)
	return least, greatest, first && last
}

func (p *parquetPart) Name() string { return p.path }
func (p *parquetPart) Rows() int64  { return p.rows }

func (p *parquetPart) EventTimes() (least, greatest int64, ok bool) {
	return p.least, p.greatest, p.bounded
}

// failed names the row group in an error.
func (p *parquetPart) failed(err error) error {
	return fmt.Errorf("read %s: row group %d: %w", p.path, p.group, err)
}
