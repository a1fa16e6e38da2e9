package pit

import (
	"context"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// columnReader reads one column of one row group from its beginning.
type columnReader interface {
	// next returns the next n rows. They are valid until the next call.
	next(n int) (arrow.Array, error)
	// pick reads the next n rows and keeps those that are chosen.
	pick(n int, chosen []int32) error
	// picked returns what was kept since the last call. The caller releases it.
	picked() (arrow.Array, error)
}

// columnOf returns the reader of field i of a row group: one without copies
// for numbers and times, the library's for the rest.
func (f *parquetFile) column(ctx context.Context, group, i int) (columnReader, error) {
	field := &f.arrow.Manifest.Fields[i]
	if len(field.Children) == 0 {
		d := f.raw.MetaData().Schema.Column(field.ColIndex)
		if flat(d, field.Field.Type) {
			r, err := f.raw.RowGroup(group).Column(field.ColIndex)
			if err != nil {
				return nil, err
			}
			switch r := r.(type) {
			case *file.Int32ColumnChunkReader:
				return newFlatColumn(r, d, field.Field.Type, arrow.Int32Traits.CastToBytes), nil
			case *file.Int64ColumnChunkReader:
				return newFlatColumn(r, d, field.Field.Type, arrow.Int64Traits.CastToBytes), nil
			case *file.Float32ColumnChunkReader:
				return newFlatColumn(r, d, field.Field.Type, arrow.Float32Traits.CastToBytes), nil
			case *file.Float64ColumnChunkReader:
				return newFlatColumn(r, d, field.Field.Type, arrow.Float64Traits.CastToBytes), nil
			}
		}
	}
	leaves := map[int]bool{}
	addLeaves(leaves, field)
	r, err := f.arrow.GetFieldReader(ctx, i, leaves, []int{group})
	if err != nil {
		return nil, err
	}
	return &anyColumn{in: r, t: field.Field.Type}, nil
}

func addLeaves(leaves map[int]bool, f *pqarrow.SchemaField) {
	if len(f.Children) == 0 {
		leaves[f.ColIndex] = true
	}
	for i := range f.Children {
		addLeaves(leaves, &f.Children[i])
	}
}

// flat reports whether values stand in the file as they stand in an Arrow array
// of type t.
func flat(d *schema.Column, t arrow.DataType) bool {
	if d.MaxRepetitionLevel() > 0 || d.MaxDefinitionLevel() > 1 {
		return false
	}
	switch t.ID() {
	case arrow.INT32, arrow.UINT32, arrow.DATE32:
		return d.PhysicalType() == parquet.Types.Int32
	case arrow.INT64, arrow.UINT64:
		return d.PhysicalType() == parquet.Types.Int64
	case arrow.FLOAT32:
		return d.PhysicalType() == parquet.Types.Float
	case arrow.FLOAT64:
		return d.PhysicalType() == parquet.Types.Double
	case arrow.TIMESTAMP:
		logical, ok := d.LogicalType().(schema.TimestampLogicalType)
		if !ok || d.PhysicalType() != parquet.Types.Int64 {
			return false
		}
		units := map[arrow.TimeUnit]schema.TimeUnitType{
			arrow.Millisecond: schema.TimeUnitMillis, arrow.Microsecond: schema.TimeUnitMicros, arrow.Nanosecond: schema.TimeUnitNanos,
		}
		unit, ok := units[t.(*arrow.TimestampType).Unit]
		return ok && unit == logical.TimeUnit()
	}
	return false
}

// flatReader is what the library's readers of numbers have in common.
type flatReader[T any] interface {
	ReadBatch(n int64, values []T, defined, repeated []int16) (rows int64, read int, err error)
}

// flatColumn reads numbers into a buffer of its own, again and again.
type flatColumn[T any] struct {
	in       flatReader[T]
	t        arrow.DataType
	optional bool
	bytes    func([]T) []byte
	values   []T
	defined  []int16
	kept     []T
	missing  []int // places in kept that are null
}

func newFlatColumn[T any](in flatReader[T], d *schema.Column, t arrow.DataType, bytes func([]T) []byte) *flatColumn[T] {
	return &flatColumn[T]{in: in, t: t, optional: d.MaxDefinitionLevel() > 0, bytes: bytes}
}

// read fills values, and defined where there are nulls among them.
func (c *flatColumn[T]) read(n int) (nulls int, err error) {
	if len(c.values) < n {
		c.values = make([]T, n)
		if c.optional {
			c.defined = make([]int16, n)
		}
	}
	rows, read := 0, 0
	for rows < n {
		var defined []int16
		if c.optional {
			defined = c.defined[rows:n]
		}
		r, v, err := c.in.ReadBatch(int64(n-rows), c.values[read:n], defined, nil)
		if err != nil {
			return 0, err
		}
		if r == 0 {
			return 0, fmt.Errorf("%w: it ends %d rows early", io.ErrUnexpectedEOF, n-rows)
		}
		rows, read = rows+int(r), read+v
	}
	nulls = n - read
	if nulls > 0 { // values stand together at the front: move them to their rows
		var zero T
		for i := n - 1; i >= 0; i-- {
			if c.defined[i] == 0 {
				c.values[i] = zero
				continue
			}
			read--
			c.values[i] = c.values[read]
		}
	}
	return nulls, nil
}

func (c *flatColumn[T]) next(n int) (arrow.Array, error) {
	nulls, err := c.read(n)
	if err != nil {
		return nil, err
	}
	var valid []byte
	if nulls > 0 {
		valid = make([]byte, bitutil.BytesForBits(int64(n)))
		for i, d := range c.defined[:n] {
			if d != 0 {
				bitutil.SetBit(valid, i)
			}
		}
	}
	return wrap(c.t, n, valid, nulls, c.bytes(c.values[:n])), nil
}

// wrap makes an array of bytes that it does not own.
func wrap(t arrow.DataType, n int, valid []byte, nulls int, values []byte) arrow.Array {
	buffers := []*memory.Buffer{nil, memory.NewBufferBytes(values)}
	if valid != nil {
		buffers[0] = memory.NewBufferBytes(valid)
	}
	data := array.NewData(t, n, buffers, nil, nulls, 0)
	defer data.Release()
	return array.MakeFromData(data)
}

func (c *flatColumn[T]) pick(n int, chosen []int32) error {
	nulls, err := c.read(n)
	if err != nil {
		return err
	}
	for _, i := range chosen {
		if nulls > 0 && c.defined[i] == 0 {
			c.missing = append(c.missing, len(c.kept))
		}
		c.kept = append(c.kept, c.values[i])
	}
	return nil
}

func (c *flatColumn[T]) picked() (arrow.Array, error) {
	n := len(c.kept)
	kept := make([]T, n) // of its size: it lives as long as the join
	copy(kept, c.kept)
	var valid []byte
	if len(c.missing) > 0 {
		valid = make([]byte, bitutil.BytesForBits(int64(n)))
		bitutil.SetBitsTo(valid, 0, int64(n), true)
		for _, i := range c.missing {
			bitutil.ClearBit(valid, i)
		}
	}
	a := wrap(c.t, n, valid, len(c.missing), c.bytes(kept))
	c.kept, c.missing = c.kept[:0], c.missing[:0]
	return a, nil
}
