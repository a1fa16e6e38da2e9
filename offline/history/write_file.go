package history

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"runtime"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"featurestore/feature"
)

const (
	// recordRows are turned into Arrow at a time, groupBytes of encoded columns
	// make a row group, and groupRows in any case: readers skip row groups by
	// their statistics, and hold one in memory.
	recordRows  = 1024
	recordBytes = 4 << 20 // of values with text, whatever the number of rows
	groupBytes  = 16 << 20
	groupRows   = 128 << 10
	// yieldRows are encoded in about half a millisecond.
	yieldRows = 64
)

// fileWriter writes rows of one view and day, in the order of compareRows, as
// one Parquet file in memory. The same rows give the same bytes.
type fileWriter struct {
	columns *columns
	out     bytes.Buffer
	file    *pqarrow.FileWriter
	build   *array.RecordBuilder
	spread  spread
	delta   []byte
	pending int // rows in build
	bytes   int // of their text
	bounds  Bounds
}

// newFileWriter begins a file. Abandon or finish ends it.
func newFileWriter(c *columns) (w *fileWriter, err error) {
	defer caught(&err)
	w = &fileWriter{columns: c, build: array.NewRecordBuilder(memory.NewGoAllocator(), c.schema)}
	options := []parquet.WriterProperty{
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithDictionaryDefault(false),
		parquet.WithMaxRowGroupLength(groupRows),
		parquet.WithCreatedBy("featurestore"),
	}
	// These have few values; with dictionaries on the others writing took seven
	// times as long (version 17, 13 columns of floats).
	for _, name := range []string{ColumnOrigin, ColumnGeneration, ColumnRelogOrigin} {
		options = append(options, parquet.WithDictionaryFor(name, true))
	}
	w.file, err = pqarrow.NewFileWriter(c.schema, &w.out, parquet.NewWriterProperties(options...), pqarrow.DefaultWriterProps())
	return w, err
}

// caught turns a panic of the library into an error: it panics where others
// return one.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("parquet: %v", p)
	}
}

// add appends a row, which must not come before the last one.
func (w *fileWriter) add(r *Row) (err error) {
	defer caught(&err)
	if err := w.addRow(r); err != nil {
		return err
	}
	w.bounds.include(r)
	if w.pending++; w.pending%yieldRows == 0 {
		runtime.Gosched() // lookups that wait for a processor go first
	}
	if w.pending == recordRows || w.bytes >= recordBytes {
		return w.flush()
	}
	return nil
}

// addRow appends a row to the builders.
func (w *fileWriter) addRow(r *Row) error {
	c := w.columns
	if len(c.keys) == 0 {
		w.build.Field(0).(*array.BinaryBuilder).Append(r.Key)
	} else {
		values, ok := c.keyValues(r.Key)
		if !ok {
			return fmt.Errorf("key %x has other parts than the columns %v", []byte(r.Key), c.keys)
		}
		for i, v := range values {
			appendValue(w.build.Field(i), v)
		}
	}
	at := c.at()
	appendValue(w.build.Field(at-1), feature.OfNanos(r.Version.EventTime))
	c.spread(&w.spread, r)
	for i, v := range w.spread.values {
		appendValue(w.build.Field(at+i), v)
		w.bytes += len(v.Text())
	}
	w.addFixed(r)
	return nil
}

// addFixed appends the columns that every file has.
func (w *fileWriter) addFixed(r *Row) {
	at := w.columns.at() + len(w.columns.features)
	ints := func(i int) *array.Int64Builder { return w.build.Field(at + i).(*array.Int64Builder) }
	ints(0).Append(int64(r.Version.At))
	ints(1).Append(int64(r.Version.Origin))
	w.build.Field(at + 2).(*array.Int32Builder).Append(int32(r.Version.Generation))
	w.build.Field(at + 3).(*array.BooleanBuilder).Append(!r.Delta.Tombstone.IsZero())
	w.build.Field(at + 4).(*array.BooleanBuilder).Append(r.LogOnly)
	nulls := w.build.Field(at + 5).(*array.ListBuilder)
	if len(w.spread.nulls) == 0 {
		nulls.AppendNull()
	} else {
		nulls.Append(true)
		for _, id := range w.spread.nulls {
			nulls.ValueBuilder().(*array.Int64Builder).Append(int64(id))
		}
	}
	if r.Log == r.Version.Position() {
		ints(6).AppendNull()
		ints(7).AppendNull()
	} else {
		ints(6).Append(int64(r.Log.At))
		ints(7).Append(int64(r.Log.Origin))
	}
	delta := w.build.Field(at + 8).(*array.BinaryBuilder)
	if w.spread.whole {
		delta.AppendNull()
	} else {
		w.delta = feature.AppendRow(w.delta[:0], r.Delta)
		delta.Append(w.delta)
	}
}

// flush writes what was built as a part of a row group.
func (w *fileWriter) flush() error {
	if w.pending == 0 {
		return nil
	}
	record := w.build.NewRecord()
	defer record.Release()
	w.pending, w.bytes = 0, 0
	if w.file.RowGroupTotalBytesWritten() >= groupBytes {
		w.file.NewBufferedRowGroup()
	}
	return w.file.WriteBuffered(record)
}

// sizeBytes is about what the file has come to.
func (w *fileWriter) sizeBytes() int {
	return w.out.Len() + int(w.file.RowGroupTotalCompressedBytes())
}

// end ends the file and returns its contents, and what there is to say of them.
func (w *fileWriter) end() (f DataFile, data []byte, err error) {
	defer caught(&err)
	defer w.build.Release()
	if err := w.flush(); err != nil {
		return DataFile{}, nil, err
	}
	if err := w.file.Close(); err != nil {
		return DataFile{}, nil, err
	}
	data = w.out.Bytes()
	return DataFile{SizeBytes: int64(len(data)), Sum: sha256.Sum256(data), Bounds: w.bounds}, data, nil
}

// abandon ends a file that is not wanted.
func (w *fileWriter) abandon() { w.build.Release() }
