package training

import (
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/feature"
	"featurestore/feature/ondemand"
	"featurestore/offline/history"
)

// outputs are the columns of a training set, in order, where some are computed on
// demand: from stored features that are joined for it, and from the entity rows'
// columns that stand for the request (U5).
type outputs struct {
	columns []output
	views   []*computation
}

// output is one column: a stored feature of the join, or one of a computation.
type output struct {
	name   string
	stored int
	of     *computation // nil for a stored feature
	field  int
}

// computation is an on-demand view: its inputs among the stored features, and its
// request among the entity rows' columns.
type computation struct {
	view    *feature.OnDemand
	program *ondemand.Program
	inputs  []int
	types   []feature.Type
	request []int
}

// expand takes a request apart: into one of stored features alone, with the inputs
// of computed ones behind, and how their columns become those of the request; nil when
// nothing is computed.
func (r Request) expand() (Request, *outputs, error) {
	if !slices.ContainsFunc(r.Features, func(f Feature) bool { return f.OnDemand != nil }) {
		return r, nil, nil
	}
	stored, out := r, &outputs{}
	stored.Features = nil
	for _, f := range r.Features {
		if f.OnDemand == nil {
			out.columns = append(out.columns, output{name: f.output(), stored: len(stored.Features)})
			stored.Features = append(stored.Features, f)
			continue
		}
		field := slices.IndexFunc(f.OnDemand.Fields, func(c feature.Computed) bool { return c.Name == f.Name })
		if field < 0 {
			return r, nil, fmt.Errorf("%w: on-demand view %s has no feature %q", ErrRequest, f.OnDemand.Name, f.Name)
		}
		at := slices.IndexFunc(out.views, func(c *computation) bool { return c.view == f.OnDemand })
		if at < 0 {
			c, err := r.computation(f.OnDemand, &stored)
			if err != nil {
				return r, nil, err
			}
			at, out.views = len(out.views), append(out.views, c)
		}
		out.columns = append(out.columns, output{name: f.output(), of: out.views[at], field: field})
	}
	return stored, out, nil
}

func (r Request) computation(o *feature.OnDemand, stored *Request) (*computation, error) {
	if r.Catalog == nil {
		return nil, fmt.Errorf("%w: Catalog is nil: %s needs it for its inputs", ErrRequest, o.Name)
	}
	program, err := ondemand.Compile(*o, r.Catalog.TypeOf)
	if err != nil {
		return nil, err
	}
	c := &computation{view: o, program: program}
	for _, ref := range o.Inputs {
		v, ok := r.Catalog.View(ref.View)
		if !ok {
			return nil, r.Catalog.NoView(ref.View)
		}
		t, err := r.Catalog.TypeOf(ref)
		if err != nil {
			return nil, err
		}
		c.inputs, c.types = append(c.inputs, len(stored.Features)), append(c.types, t)
		stored.Features = append(stored.Features, Feature{View: v, Name: ref.Feature, As: fmt.Sprintf("\x00%s %s", o.Name, ref)})
	}
	return c, nil
}

// bind finds the columns of requests among the entity rows', and columns of one name.
func (o *outputs) bind(entities *arrow.Schema) error {
	var errs []error
	names := map[string]bool{}
	for _, f := range entities.Fields() {
		names[f.Name] = true
	}
	for _, c := range o.columns {
		if names[c.name] {
			errs = append(errs, fmt.Errorf("%w: two columns of the output are named %q", ErrRequest, c.name))
		}
		names[c.name] = true
	}
	for _, c := range o.views {
		for _, f := range c.view.Request {
			at, want := entities.FieldIndices(f.Name), history.ArrowType(f.Type)
			switch {
			case len(at) != 1:
				errs = append(errs, fmt.Errorf("%w: on-demand view %s takes %s from the request: the entity rows need one column of that name", ErrRequest, c.view.Name, f.Name))
			case !arrow.TypeEqual(entities.Field(at[0]).Type, want):
				errs = append(errs, fmt.Errorf("%w: column %s of the entity rows is %s, on-demand view %s wants %s", ErrRequest, f.Name, entities.Field(at[0]).Type, c.view.Name, want))
			default:
				c.request = append(c.request, at[0])
			}
		}
	}
	return errors.Join(errs...)
}

// finish makes the columns of a training set of those of the join, whose first own ones
// are the entity rows'. What cannot be computed is null, as it is where it is served.
func (o *outputs) finish(rec arrow.Record, own int, mem memory.Allocator) (arrow.Record, error) {
	computed := map[*computation][]arrow.Array{}
	defer func() {
		for _, all := range computed {
			for _, a := range all {
				a.Release()
			}
		}
	}()
	for _, c := range o.views {
		all, err := c.compute(rec, own, mem)
		if err != nil {
			return nil, err
		}
		computed[c] = all
	}
	columns, fields := slices.Clone(rec.Columns()[:own]), slices.Clone(rec.Schema().Fields()[:own])
	for _, out := range o.columns {
		var column arrow.Array
		if out.of == nil {
			column = rec.Column(own + out.stored)
		} else {
			column = computed[out.of][out.field]
		}
		columns = append(columns, column)
		fields = append(fields, arrow.Field{Name: out.name, Type: column.DataType(), Nullable: true})
	}
	meta := rec.Schema().Metadata()
	return array.NewRecord(arrow.NewSchema(fields, &meta), columns, rec.NumRows()), nil
}

// compute returns a column for each feature of the view. The caller releases them.
func (c *computation) compute(rec arrow.Record, own int, mem memory.Allocator) ([]arrow.Array, error) {
	builders := make([]array.Builder, len(c.view.Fields))
	for i, f := range c.view.Fields {
		builders[i] = array.NewBuilder(mem, history.ArrowType(f.Type))
		defer builders[i].Release()
	}
	inputs, request, out := make([]feature.Value, len(c.inputs)), make([]feature.Value, len(c.request)), make([]feature.Value, len(builders))
	for row := range int(rec.NumRows()) {
		var err error
		for i, at := range c.inputs {
			if inputs[i], err = history.ArrowValue(rec.Column(own+at), row, c.types[i]); err != nil {
				return nil, err
			}
		}
		for i, at := range c.request {
			if request[i], err = history.ArrowValue(rec.Column(at), row, c.view.Request[i].Type); err != nil {
				return nil, err
			}
		}
		if err := c.program.Eval(inputs, request, out); errors.Is(err, ondemand.ErrMisuse) {
			return nil, err
		}
		for i, v := range out {
			history.AppendArrow(builders[i], v)
		}
	}
	made := make([]arrow.Array, len(builders))
	for i, b := range builders {
		made[i] = b.NewArray()
	}
	return made, nil
}
