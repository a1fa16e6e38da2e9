package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

// parquetFile reads the wanted columns of a Parquet file, one row group after
// another. Column chunks of one row group are in memory at a time.
type parquetFile struct {
	ctx    context.Context // of Open: the library wants one for its readers
	file   *os.File
	in     *pqarrow.FileReader
	leaves []int
	group  int // next row group
	reader pqarrow.RecordReader
}

const parquetMagic = "PAR1"

func openParquet(ctx context.Context, f *os.File, path string, size int64, o Options) (format, error) {
	if err := checkParquetMagic(f, size); err != nil {
		return nil, err
	}
	raw, err := file.NewParquetReader(f)
	if err != nil {
		return nil, err
	}
	in, err := pqarrow.NewFileReader(raw, pqarrow.ArrowReadProperties{BatchSize: int64(o.BatchRows)}, memory.NewGoAllocator())
	if err != nil {
		return nil, err
	}
	p := &parquetFile{ctx: ctx, file: f, in: in}
	r := &records{in: p, path: path, build: builder{opt: o}}
	fields, err := p.choose(o.Columns, &r.names)
	if err != nil {
		return nil, err
	}
	if err := r.choose(o.Columns, fields); err != nil {
		return nil, err
	}
	if err := p.checkGroups(o.MaxGroupBytes); err != nil {
		return nil, err
	}
	rows := max(raw.NumRows(), 1)
	r.behind = func(row int64) int64 { return int64(float64(size) * float64(row) / float64(rows)) }
	return r, nil
}

// checkParquetMagic finds files that are cut short, or something else, before
// the library meets them.
func checkParquetMagic(f *os.File, size int64) error {
	const least = 12 // magic, footer length, magic
	head, tail := make([]byte, 4), make([]byte, 4)
	if size < least {
		return fmt.Errorf("it has %d bytes: not a Parquet file", size)
	}
	if _, err := f.ReadAt(head, 0); err != nil {
		return err
	}
	if _, err := f.ReadAt(tail, size-4); err != nil {
		return err
	}
	switch {
	case string(head) != parquetMagic:
		return fmt.Errorf("it begins with %q, not with %s: not a Parquet file", head, parquetMagic)
	case string(tail) != parquetMagic:
		return fmt.Errorf("it ends with %q, not with %s: the file is cut short", tail, parquetMagic)
	}
	return nil
}

// choose sets the leaf columns that hold the wanted columns and returns the
// Arrow fields that records will have, in their order. names receives those of
// the file.
func (p *parquetFile) choose(want []Want, names *[]string) ([]arrow.Field, error) {
	wanted := map[string]bool{}
	for _, w := range want {
		wanted[w.Name] = true
	}
	var fields []arrow.Field
	for i := range p.in.Manifest.Fields {
		top := &p.in.Manifest.Fields[i]
		*names = append(*names, top.Field.Name)
		if want == nil || wanted[top.Field.Name] {
			fields = append(fields, *top.Field)
			p.leaves = appendLeaves(p.leaves, top)
		}
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("it has none of the wanted columns; it has %q", *names)
	}
	return fields, nil
}

// appendLeaves does not ask IsLeaf, which takes a list for a leaf.
func appendLeaves(leaves []int, f *pqarrow.SchemaField) []int {
	if len(f.Children) == 0 {
		return append(leaves, f.ColIndex)
	}
	for i := range f.Children {
		leaves = appendLeaves(leaves, &f.Children[i])
	}
	return leaves
}

// checkGroups refuses row groups that would not fit the memory given.
func (p *parquetFile) checkGroups(limit int64) error {
	meta := p.in.ParquetReader().MetaData()
	for g := range p.in.ParquetReader().NumRowGroups() {
		group := meta.RowGroup(g)
		var bytes int64
		for _, leaf := range p.leaves {
			chunk, err := group.ColumnChunk(leaf)
			if err != nil {
				return fmt.Errorf("row group %d: %w", g, err)
			}
			if n := chunk.TotalCompressedSize(); n < 0 {
				return errors.New("the footer is damaged: a column has a negative size")
			} else {
				bytes += n
			}
		}
		if bytes > limit {
			return fmt.Errorf("row group %d holds %d bytes of the wanted columns, the limit is %d: write the file with smaller row groups", g, bytes, limit)
		}
	}
	return nil
}

// groups returns the rows of each row group, as the footer says.
func (p *parquetFile) groups() []int64 {
	out := make([]int64, p.in.ParquetReader().NumRowGroups())
	for g := range out {
		out[g] = p.in.ParquetReader().MetaData().RowGroup(g).NumRows()
	}
	return out
}

func (p *parquetFile) read() (arrow.Record, error) {
	for {
		if p.reader == nil {
			if p.group == p.in.ParquetReader().NumRowGroups() {
				return nil, io.EOF
			}
			// The library dereferences nil when the context has ended already.
			if err := p.ctx.Err(); err != nil {
				return nil, err
			}
			var err error
			if p.reader, err = p.in.GetRecordReader(p.ctx, p.leaves, []int{p.group}); err != nil {
				return nil, fmt.Errorf("row group %d: %w", p.group, err)
			}
			p.group++
		}
		if p.reader.Next() {
			return p.reader.Record(), nil
		}
		// Next also ends, without saying so, where the library cannot go on.
		if err := p.reader.Err(); err != nil && err != io.EOF {
			return nil, fmt.Errorf("row group %d: %w", p.group-1, err)
		}
		p.reader.Release()
		p.reader = nil
	}
}

func (p *parquetFile) close() error {
	if p.reader != nil {
		p.reader.Release()
		p.reader = nil
	}
	return p.file.Close()
}
