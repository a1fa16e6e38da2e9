package pit

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// MemoryTable is a Table of Arrow records.
type MemoryTable struct {
	keys, features []arrow.Field
	parts          []Part
	records        []arrow.Record
}

// MemoryPart is rows of a MemoryTable.
type MemoryPart struct {
	Name string
	Rows arrow.Record
}

// NewMemoryTable returns a table of the parts, which have one schema. It
// retains their records until Release.
func NewMemoryTable(c Columns, parts ...MemoryPart) (*MemoryTable, error) {
	t := &MemoryTable{}
	for _, p := range parts {
		s := p.Rows.Schema()
		if len(t.parts) > 0 && !s.Equal(parts[0].Rows.Schema()) {
			return nil, fmt.Errorf("table: part %s has other columns than part %s", p.Name, parts[0].Name)
		}
		if err := c.check(s.Fields()); err != nil {
			return nil, fmt.Errorf("table: part %s: %w", p.Name, err)
		}
		part := &memoryPart{name: p.Name, rows: p.Rows, columns: c}
		for _, name := range c.heads() {
			part.heads = append(part.heads, p.Rows.Column(s.FieldIndices(name)[0]))
		}
		features, err := c.features(s.Fields())
		if err != nil {
			return nil, fmt.Errorf("table: part %s: %w", p.Name, err)
		}
		for _, f := range features {
			part.features = append(part.features, s.FieldIndices(f.Name)[0])
		}
		if t.keys == nil {
			t.features = features
			for _, key := range c.Keys {
				t.keys = append(t.keys, s.Field(s.FieldIndices(key)[0]))
			}
		}
		t.parts = append(t.parts, part)
	}
	if len(t.parts) == 0 {
		return nil, fmt.Errorf("table: there is no part to tell the columns; give one without rows")
	}
	for _, p := range parts {
		p.Rows.Retain()
		t.records = append(t.records, p.Rows)
	}
	return t, nil
}

// Keys implements Table.
func (t *MemoryTable) Keys() []arrow.Field { return t.keys }

// Features implements Table.
func (t *MemoryTable) Features() []arrow.Field { return t.features }

// Parts implements Table.
func (t *MemoryTable) Parts() []Part { return t.parts }

// Release releases the records.
func (t *MemoryTable) Release() {
	for _, r := range t.records {
		r.Release()
	}
	t.records, t.parts = nil, nil
}

type memoryPart struct {
	name     string
	rows     arrow.Record
	columns  Columns
	heads    []arrow.Array
	features []int
}

func (p *memoryPart) Name() string { return p.name }
func (p *memoryPart) Rows() int64  { return p.rows.NumRows() }

// EventTimes are not known: finding them would take as long as using them.
func (p *memoryPart) EventTimes() (least, greatest int64, ok bool) { return 0, 0, false }

func (p *memoryPart) Heads(_ context.Context, most Batch) (HeadReader, error) {
	return &memoryHeads{part: p, most: int64(most.Rows), decoder: headDecoder{columns: p.columns}}, nil
}

type memoryHeads struct {
	part    *memoryPart
	most    int64
	decoder headDecoder
	next    int64
	current []arrow.Array
}

func (r *memoryHeads) Next() (*Heads, error) {
	_ = r.Close()
	if r.next == r.part.Rows() {
		return nil, io.EOF
	}
	end := min(r.next+r.most, r.part.Rows())
	for _, a := range r.part.heads {
		r.current = append(r.current, array.NewSlice(a, r.next, end))
	}
	h, fault := r.decoder.decode(r.current)
	if fault != nil {
		return nil, fmt.Errorf("%s: column %s, row %d: %w", r.part.name, fault.column, r.next+int64(fault.row), fault.err)
	}
	r.next = end
	return h, nil
}

func (r *memoryHeads) Close() error {
	releaseArrays(r.current)
	r.current = nil
	return nil
}

func (p *memoryPart) Values(_ context.Context, columns []int, rows []int64, most Batch) (ValueReader, error) {
	bytes := int64(1)
	for _, c := range columns {
		bytes += arrayBytes(p.rows.Column(p.features[c]))
	}
	each := bytes/max(1, p.Rows()) + 1
	return &memoryValues{p, columns, rows, int(min(int64(most.Rows), max(1, most.Bytes/each)))}, nil
}

type memoryValues struct {
	part    *memoryPart
	columns []int
	rows    []int64
	most    int // rows of a record
}

func (r *memoryValues) Next() (arrow.Record, error) {
	if len(r.rows) == 0 {
		return nil, io.EOF
	}
	now := r.rows[:min(r.most, len(r.rows))]
	r.rows = r.rows[len(now):]
	spans := make([]span, len(now))
	for i, row := range now {
		spans[i] = span{start: row, length: 1}
	}
	var columns []arrow.Array
	defer func() { releaseArrays(columns) }()
	var fields []arrow.Field
	for _, c := range r.columns {
		i := r.part.features[c]
		a, err := take(memory.NewGoAllocator(), r.part.rows.Column(i).DataType(), []arrow.Array{r.part.rows.Column(i)}, spans)
		if err != nil {
			return nil, err
		}
		columns, fields = append(columns, a), append(fields, r.part.rows.Schema().Field(i))
	}
	return array.NewRecord(arrow.NewSchema(slices.Clone(fields), nil), columns, int64(len(now))), nil
}

func (r *memoryValues) Close() error { return nil }
