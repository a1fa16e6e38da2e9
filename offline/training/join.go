package training

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/offline/history"
	"featurestore/offline/pit"
)

// Report says what a join did, and the views that Matched counts, in its order: those of
// computed features' inputs are among them. Keys are the entity rows' columns for the
// join keys of each.
type Report struct {
	*pit.Report
	Views []string
	Keys  [][]string
}

// Join calls yield with the entity rows, in their order, each record with the
// features of the request behind its own columns. The record is yield's for the
// time of the call. An error of yield ends the join and is returned, and so does the
// end of ctx. Whatever happens, no file is left in the spill directory.
//
// The states of all entities of the views are written to the spill directory first.
// Config.MemoryLimit bounds the join, not that: it holds the rows of one entity, and
// those of fanIn files of history that are read at a time.
func Join(ctx context.Context, c pit.Config, in *history.Reader, entityRows array.RecordReader, r Request, yield func(arrow.Record) error) (report *Report, err error) {
	if err := errors.Join(r.Validate(), c.Validate()); err != nil {
		return nil, err
	}
	r, outputs, err := r.expand()
	if err == nil && outputs != nil {
		err = outputs.bind(entityRows.Schema())
	}
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(c.SpillDir, "featurestore-states-")
	if err != nil {
		return nil, fmt.Errorf("make a training set: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	p := newPlan(&r)
	request := pit.Request{EventTime: r.EventTime, Features: p.features}
	for i, j := range p.views {
		path := filepath.Join(dir, fmt.Sprintf("%d.parquet", i))
		if err := r.writeStates(ctx, j, in, path); err != nil {
			return nil, fmt.Errorf("history of view %s: %w", j.view.Name, err)
		}
		table, err := pit.OpenParquet(ctx, j.columns(), nil, path)
		if err != nil {
			return nil, fmt.Errorf("states of view %s: %w", j.view.Name, err)
		}
		view := pit.View{Name: viewName(i), Table: table, Keys: j.keys}
		if r.ServedIn == nil {
			view.TTL = j.view.TTL // a state has nothing newer than itself
		}
		request.Views = append(request.Views, view)
	}
	mem := c.Allocator
	if mem == nil {
		mem = memory.NewGoAllocator()
	}
	own := entityRows.Schema().NumFields()
	joined, err := pit.Join(ctx, c, entityRows, request, func(rec arrow.Record) error {
		out, err := p.finish(rec, own, r.EventTime, mem)
		if err != nil {
			return err
		}
		defer out.Release()
		if outputs == nil {
			return yield(out)
		}
		all, err := outputs.finish(out, own, mem)
		if err != nil {
			return err
		}
		defer all.Release()
		return yield(all)
	})
	if err != nil {
		return nil, err
	}
	report = &Report{Report: joined}
	for _, j := range p.views {
		report.Views, report.Keys = append(report.Views, j.view.Name), append(report.Keys, j.keys)
	}
	return report, nil
}

// plan is a request, taken apart: by view and keys, and what the join is to add.
type plan struct {
	views []*joined
	// features are those of the join: the request's, then the event times that
	// tell how old they are.
	features []pit.Feature
	// wanted says where each of the request's features comes from.
	wanted []wanted
}

// wanted is one feature of a request: view and column of its states, and which of
// the join's features has its event times, -1 for none.
type wanted struct {
	view     *joined
	at, ages int
}

func viewName(i int) string { return fmt.Sprint("view ", i) }

func newPlan(r *Request) *plan {
	p := &plan{}
	for _, f := range r.Features {
		keys := f.keys()
		at := slices.IndexFunc(p.views, func(j *joined) bool { return j.view == f.View && slices.Equal(j.keys, keys) })
		if at < 0 {
			at = len(p.views)
			p.views = append(p.views, &joined{view: f.View, keys: keys})
		}
		j := p.views[at]
		field, _ := f.View.Field(f.Name)
		column := slices.Index(j.wanted, field)
		if column < 0 {
			column = len(j.wanted)
			j.wanted = append(j.wanted, field)
		}
		p.features = append(p.features, pit.Feature{View: viewName(at), Name: colFeature(column), As: f.output()})
		p.wanted = append(p.wanted, wanted{view: j, at: column, ages: -1})
	}
	for i := range p.wanted {
		w := &p.wanted[i]
		if !w.view.ages() {
			continue
		}
		view, name := viewName(slices.Index(p.views, w.view)), colAge(w.at)
		w.ages = slices.IndexFunc(p.features, func(f pit.Feature) bool { return f.View == view && f.Name == name })
		if w.ages < 0 {
			w.ages = len(p.features)
			p.features = append(p.features, pit.Feature{View: view, Name: name, As: fmt.Sprintf("\x00%s %s", view, name)})
		}
	}
	return p
}

// finish makes features what would be served of them, and takes out the columns that
// tell.
func (p *plan) finish(rec arrow.Record, own int, eventTime string, mem memory.Allocator) (arrow.Record, error) {
	times := rec.Column(rec.Schema().FieldIndices(eventTime)[0]).(*array.Timestamp)
	columns, fields := slices.Clone(rec.Columns()[:own]), slices.Clone(rec.Schema().Fields()[:own])
	var made []arrow.Array
	defer func() {
		for _, a := range made {
			a.Release()
		}
	}()
	for i, w := range p.wanted {
		column := rec.Column(own + i)
		if w.ages >= 0 {
			var err error
			field := w.view.wanted[w.at]
			if column, err = served(column, rec.Column(own+w.ages).(*array.Int64), times, w.view.view.TTL, field.Default, mem); err != nil {
				return nil, err
			}
			made = append(made, column)
		}
		column = typed(column, history.ArrowType(w.view.wanted[w.at].Type))
		made = append(made, column)
		columns, fields = append(columns, column), append(fields, arrow.Field{Name: rec.ColumnName(own + i), Type: column.DataType(), Nullable: true})
	}
	meta := rec.Schema().Metadata()
	return array.NewRecord(arrow.NewSchema(fields, &meta), columns, rec.NumRows()), nil
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
