package training

import (
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/offline/history"
)

// side is a record of the join with one side of its features as they would be served:
// what the region had, or what was true.
type side struct {
	rec arrow.Record
	own int
	mem memory.Allocator
	err error
}

// served is the side that a training set has.
func (p *plan) served(rec arrow.Record, own int, eventTime string, mem memory.Allocator) side {
	return p.side(rec, own, eventTime, mem, func(i int) (values, ages int) { return i, p.wanted[i].ages })
}

// true is the side that it is compared with.
func (p *plan) true(rec arrow.Record, own int, eventTime string, mem memory.Allocator) side {
	return p.side(rec, own, eventTime, mem, func(i int) (values, ages int) { return p.wanted[i].truth, p.wanted[i].truthAges })
}

// side makes features what would be served of them, and takes out the columns that
// tell. Which returns where a feature's values and their event times are.
func (p *plan) side(rec arrow.Record, own int, eventTime string, mem memory.Allocator, which func(i int) (values, ages int)) side {
	times := rec.Column(rec.Schema().FieldIndices(eventTime)[0]).(*array.Timestamp)
	columns, fields := slices.Clone(rec.Columns()[:own]), slices.Clone(rec.Schema().Fields()[:own])
	var made []arrow.Array
	defer func() {
		for _, a := range made {
			a.Release()
		}
	}()
	for i, w := range p.wanted {
		values, ages := which(i)
		column := rec.Column(own + values)
		if ages >= 0 {
			var err error
			field := w.view.wanted[w.at]
			if column, err = served(column, rec.Column(own+ages).(*array.Int64), times, w.view.view.TTL, field.Default, mem); err != nil {
				return side{err: err}
			}
			made = append(made, column)
		}
		column = typed(column, history.ArrowType(w.view.wanted[w.at].Type))
		made = append(made, column)
		columns, fields = append(columns, column), append(fields, arrow.Field{Name: rec.ColumnName(own + i), Type: column.DataType(), Nullable: true})
	}
	meta := rec.Schema().Metadata()
	return side{rec: array.NewRecord(arrow.NewSchema(fields, &meta), columns, rec.NumRows()), own: own, mem: mem}
}

// use calls with the side's stored features, and with the request's, what is computed on
// demand included; and releases both.
func (s side) use(computed *outputs, with func(stored, all arrow.Record) error) error {
	if s.err != nil {
		return s.err
	}
	defer s.rec.Release()
	if computed == nil {
		return with(s.rec, s.rec)
	}
	all, err := computed.finish(s.rec, s.own, s.mem)
	if err != nil {
		return err
	}
	defer all.Release()
	return with(s.rec, all)
}

// typed gives a column the type of its feature: lists come from Parquet with elements
// that are called otherwise, and could be null. The caller releases it.
func typed(column arrow.Array, t arrow.DataType) arrow.Array {
	if arrow.TypeEqual(column.DataType(), t) {
		column.Retain()
		return column
	}
	d := column.Data()
	data := array.NewData(t, d.Len(), d.Buffers(), d.Children(), d.NullN(), d.Offset())
	defer data.Release()
	return array.MakeFromData(data)
}
