package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/bucket"
	"featurestore/offline/history"
	"featurestore/offline/pit"
	"featurestore/offline/training"
)

// TrainingRequest says what a training set has, in names.
type TrainingRequest struct {
	// Project is needless when there is one.
	Project string
	// Service or Features, as view:feature, are what is added to entity rows.
	Service  string
	Features []string
	// Aliases are views under other names, for Features to name.
	Aliases map[string]api.ExportAlias
	// EventTime is the entity rows' column of times.
	EventTime string
	// KnownAsOf leaves out what was accepted later; the zero Time is no limit.
	KnownAsOf time.Time
	// ServedIn takes what this region had at each row's time; "": what was true.
	ServedIn string
	// Differences has it compared with what was true; it needs ServedIn.
	Differences bool
	// FullNames calls columns view__feature.
	FullNames bool
}

// Training is a training set that lacks its entity rows.
type Training struct {
	past    *Past
	asked   TrainingRequest
	catalog *feature.Catalog
	request training.Request
}

// Training resolves a request. Errors of names are FieldErrors.
func (p *Past) Training(ctx context.Context, asked TrainingRequest) (*Training, error) {
	catalog, err := p.Project(asked.Project)
	if err != nil {
		return nil, err
	}
	t := &Training{past: p, asked: asked, catalog: catalog}
	t.request = training.Request{EventTime: asked.EventTime, KnownAsOf: asked.KnownAsOf, Catalog: catalog}
	if t.request.Features, err = asked.resolve(catalog); err != nil {
		return nil, err
	}
	if asked.ServedIn == "" && asked.Differences {
		return nil, &FieldError{"differences", &MissingError{"they are those of what a region had: give %s, too", []string{"as_served_in"}}}
	}
	if asked.ServedIn == "" {
		return t, nil
	}
	t.request.Differences = asked.Differences
	if asked.ServedIn != p.region {
		return nil, &FieldError{"as_served_in", fmt.Errorf("it is %q: the history is that of region %s, and knows no other's", asked.ServedIn, p.region)}
	}
	t.request.ServedIn, err = p.in.Steps(ctx)
	return t, err
}

// resolve finds the features that are asked for.
func (r *TrainingRequest) resolve(c *feature.Catalog) ([]training.Feature, error) {
	references, err := r.references(c)
	if err != nil {
		return nil, err
	}
	aliases, err := r.resolveAliases(c)
	if err != nil {
		return nil, err
	}
	var out []training.Feature
	for i, ref := range references {
		if a, ok := aliases[ref.View]; ok {
			f, err := a.feature(ref.Feature, c)
			if err != nil {
				return nil, &FieldError{fmt.Sprintf("features[%d]", i), err}
			}
			out = append(out, f)
			continue
		}
		if _, err := c.TypeOf(ref); err != nil {
			return nil, &FieldError{fmt.Sprintf("features[%d]", i), err}
		}
		f := training.Feature{Name: ref.Feature}
		if v, ok := c.View(ref.View); ok {
			f.View = v
		} else {
			f.OnDemand, _ = c.OnDemand(ref.View)
		}
		if r.FullNames {
			f.As = ref.View + "__" + ref.Feature
		}
		out = append(out, f)
	}
	return out, nil
}

func (r *TrainingRequest) references(c *feature.Catalog) ([]feature.Reference, error) {
	switch {
	case r.Service != "" && len(r.Features) > 0:
		return nil, &FieldError{"features", errors.New("a service and features are given: give one of them")}
	case r.Service != "":
		s, ok := c.Service(r.Service)
		if !ok {
			return nil, &FieldError{"service", c.NoService(r.Service)}
		}
		return s.Features, nil
	case len(r.Features) == 0:
		return nil, &FieldError{"features", errors.New("there is none: give a service or features")}
	}
	var out []feature.Reference
	for i, text := range r.Features {
		view, name, ok := strings.Cut(text, ":")
		if !ok || view == "" || name == "" {
			return nil, &FieldError{fmt.Sprintf("features[%d]", i), fmt.Errorf("it is %q: write view:feature", text)}
		}
		out = append(out, feature.Reference{View: view, Feature: name})
	}
	return out, nil
}

// OpenEntityRows opens a .parquet, .arrow or .csv file of entity rows, of this machine
// or, under a URL, in a bucket; of text, join keys, times and what on-demand features
// take from the request have their types. The caller closes it.
func (t *Training) OpenEntityRows(ctx context.Context, path string) (_ *training.EntityRows, err error) {
	if bucket.IsURL(path) {
		if path, err = bucket.Fetch(ctx, path, ""); err != nil {
			return nil, err
		}
		// Once it is open, nobody needs its name.
		defer func() { err = errors.Join(err, os.Remove(path)) }()
	}
	return training.OpenEntityRows(ctx, path, t.entityTypes())
}

// entityTypes are the types that columns of entity rows shall have, by name.
func (t *Training) entityTypes() map[string]feature.Type {
	types := map[string]feature.Type{t.asked.EventTime: feature.ScalarOf(feature.Timestamp)}
	keys := func(v *feature.ResolvedView) {
		for _, k := range v.Keys {
			types[k.Name] = k.Type
		}
	}
	for _, f := range t.request.Features {
		if f.OnDemand == nil && f.Keys == nil {
			keys(f.View)
			continue
		}
		if f.OnDemand == nil {
			for i, column := range f.Keys {
				types[column] = f.View.Keys[i].Type
			}
			continue
		}
		for _, ref := range f.OnDemand.Inputs {
			if v, ok := t.catalog.View(ref.View); ok {
				keys(v)
			}
		}
		for _, field := range f.OnDemand.Request {
			types[field.Name] = field.Type
		}
	}
	return types
}

// Of returns the training set of entity rows, which are read once and stay the
// caller's.
func (t *Training) Of(c pit.Config, entityRows array.RecordReader) Export {
	return &trainingSet{Training: t, config: c, entityRows: &countedRows{RecordReader: entityRows}}
}

// countedRows counts the entity rows that were read.
type countedRows struct {
	array.RecordReader
	rows atomic.Int64
}

// Next implements array.RecordReader.
func (r *countedRows) Next() bool {
	if !r.RecordReader.Next() {
		return false
	}
	r.rows.Add(r.Record().NumRows())
	return true
}

// trainingSet is a training set with its entity rows.
type trainingSet struct {
	*Training
	config     pit.Config
	entityRows *countedRows
	made       atomic.Int64 // rows that were yielded
}

// Progress implements Export: of each view, history is read once for each choice of keys
// under which it is joined, and then come the rows themselves.
func (s *trainingSet) Progress() (done, total int64) {
	type joined struct {
		view *feature.ResolvedView
		keys string
	}
	seen := map[joined]bool{}
	count := func(v *feature.ResolvedView, keys []string) {
		if j := (joined{v, strings.Join(keys, "\x00")}); !seen[j] {
			seen[j] = true
			for _, f := range s.past.in.Files(v.ID, history.AllTime) {
				total += f.Rows
			}
		}
	}
	for _, f := range s.request.Features {
		if f.OnDemand == nil {
			count(f.View, f.Keys)
			continue
		}
		for _, ref := range f.OnDemand.Inputs {
			if v, ok := s.catalog.View(ref.View); ok {
				count(v, nil)
			}
		}
	}
	return min(s.past.in.RowsRead(), total) + s.made.Load(), total + s.entityRows.rows.Load()
}

// Run joins.
func (s *trainingSet) Run(ctx context.Context, yield func(arrow.Record) error) (*api.ExportManifest, error) {
	m, err := s.Manifest()
	if err != nil {
		return nil, err
	}
	schema, err := s.request.Schema(s.entityRows.Schema())
	if err != nil {
		return nil, err
	}
	report, err := training.Join(ctx, s.config, s.past.in, s.entityRows, s.request, func(rec arrow.Record) error {
		m.Rows += rec.NumRows()
		s.made.Add(rec.NumRows())
		return yield(rec)
	})
	if err != nil {
		return nil, err
	}
	for i, view := range report.Views {
		m.Matched[s.asked.nameOf(view, report.Keys[i], s.request.Features)] += report.Matched[i]
	}
	if rows, ok := s.entityRows.RecordReader.(*KeyRows); ok {
		m.KeysOf = &rows.asked
	}
	for i := range report.Differences {
		m.Differences = append(m.Differences, exportedDifference(&report.Differences[i]))
	}
	if m.Rows == 0 {
		if err := yield(emptyRecord(schema)); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func exportedDifference(d *training.Difference) api.ExportedDifference {
	out := api.ExportedDifference{Column: d.Column, Cells: d.Cells, Differing: d.Differing(), Causes: map[string]int64{}}
	for cause, cells := range d.Causes {
		out.Causes[cause.String()] = cells
	}
	return out
}

// Manifest implements Export.
func (t *Training) Manifest() (*api.ExportManifest, error) {
	m := &api.ExportManifest{
		Kind: api.ExportTraining, Project: t.catalog.Project(), RegistryRevision: t.catalog.Revision(),
		EventTime: t.asked.EventTime, ServedIn: t.asked.ServedIn, Matched: map[string]int64{}, History: t.past.manifest(),
	}
	if !t.asked.KnownAsOf.IsZero() {
		m.KnownAsOf = t.asked.KnownAsOf.Format(time.RFC3339Nano)
	}
	for _, f := range t.request.Features {
		one := api.ExportedFeature{Column: f.Name}
		if f.As != "" {
			one.Column = f.As
		}
		ref := feature.Reference{Feature: f.Name}
		if f.OnDemand != nil {
			ref.View = f.OnDemand.Name
		} else if ref.View = f.View.Name; f.View.TTL > 0 {
			one.TTL = f.View.TTL.String()
		}
		one.Feature, one.Keys = ref.String(), f.Keys
		if t, err := t.catalog.TypeOf(ref); err == nil {
			one.Type = t.String()
		}
		m.Features = append(m.Features, one)
	}
	var err error
	m.Definition, err = definitionOf(t.catalog, func(name string) bool {
		return slices.ContainsFunc(t.request.Features, func(f training.Feature) bool {
			return f.View != nil && f.View.Name == name || f.OnDemand != nil && f.OnDemand.Name == name
		})
	}, t.asked.Service)
	return m, err
}
