package sql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/feature"
	"featurestore/offline/history"
	"featurestore/offline/training"
)

// ErrInexpressible reports what cannot be said in SQL over the files of history.
// Nothing was printed.
var ErrInexpressible = errors.New("SQL cannot say it")

// Query is a training set that is to be printed as a query.
type Query struct {
	// Request is what the training set has.
	Request training.Request
	// History says which files there are, and is read where their columns do not
	// say it all.
	History *history.Reader
	// Location is the root of the history, as the engine calls it: a folder, or
	// s3://bucket/prefix.
	Location string
	// Entity are the columns of the entity rows.
	Entity *arrow.Schema
	// EntityRows is the Parquet file of entity rows as the engine calls it; "": a
	// table, entity_rows, with the engine's own type of times.
	EntityRows string
}

// tableOfEntityRows is what entity rows that are no file are a table of.
const tableOfEntityRows = "entity_rows"

// folder is a view, and what is read of its files.
type folder struct {
	view *feature.ResolvedView
	path string // below the location: project/view
	// features are read of its files, each once.
	features []column
}

// joined is a folder under one choice of keys.
type joined struct {
	folder int
	keys   []string // columns of the entity rows
}

// place is which join a feature of the request is of, and which feature of its folder.
type place struct{ join, feature int }

// plan is a request, taken apart: folders to read, joins of them, and where each
// feature of the request comes from.
type plan struct {
	folders []folder
	joins   []joined
	of      []place
}

// column is one feature, as the files of its view have it.
type column struct {
	*feature.Field
	names []string // of its columns; none where no file has one
}

// Print returns the query, in the dialect, with what there is to know before it as
// comments. It reads the footers of all files of the views, and the rows of those whose
// columns do not say it all. Errors match training.ErrRequest, ErrInexpressible, or are
// of the history.
func Print(ctx context.Context, d *Dialect, q Query) (string, error) {
	if err := q.Request.Validate(); err != nil {
		return "", err
	}
	if err := q.refuse(); err != nil {
		return "", err
	}
	plan, err := q.plan(ctx)
	if err != nil {
		return "", err
	}
	if d.entity == nil {
		q.EntityRows = ""
	}
	p := printer{d: d, q: &q, plan: plan}
	p.head()
	p.entity()
	for i := range plan.folders {
		p.folder(i, &plan.folders[i])
	}
	if err := p.result(); err != nil {
		return "", err
	}
	return p.out.String(), nil
}

func (q *Query) readsEntity() bool { return q.EntityRows != "" }

func (q *Query) entityColumns() []string {
	var names []string
	for _, f := range q.Entity.Fields() {
		names = append(names, f.Name)
	}
	return names
}

// refuse reports what shows without the files.
func (q *Query) refuse() error {
	var errs []error
	refuse := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: %s", ErrInexpressible, fmt.Sprintf(format, args...)))
	}
	if q.Request.ServedIn != nil {
		refuse("as_served_in: when a region had a row stands in files that are not Parquet")
	}
	names := map[string]string{}
	for _, name := range q.entityColumns() {
		if had, ok := names[strings.ToLower(name)]; ok {
			refuse("the entity rows have columns %s and %s, which are one name to SQL", had, name)
		}
		names[strings.ToLower(name)] = name
	}
	for _, f := range q.Request.Features {
		name := output(f)
		if had, ok := names[strings.ToLower(name)]; ok {
			refuse("columns %s and %s of the result are one name to SQL", had, name)
		}
		names[strings.ToLower(name)] = name
		if f.OnDemand != nil {
			refuse("feature %s:%s is computed on demand: take its inputs, and compute it of them", f.OnDemand.Name, f.Name)
			continue
		}
		if f.View.TTL%time.Microsecond != 0 {
			refuse("view %s has a ttl of %v: engines count microseconds", f.View.Name, f.View.TTL)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return q.refuseEntity()
}

// refuseEntity reports entity rows that lack a column.
func (q *Query) refuseEntity() error {
	var errs []error
	find := func(name, what string) (arrow.Field, bool) {
		at := q.Entity.FieldIndices(name)
		if len(at) != 1 {
			errs = append(errs, fmt.Errorf("%w: the entity rows have no column %q, %s; they have %s", training.ErrRequest, name, what, strings.Join(q.entityColumns(), ", ")))
			return arrow.Field{}, false
		}
		return q.Entity.Field(at[0]), true
	}
	if f, ok := find(q.Request.EventTime, "the times"); ok {
		if _, ok := f.Type.(*arrow.TimestampType); !ok {
			errs = append(errs, fmt.Errorf("%w: column %s of the entity rows is %s, it must be timestamps", training.ErrRequest, f.Name, f.Type))
		}
	}
	for _, f := range q.Request.Features {
		for i, name := range keysOf(f) {
			k := f.View.Keys[i]
			if c, ok := find(name, fmt.Sprintf("join key %s of view %s", k.Name, f.View.Name)); ok && !sameKeys(k, c.Type) {
				errs = append(errs, fmt.Errorf("%w: column %s of the entity rows is %s, join key %s of view %s is %s", training.ErrRequest, name, c.Type, k.Name, f.View.Name, k.Type))
			}
		}
	}
	return errors.Join(errs...)
}

// output is the name of a feature's column in the result.
func output(f training.Feature) string {
	if f.As != "" {
		return f.As
	}
	return f.Name
}

// keysOf are the entity rows' columns for the join keys of a feature's view.
func keysOf(f training.Feature) []string {
	if f.Keys != nil {
		return f.Keys
	}
	var names []string
	for _, k := range f.View.Keys {
		names = append(names, k.Name)
	}
	return names
}

// plan takes the request apart by view and keys.
func (q *Query) plan(ctx context.Context) (*plan, error) {
	p := &plan{}
	for _, f := range q.Request.Features {
		in := slices.IndexFunc(p.folders, func(o folder) bool { return o.view == f.View })
		if in < 0 {
			in, p.folders = len(p.folders), append(p.folders, folder{view: f.View})
		}
		keys := keysOf(f)
		join := slices.IndexFunc(p.joins, func(j joined) bool { return j.folder == in && slices.Equal(j.keys, keys) })
		if join < 0 {
			join, p.joins = len(p.joins), append(p.joins, joined{in, keys})
		}
		o := &p.folders[in]
		field, _ := f.View.Field(f.Name)
		n := slices.IndexFunc(o.features, func(c column) bool { return c.Field == field })
		if n < 0 {
			n, o.features = len(o.features), append(o.features, column{Field: field})
		}
		p.of = append(p.of, place{join, n})
	}
	var errs []error
	for i := range p.folders {
		errs = append(errs, p.folders[i].look(ctx, q.History))
	}
	return p, errors.Join(errs...)
}
