package pit

import (
	"errors"
	"fmt"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
)

// Request says what to join.
type Request struct {
	// EventTime is the entity rows' column of times: an Arrow timestamp of any
	// unit. One without a zone is in UTC.
	EventTime string
	// Views are the tables to join. One table may stand there several times,
	// under other names and keys: as origin and destination.
	Views []View
	// Features are the columns to add, in this order.
	Features []Feature
	// KnownAsOf leaves out feature rows that became known later. The zero Time
	// is no limit.
	KnownAsOf time.Time
	// AsServed lets an entity row see only what was known at its own time.
	AsServed bool
}

// View is one table to join.
type View struct {
	// Name is what Features call it.
	Name string
	// Table has its rows.
	Table Table
	// Keys are the entity rows' columns to be compared with Table.Keys, in that
	// order.
	Keys []string
	// TTL bounds the age of a match, the bound included; zero: no bound.
	TTL time.Duration
}

// Feature is one column of the output.
type Feature struct {
	// View is a View's Name, Name one of its features.
	View, Name string
	// As is the column's name in the output; "": Name.
	As string
}

func (f Feature) output() string {
	if f.As != "" {
		return f.As
	}
	return f.Name
}

// ErrRequest reports a request that does not fit the entity rows or the
// tables. Nothing was read.
var ErrRequest = errors.New("the join does not fit its columns")

// ErrEntityRows reports a value of the entity rows that the join cannot take.
var ErrEntityRows = errors.New("entity rows")

func misfit(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRequest, fmt.Sprintf(format, args...))
}

// plan is a request resolved against the columns there are.
type plan struct {
	entity *arrow.Schema // of the entity rows, as they are handed out
	output *arrow.Schema
	time   int // column of the entity rows' times
	views  []viewPlan
	// from says, for each output feature, the view and which of its wanted
	// columns it is.
	from []struct{ view, column int }
	// knownAsOf is the last moment at which a row may have become known.
	knownAsOf int64
	asServed  bool
}

// viewPlan is one joined view.
type viewPlan struct {
	View
	columns []int // of the entity rows, one for each join key
	classes []keyClass
	wanted  []int // indexes of Table.Features
	fields  []arrow.Field
}

func resolve(entity *arrow.Schema, r Request) (*plan, error) {
	p := &plan{knownAsOf: maxTime, asServed: r.AsServed}
	var errs []error
	fault := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	var err error
	p.entity, err = withoutFixedLists(entity)
	fault(err)
	p.time, err = columnOf(entity, r.EventTime)
	fault(err)
	if err == nil && entity.Field(p.time).Type.ID() != arrow.TIMESTAMP {
		fault(misfit("column %s of the entity rows is %s, want a timestamp", r.EventTime, entity.Field(p.time).Type))
	}
	if !r.KnownAsOf.IsZero() {
		p.knownAsOf, err = unixNano(r.KnownAsOf)
		fault(err)
	}
	names := map[string]int{}
	for i, v := range r.Views {
		if _, twice := names[v.Name]; twice {
			fault(misfit("two views are named %q", v.Name))
		}
		names[v.Name] = i
		planned, err := resolveView(entity, v)
		fault(err)
		p.views = append(p.views, planned)
	}
	if len(errs) == 0 {
		fault(p.resolveFeatures(r.Features, names))
	}
	return p, errors.Join(errs...)
}

func resolveView(entity *arrow.Schema, v View) (viewPlan, error) {
	p := viewPlan{View: v}
	if v.Table == nil {
		return p, misfit("view %s has no table", v.Name)
	}
	keys := v.Table.Keys()
	if len(keys) == 0 || len(keys) != len(v.Keys) {
		return p, misfit("view %s has %d join keys, and %d columns are given for them", v.Name, len(keys), len(v.Keys))
	}
	if v.TTL < 0 {
		return p, misfit("view %s has the ttl %s: it must not be negative", v.Name, v.TTL)
	}
	for i, key := range keys {
		column, err := columnOf(entity, v.Keys[i])
		if err != nil {
			return p, fmt.Errorf("view %s: %w", v.Name, err)
		}
		mine, theirs := classOf(entity.Field(column).Type), classOf(key.Type)
		switch {
		case theirs == noClass || key.Type.ID() == arrow.UINT64:
			return p, misfit("join key %s of view %s is %s, which cannot be a key", key.Name, v.Name, key.Type)
		case mine != theirs:
			return p, misfit("join key %s of view %s is %s, column %s of the entity rows is %s: they are never equal",
				key.Name, v.Name, key.Type, v.Keys[i], entity.Field(column).Type)
		}
		p.columns, p.classes = append(p.columns, column), append(p.classes, mine)
	}
	return p, nil
}

// resolveFeatures sets what is wanted of each view and the output's schema.
func (p *plan) resolveFeatures(features []Feature, views map[string]int) error {
	taken := map[string]bool{}
	for _, f := range p.entity.Fields() {
		taken[f.Name] = true
	}
	fields := append([]arrow.Field(nil), p.entity.Fields()...)
	for _, f := range features {
		i, ok := views[f.View]
		if !ok {
			return misfit("feature %s: there is no view %q", f.Name, f.View)
		}
		view := &p.views[i]
		column := -1
		for c, field := range view.Table.Features() {
			if field.Name == f.Name {
				column = c
			}
		}
		if column < 0 {
			return misfit("view %s has no feature %q", f.View, f.Name)
		}
		field := view.Table.Features()[column]
		if err := checkTakable(field.Type); err != nil {
			return misfit("feature %s of view %s: %v", f.Name, f.View, err)
		}
		if taken[f.output()] {
			return misfit("two columns of the output are named %q", f.output())
		}
		taken[f.output()] = true
		p.from = append(p.from, struct{ view, column int }{i, view.want(column, field)})
		field.Name, field.Nullable = f.output(), true
		fields = append(fields, field)
	}
	meta := p.entity.Metadata()
	p.output = arrow.NewSchema(fields, &meta)
	return nil
}

// want returns the place of a table's column among those that are read.
func (v *viewPlan) want(column int, field arrow.Field) int {
	for i, c := range v.wanted {
		if c == column {
			return i
		}
	}
	v.wanted, v.fields = append(v.wanted, column), append(v.fields, field)
	return len(v.wanted) - 1
}

func columnOf(s *arrow.Schema, name string) (int, error) {
	switch at := s.FieldIndices(name); len(at) {
	case 1:
		return at[0], nil
	case 0:
		return 0, misfit("the entity rows have no column %q", name)
	default:
		return 0, misfit("the entity rows have %d columns named %q", len(at), name)
	}
}
