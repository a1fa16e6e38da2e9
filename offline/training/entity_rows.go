package training

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/feature"
	"featurestore/offline/history"
	"featurestore/offline/source"
)

// EntityRows reads a file of entity rows, as a Request wants them: an
// array.RecordReader. It is for one goroutine.
type EntityRows struct {
	ctx     context.Context
	file    *source.Reader
	records *source.Records // nil for text
	schema  *arrow.Schema
	rec     arrow.Record
	err     error
}

// OpenEntityRows opens a Parquet, Arrow or CSV file by its ending. Parquet and Arrow
// columns are taken as they are. Of CSV the columns of types have those types, the
// others are text; a row that does not fit is an error that names line and column.
// The end of ctx ends the reading. The caller closes it.
func OpenEntityRows(ctx context.Context, path string, types map[string]feature.Type) (_ *EntityRows, err error) {
	if !hasFormat(path) {
		return nil, fmt.Errorf("read %s: entity rows come as .parquet, .arrow or .csv", path)
	}
	file, err := source.Open(ctx, path, source.Options{BatchRows: 16 << 10, BatchBytes: 8 << 20})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	e := &EntityRows{ctx: ctx, file: file}
	var ok bool
	if e.records, ok = file.Records(); ok {
		e.schema = e.records.Schema()
		return e, nil
	}
	names := file.Columns()
	if err := file.Close(); err != nil {
		return nil, err
	}
	var wants []source.Want
	var fields []arrow.Field
	for _, name := range names {
		t, ok := types[name]
		if !ok {
			t = feature.ScalarOf(feature.String)
		}
		wants = append(wants, source.Want{Name: name, Type: t})
		fields = append(fields, arrow.Field{Name: name, Type: history.ArrowType(t), Nullable: true})
	}
	if e.file, err = source.Open(ctx, path, source.Options{Columns: wants, BatchRows: 16 << 10, BatchBytes: 8 << 20}); err != nil {
		return nil, err
	}
	e.schema = arrow.NewSchema(fields, nil)
	return e, nil
}

// ParseTime reads a time as entity rows of text have it: with a zone, or in UTC; a day
// alone is its beginning.
func ParseTime(text string) (time.Time, error) { return source.ParseTime(text) }

// hasFormat reports whether a file is of a format of entity rows, by its ending.
func hasFormat(path string) bool {
	name := strings.ToLower(path)
	if text, ok := strings.CutSuffix(name, ".csv.gz"); ok {
		name = text + ".csv"
	}
	return slices.Contains([]string{".parquet", ".arrow", ".ipc", ".feather", ".csv"}, filepath.Ext(name))
}

// Retain and Release do nothing: Close ends the reading.
func (e *EntityRows) Retain() {}

// Release is as Retain.
func (e *EntityRows) Release() {}

// Schema returns the file's columns.
func (e *EntityRows) Schema() *arrow.Schema { return e.schema }

// Record returns the record that Next found; it is valid until the next Next.
func (e *EntityRows) Record() arrow.Record { return e.rec }

// Err returns why Next found no more, nil for the end of the file.
func (e *EntityRows) Err() error { return e.err }

// Next reads the next record.
func (e *EntityRows) Next() bool {
	if e.err != nil {
		return false
	}
	if e.records != nil {
		e.rec, e.err = e.records.Next(e.ctx)
	} else {
		e.rec, e.err = e.fromText()
	}
	if e.err == io.EOF {
		e.rec, e.err = nil, nil
		return false
	}
	return e.err == nil
}

func (e *EntityRows) fromText() (arrow.Record, error) {
	batch, err := e.file.Next(e.ctx)
	if err != nil {
		return nil, err
	}
	if len(batch.Faults) > 0 {
		return nil, batch.Faults[0]
	}
	b := array.NewRecordBuilder(memory.NewGoAllocator(), e.schema)
	defer b.Release()
	for i, c := range batch.Columns {
		for _, v := range c.Values {
			history.AppendArrow(b.Field(i), v)
		}
	}
	return b.NewRecord(), nil // of Go's heap: it need not be released
}

// Close closes the file.
func (e *EntityRows) Close() error { return e.file.Close() }
