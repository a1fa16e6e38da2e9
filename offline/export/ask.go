package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"

	"featurestore/api"
	"featurestore/offline/history"
	"featurestore/offline/pit"
	"featurestore/offline/training"
)

// OpenRows makes the entity rows of a training set, once it is known what they need.
type OpenRows func(*Training) (array.RecordReader, error)

// Ask resolves a request as REST, jobs and Flight have it. EntityRows gives those of a
// training set that the request does not bring itself; nil where there are none. What
// is at fault is named by a FieldError or a Problem. An Export that is an io.Closer is
// closed by the caller, whether it ran or not.
func (p *Past) Ask(ctx context.Context, project string, r *api.ExportRequest, entityRows OpenRows, c pit.Config) (Export, error) {
	kind, err := kindOfRequest(r)
	if err != nil {
		return nil, err
	}
	if kind != api.ExportTraining {
		return p.askView(kind, project, r, nil, c)
	}
	set, err := p.askTraining(ctx, project, r)
	if err != nil {
		return nil, err
	}
	if count(r.EntityRows != nil, r.KeysOf != nil, entityRows != nil) > 1 {
		return nil, &FieldError{"entity_rows", errors.New("entity rows came in two ways: send them, or ask for keys_of")}
	}
	if r.KeysOf != nil {
		keys, err := set.KeysOf(ctx, *r.KeysOf, c.SpillDir)
		if err != nil {
			return nil, err
		}
		if err := set.Check(keys.Schema()); err != nil {
			return nil, errors.Join(err, keys.Close())
		}
		return &closedAfter{set.Of(c, keys), keys}, nil
	}
	if r.EntityRows != nil {
		entityRows = func(t *Training) (array.RecordReader, error) { return t.EntityRowsOf(r.EntityRows) }
	}
	if entityRows == nil {
		return nil, &FieldError{"entity_rows", errors.New("they are missing: a training set needs the rows to add features to, or keys_of")}
	}
	rows, err := entityRows(set)
	if err != nil {
		return nil, err
	}
	if err := set.Check(rows.Schema()); err != nil {
		return nil, err
	}
	return set.Of(c, rows), nil
}

// askView resolves a request for a view, or for a part of its rows.
func (p *Past) askView(kind, project string, r *api.ExportRequest, part *api.ExportPart, c pit.Config) (_ Export, err error) {
	defer func() {
		var field *FieldError
		if errors.As(err, &field) && field.Field == "view" {
			err = &FieldError{kind, field.Err} // the request's word for it
		}
	}()
	v := ViewRequest{Project: project, Since: r.Since, Part: part}
	if v.ServedAt, err = parseTime("served_at", r.ServedAt); err != nil {
		return nil, err
	}
	switch kind {
	case api.ExportSnapshot:
		v.View = r.Snapshot
		return p.Snapshot(v, c)
	case api.ExportChanges:
		v.View = r.Changes
		return p.Changes(v, c)
	}
	v.View = r.Rows
	return p.Rows(v, c)
}

// askTraining resolves a request for a training set, which lacks its entity rows.
func (p *Past) askTraining(ctx context.Context, project string, r *api.ExportRequest) (*Training, error) {
	t := TrainingRequest{
		Project: project, Service: r.Service, Features: r.Features, EventTime: r.EventTime, ServedIn: r.AsServedIn, FullNames: r.FullNames,
		Aliases: r.Aliases, Differences: r.Differences,
	}
	if t.EventTime == "" {
		t.EventTime = history.ColumnEvent
	}
	var err error
	if t.KnownAsOf, err = parseTime("known_as_of", r.KnownAsOf); err != nil {
		return nil, err
	}
	return p.Training(ctx, t)
}

// closedAfter is an export with what it reads.
type closedAfter struct {
	Export
	io.Closer
}

// kindOfRequest says what is asked for, and refuses fields of another kind.
func kindOfRequest(r *api.ExportRequest) (kind string, err error) {
	isTraining := r.Service != "" || len(r.Features) > 0
	for _, one := range []struct {
		kind string
		set  bool
	}{
		{api.ExportTraining, isTraining}, {api.ExportSnapshot, r.Snapshot != ""}, {api.ExportChanges, r.Changes != ""}, {api.ExportRows, r.Rows != ""},
	} {
		switch {
		case !one.set:
		case kind != "":
			return "", &FieldError{one.kind, fmt.Errorf("a %s export is asked for as well: ask for one", kind)}
		default:
			kind = one.kind
		}
	}
	if kind == "" {
		return "", &FieldError{"service", errors.New("nothing is asked for: give a service or features with entity rows, or a view as snapshot, changes or rows")}
	}
	for _, f := range []struct {
		field string
		set   bool
		of    bool
	}{
		{"entity_rows", r.EntityRows != nil, isTraining}, {"event_time", r.EventTime != "", isTraining},
		{"keys_of", r.KeysOf != nil, isTraining}, {"aliases", len(r.Aliases) > 0, isTraining}, {"differences", r.Differences, isTraining},
		{"known_as_of", r.KnownAsOf != "", isTraining}, {"as_served_in", r.AsServedIn != "", isTraining},
		{"full_feature_names", r.FullNames, isTraining}, {"served_at", r.ServedAt != "", !isTraining}, {"since", r.Since != nil, !isTraining},
	} {
		if f.set && !f.of {
			return "", &FieldError{f.field, fmt.Errorf("a %s export has none: leave it out", kind)}
		}
	}
	return kind, nil
}

// parseTime reads a time as entity rows of text have it.
func parseTime(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := training.ParseTime(text)
	if err != nil {
		return time.Time{}, &FieldError{field, fmt.Errorf("it is %q: write a time such as 2026-08-21T12:00:00Z, or a day", text)}
	}
	return t, nil
}
