package training

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	// Differences has one element for each feature of the request, in its order, when
	// Request.Differences wanted them.
	Differences []Difference
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
		view := pit.View{Name: j.name(), Table: table, Keys: j.keys}
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
	count := newTally(&r, p, outputs)
	joined, err := pit.Join(ctx, c, entityRows, request, func(rec arrow.Record) error {
		return p.served(rec, own, r.EventTime, mem).use(outputs, func(stored, all arrow.Record) error {
			if count == nil {
				return yield(all)
			}
			err := p.true(rec, own, r.EventTime, mem).use(outputs, func(trueStored, trueAll arrow.Record) error {
				return count.add(rec, own, [2]arrow.Record{stored, trueStored}, [2]arrow.Record{all, trueAll})
			})
			if err != nil {
				return err
			}
			return yield(all)
		})
	})
	if err != nil {
		return nil, err
	}
	report = &Report{Report: joined}
	for _, j := range p.views {
		report.Views, report.Keys = append(report.Views, j.view.Name), append(report.Keys, j.keys)
	}
	if count != nil {
		report.Differences, report.Matched = count.differences, count.matched
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
// the join's features has its event times, -1 for none; and where states are compared,
// which have the true values, their event times, and the causes.
type wanted struct {
	view                           *joined
	at, ages                       int
	truth, truthAges, cause, shows int
}

// name is what a view is called in the join, and in its errors: each has its own.
func (j *joined) name() string {
	for i, key := range j.view.Keys {
		if j.keys[i] != key.Name {
			return j.view.Name + " by " + strings.Join(j.keys, ", ")
		}
	}
	return j.view.Name
}

func newPlan(r *Request) *plan {
	p := &plan{}
	for _, f := range r.Features {
		keys := f.keys()
		at := slices.IndexFunc(p.views, func(j *joined) bool { return j.view == f.View && slices.Equal(j.keys, keys) })
		if at < 0 {
			at = len(p.views)
			p.views = append(p.views, &joined{view: f.View, keys: keys, compared: r.Differences})
		}
		j := p.views[at]
		field, _ := f.View.Field(f.Name)
		column := slices.Index(j.wanted, field)
		if column < 0 {
			column = len(j.wanted)
			j.wanted = append(j.wanted, field)
		}
		p.features = append(p.features, pit.Feature{View: j.name(), Name: colFeature(column), As: f.output()})
		p.wanted = append(p.wanted, wanted{view: j, at: column, ages: -1})
	}
	for i := range p.wanted {
		w := &p.wanted[i]
		if !w.view.ages() {
			continue
		}
		w.ages = p.besides(w.view, colAge(w.at))
		if w.view.compared {
			w.truth, w.truthAges = p.besides(w.view, colTruth(w.at)), p.besides(w.view, colTruthAge(w.at))
			w.cause, w.shows = p.besides(w.view, colCause(w.at)), p.besides(w.view, colShows)
		}
	}
	return p
}

// besides returns which of the join's features is a column of a view's states that was not
// asked for.
func (p *plan) besides(j *joined, column string) int {
	view := j.name()
	at := slices.IndexFunc(p.features, func(f pit.Feature) bool { return f.View == view && f.Name == column })
	if at < 0 {
		at = len(p.features)
		p.features = append(p.features, pit.Feature{View: view, Name: column, As: fmt.Sprintf("\x00%s %s", view, column)})
	}
	return at
}
