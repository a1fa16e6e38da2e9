package source

import (
	"io"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/feature"
)

// recordSource yields Arrow records. A record is valid until the next call.
type recordSource interface {
	// read returns the next record, or io.EOF.
	read() (arrow.Record, error)
	close() error
}

// records turns a recordSource into batches.
type records struct {
	in     recordSource
	path   string
	names  []string      // of the file, all of them
	fields []arrow.Field // those of a record
	want   []Want
	from   []int // for each wanted column, its index in a record; -1: absent
	cells  []cell
	build  builder
	behind func(row int64) int64 // bytes of the file before a row

	record arrow.Record
	at     int   // next row in record
	row    int64 // rows before record[at]
	values []feature.Value
	absent []bool
}

// choose finds the wanted columns among those of the records. in holds, for
// each column of a record, its Arrow field.
func (r *records) choose(want []Want, in []arrow.Field) error {
	r.fields = in
	if want == nil {
		for _, f := range in {
			want = append(want, Want{Name: f.Name})
		}
	}
	at := map[string]int{}
	for i, f := range in {
		if _, twice := at[f.Name]; !twice {
			at[f.Name] = i
		}
	}
	r.want = want
	for _, w := range want {
		i, ok := at[w.Name]
		if !ok {
			r.from, r.cells = append(r.from, -1), append(r.cells, nil)
			continue
		}
		c, err := cellOf(in[i].Type)
		if err != nil {
			return unsupported(w.Name, err)
		}
		r.from, r.cells = append(r.from, i), append(r.cells, c)
	}
	r.values, r.absent = make([]feature.Value, len(want)), make([]bool, len(want))
	return nil
}

func (r *records) columns() []string { return r.names }
func (r *records) done() int64       { return r.behind(r.row) }
func (r *records) close() error      { return r.in.close() }

func (r *records) next() (*Batch, error) {
	names := make([]string, len(r.want))
	for i, w := range r.want {
		names[i] = w.Name
	}
	r.build.start(names)
	for !r.build.full() {
		if r.record == nil || r.at == int(r.record.NumRows()) {
			record, err := r.in.read()
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, err
			}
			r.record, r.at = record, 0
			continue
		}
		size, fault := r.convert()
		r.at++
		r.row++
		if fault != nil {
			r.build.fault(fault, size)
			continue
		}
		r.build.add(r.row, size, r.values, r.absent)
	}
	if r.build.empty() {
		return nil, io.EOF
	}
	b := r.build.batch
	return &b, nil
}

// fixedBytes is what a value without text counts for in a batch's size.
const fixedBytes = 8

// convert fills values and absent from the current row of the record.
func (r *records) convert() (size int, _ *RowError) {
	for i, from := range r.from {
		r.values[i], r.absent[i] = feature.Value{}, from < 0
		if from < 0 {
			continue
		}
		column := r.record.Column(from)
		if column.IsNull(r.at) {
			continue
		}
		v, err := r.cells[i](column, r.at)
		if err == nil {
			v, err = fit(v, r.want[i].Type, r.build.opt.TimeLayouts)
		}
		if err != nil {
			return size, &RowError{Path: r.path, At: r.row + 1, Columnar: true, Column: r.want[i].Name, Err: err}
		}
		size += fixedBytes + len(v.Text())
		r.values[i] = v
	}
	return size, nil
}
