package pit

import (
	"context"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// decodeRows is how many values of a column are decoded at once: they fit a
// cache.
const decodeRows = 1 << 13

// parquetGroup is a row group that is being read.
type parquetGroup struct {
	part    *parquetPart
	file    *parquetFile
	names   []string
	columns []columnReader
	row     int64
	batch   int64 // rows to decode at once
	most    int64 // rows to hand out at once
}

// open opens a part's file and the named columns. Those that are absent and
// have a type in fields are null.
func (p *parquetPart) open(ctx context.Context, names []string, fields []arrow.Field, most Batch) (_ *parquetGroup, err error) {
	if err := ctx.Err(); err != nil { // the library dereferences nil when it has ended
		return nil, err
	}
	f, err := openFile(p.path, &p.table.footers)
	if err != nil {
		return nil, p.failed(err)
	}
	g := &parquetGroup{part: p, file: f, names: names}
	defer func() {
		if err != nil {
			f.close()
			err = p.failed(err)
		}
	}()
	defer recovered(&err)
	if f.raw.NumRowGroups() <= p.group || f.raw.RowGroup(p.group).NumRows() != p.rows {
		return nil, fmt.Errorf("the file has changed since the table was opened")
	}
	have := f.fields()
	bytes := int64(1)
	for i, name := range names {
		at := indexOf(have, name)
		if at < 0 {
			g.columns = append(g.columns, &absentColumn{t: fields[i].Type})
			continue
		}
		c, err := f.column(ctx, p.group, at)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", name, err)
		}
		g.columns = append(g.columns, c)
		bytes += columnBytes(f, p.group, at)
	}
	each := bytes/max(1, p.rows) + 1
	g.most = max(1, min(int64(most.Rows), most.Bytes/each))
	g.batch = min(decodeRows, g.most)
	return g, nil
}

// columnBytes is what a column of a row group takes unpacked, as the footer says.
func columnBytes(f *parquetFile, group, i int) (n int64) {
	leaves := map[int]bool{}
	addLeaves(leaves, &f.arrow.Manifest.Fields[i])
	for leaf := range leaves {
		if meta, err := f.raw.MetaData().RowGroup(group).ColumnChunk(leaf); err == nil {
			n += max(0, meta.TotalUncompressedSize())
		}
	}
	return n
}

// Close implements HeadReader and ValueReader.
func (g *parquetGroup) Close() error {
	g.file.close()
	return nil
}

// Heads implements Part.
func (p *parquetPart) Heads(ctx context.Context, most Batch) (HeadReader, error) {
	g, err := p.open(ctx, p.table.columns.heads(), nil, most)
	if err != nil {
		return nil, err
	}
	return &parquetHeads{g, headDecoder{columns: p.table.columns}}, nil
}

type parquetHeads struct {
	*parquetGroup
	decoder headDecoder
}

// Next implements HeadReader.
func (r *parquetHeads) Next() (_ *Heads, err error) {
	n := int(min(r.most, r.part.rows-r.row)) // many: each shard of a spine is to get some
	if n == 0 {
		return nil, io.EOF
	}
	defer func() {
		if err != nil {
			err = r.part.failed(err)
		}
	}()
	defer recovered(&err)
	arrays := make([]arrow.Array, len(r.columns))
	for i, c := range r.columns {
		if arrays[i], err = c.next(n); err != nil {
			return nil, fmt.Errorf("column %s: %w", r.names[i], err)
		}
	}
	h, fault := r.decoder.decode(arrays)
	if fault != nil {
		return nil, fmt.Errorf("column %s, row %d: %w", fault.column, r.row+int64(fault.row), fault.err)
	}
	r.row += int64(n)
	return h, nil
}

// Values implements Part.
func (p *parquetPart) Values(ctx context.Context, columns []int, rows []int64, most Batch) (ValueReader, error) {
	names, fields := make([]string, len(columns)), make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i], names[i] = p.table.features[c], p.table.features[c].Name
	}
	g, err := p.open(ctx, names, fields, most)
	if err != nil {
		return nil, err
	}
	return &parquetValues{g, arrow.NewSchema(fields, nil), rows}, nil
}

type parquetValues struct {
	*parquetGroup
	schema *arrow.Schema
	rows   []int64
}

// Next implements ValueReader.
func (r *parquetValues) Next() (_ arrow.Record, err error) {
	if len(r.rows) == 0 {
		return nil, io.EOF
	}
	defer func() {
		if err != nil {
			err = r.part.failed(err)
		}
	}()
	defer recovered(&err)
	most := int(r.most)
	picked := 0
	var chosen []int32
	for picked < most && len(r.rows) > 0 {
		n := min(r.batch, r.part.rows-r.row)
		chosen = chosen[:0]
		for len(r.rows) > 0 && r.rows[0] < r.row+n && picked+len(chosen) < most {
			chosen = append(chosen, int32(r.rows[0]-r.row))
			r.rows = r.rows[1:]
		}
		if len(r.rows) > 0 && r.rows[0] < r.row+n {
			n = r.rows[0] - r.row // full: the rest of the batch is for the next call
		}
		for i, c := range r.columns {
			if err := c.pick(int(n), chosen); err != nil {
				return nil, fmt.Errorf("column %s: %w", r.names[i], err)
			}
		}
		picked += len(chosen)
		r.row += n
	}
	columns := make([]arrow.Array, 0, len(r.columns))
	defer func() { releaseArrays(columns) }()
	for i, c := range r.columns {
		a, err := c.picked()
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", r.names[i], err)
		}
		columns = append(columns, a)
	}
	return array.NewRecord(r.schema, columns, int64(picked)), nil
}
