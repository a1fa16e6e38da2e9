package served

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"featurestore/feature"
	"featurestore/offline/history"
)

// ErrCorrupt reports a file whose contents are not those of its name, or that this version
// does not read.
var ErrCorrupt = errors.New("the served log is damaged")

// Read yields the lookups of a log that were answered in [from, to), zero times being no
// limit; by file, and in a file in their order. It ends after an error. One file is in
// memory at a time.
func Read(ctx context.Context, files history.Files, from, to time.Time) iter.Seq2[*Lookup, error] {
	return func(yield func(*Lookup, error) bool) {
		names, err := list(ctx, files)
		if err != nil {
			yield(nil, fmt.Errorf("list the served log: %w", err))
			return
		}
		for _, name := range names {
			day, sum, _ := parseName(name)
			if !from.IsZero() && !day.Add(24*time.Hour).After(from) || !to.IsZero() && !day.Before(to) {
				continue
			}
			err := readFile(ctx, files, name, sum, func(l *Lookup) bool {
				at := time.Unix(0, l.At)
				return (!from.IsZero() && at.Before(from) || !to.IsZero() && !at.Before(to)) || yield(l, nil)
			})
			switch {
			case errors.Is(err, errStop):
				return
			case errors.Is(err, history.ErrNotExist): // it was too old, just now
			case err != nil:
				yield(nil, err)
				return
			}
		}
	}
}

var errStop = errors.New("no more is wanted")

// readFile verifies a file, and calls visit with its lookups until that returns false.
func readFile(ctx context.Context, files history.Files, name, sum string, visit func(*Lookup) bool) (err error) {
	f, err := files.Open(ctx, name)
	if err != nil {
		return err
	}
	contents, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if got := sha256.Sum256(contents); hex.EncodeToString(got[:]) != sum {
		return fmt.Errorf("%s: %w: its contents are not those of its name", name, ErrCorrupt)
	}
	defer func() {
		if err != nil && !errors.Is(err, errStop) {
			err = fmt.Errorf("%s: %w", name, err)
		}
	}()
	defer caught(&err)
	raw, err := file.NewParquetReader(bytes.NewReader(contents), file.WithReadProps(parquet.NewReaderProperties(memory.NewGoAllocator())))
	if err != nil {
		return err
	}
	if v := raw.MetaData().KeyValueMetadata().FindValue(formatKey); v == nil || *v != format {
		return fmt.Errorf("%w: it is not of format %s", ErrCorrupt, format)
	}
	in, err := pqarrow.NewFileReader(raw, pqarrow.ArrowReadProperties{BatchSize: batchCells}, memory.NewGoAllocator())
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil { // the library dereferences nil then
		return err
	}
	records, err := in.GetRecordReader(ctx, nil, nil)
	if err != nil {
		return err
	}
	defer records.Release()
	d := decoder{number: -1, visit: visit}
	for records.Next() {
		if err := d.record(records.Record()); err != nil {
			return err
		}
	}
	if err := records.Err(); err != nil && err != io.EOF {
		return err
	}
	return d.end()
}

// decoder makes lookups of rows.
type decoder struct {
	number int64 // of the lookup that is being made
	made   *Lookup
	visit  func(*Lookup) bool
}

func (d *decoder) end() error {
	if d.made != nil && !d.visit(d.made) {
		return errStop
	}
	d.made = nil
	return nil
}

func (d *decoder) record(rec arrow.Record) error {
	if int(rec.NumCols()) != columnCount {
		return fmt.Errorf("%w: it has %d columns, want %d", ErrCorrupt, rec.NumCols(), columnCount)
	}
	for i, f := range schema.Fields() {
		if rec.ColumnName(i) != f.Name || !arrow.TypeEqual(rec.Column(i).DataType(), f.Type) {
			return fmt.Errorf("%w: column %d is %s %s, want %s %s", ErrCorrupt, i, rec.ColumnName(i), rec.Column(i).DataType(), f.Name, f.Type)
		}
	}
	r := row{rec, 0}
	for r.i = range int(rec.NumRows()) {
		if err := d.row(r); err != nil {
			return err
		}
	}
	return nil
}

// row is a row of a record.
type row struct {
	rec arrow.Record
	i   int
}

func (r row) int(c int) int64   { return r.rec.Column(c).(*array.Int64).Value(r.i) }
func (r row) text(c int) string { return string([]byte(r.rec.Column(c).(*array.String).Value(r.i))) }
func (r row) truth(c int) bool  { return r.rec.Column(c).(*array.Boolean).Value(r.i) }
func (r row) null(c int) bool   { return r.rec.Column(c).IsNull(r.i) }
func (r row) bytes(c int) []byte {
	return append([]byte{}, r.rec.Column(c).(*array.Binary).Value(r.i)...)
}
func (r row) time(c int) int64 { return int64(r.rec.Column(c).(*array.Timestamp).Value(r.i)) }

func (d *decoder) row(r row) error {
	if n := r.int(colLookup); n != d.number {
		if err := d.end(); err != nil {
			return err
		}
		d.number = n
		d.made = &Lookup{
			Request: r.text(colRequest), At: r.time(colServedAt), Region: r.text(colRegion), Store: r.text(colStore), Project: r.text(colProject),
			Revision: uint64(r.int(colRevision)), Asked: r.text(colAsked), Met: r.text(colMet), Degraded: r.truth(colDegraded), Joined: r.truth(colJoined),
		}
	}
	l := d.made
	entity, view := int(r.int(colEntity)), r.text(colView)
	if len(l.Rows) == 0 || l.Rows[len(l.Rows)-1].Entity != entity || l.Rows[len(l.Rows)-1].View != view {
		next := Row{
			Entity: entity, View: view, ID: feature.ViewID(r.int(colViewID)),
			Shard: feature.Shard{Group: feature.GroupID(r.int(colGroup)), Partition: uint16(r.int(colPartition))},
		}
		if !r.null(colKey) {
			next.Key = feature.Key(r.bytes(colKey))
		}
		var err error
		if next.From, err = parseVector(r.text(colFrom)); err != nil {
			return fmt.Errorf("%w: column vector: %w", ErrCorrupt, err)
		}
		next.Until = next.From
		if !r.null(colUntil) {
			if next.Until, err = parseVector(r.text(colUntil)); err != nil {
				return fmt.Errorf("%w: column vector_until: %w", ErrCorrupt, err)
			}
		}
		l.Rows = append(l.Rows, next)
	}
	c := Cell{Feature: r.text(colFeature), ID: feature.FeatureID(r.int(colFeatureID)), Answered: r.truth(colAnswered), Status: Status(r.text(colStatus))}
	var err error
	if c.Type, err = feature.ParseType(r.text(colType)); err != nil {
		return fmt.Errorf("%w: column type: %w", ErrCorrupt, err)
	}
	if !r.null(colValue) {
		if c.Value, err = feature.DecodeValue(c.Type.Kind, c.Type.Shape, r.bytes(colValue)); err != nil {
			return fmt.Errorf("%w: column value_encoded: %w", ErrCorrupt, err)
		}
	}
	if c.Timed = !r.null(colEvent); c.Timed {
		c.EventTime = r.time(colEvent)
	}
	at := &l.Rows[len(l.Rows)-1]
	at.Cells = append(at.Cells, c)
	return nil
}
