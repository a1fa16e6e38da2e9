package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/offline/history"
	"featurestore/offline/served"
	"featurestore/offline/training"
)

// Run verifies a sample of a served log. Errors are those of reading: a defect is none.
func Run(ctx context.Context, c Config) (_ Report, err error) {
	if err := c.Validate(); err != nil {
		return Report{}, err
	}
	c = c.withDefaults()
	v := verification{tally: tally{features: map[[3]string]*Feature{}}, results: map[*served.Row]*result{}}
	if v.catalogs, err = loadCatalogs(ctx, c.History); err != nil {
		return Report{}, err
	}
	if v.retained, err = history.RetainedSince(ctx, c.History); err != nil {
		return Report{}, err
	}
	lookups, logged, err := draw(ctx, c)
	if err != nil {
		return Report{}, err
	}
	// The history is opened last: it has what was served when the sample was drawn, or
	// will soon.
	in, err := history.NewReader(ctx, c.History)
	if err != nil {
		return Report{}, err
	}
	defer in.Close()
	v.progress, v.gaps = in.Progress(), in.Gaps()
	dir, err := os.MkdirTemp(c.TempDir, "featurestore-verify-")
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := v.stored(ctx, in, lookups, dir); err != nil {
		return Report{}, err
	}
	for _, l := range lookups {
		if err := v.count(l); err != nil {
			return Report{}, err
		}
	}
	r := v.report()
	r.Logged, r.Lookups = logged, int64(len(lookups))
	return r, nil
}

// verification is one run.
type verification struct {
	tally
	catalogs catalogs
	progress map[feature.Shard]hlc.Vector
	gaps     []history.Gap
	retained time.Time
	results  map[*served.Row]*result
}

// result is what history says of one logged row: why nothing, or its cells.
type result struct {
	untold Reason
	cells  []expected
}

// expected is one cell as it must have been served, and its true value.
type expected struct {
	shown  Shown
	truth  feature.Value
	cause  training.Cause
	untold Reason // why a cell that differs is no defect
}

// task is a logged row to recompute.
type task struct {
	lookup *served.Lookup
	row    *served.Row
}

// stored recomputes the stored rows of all lookups, view by view.
func (v *verification) stored(ctx context.Context, in *history.Reader, lookups []*served.Lookup, dir string) error {
	tasks := map[feature.ViewID][]task{}
	for _, l := range lookups {
		for i := range l.Rows {
			if r := &l.Rows[i]; r.ID != 0 {
				tasks[r.ID] = append(tasks[r.ID], task{l, r})
			}
		}
	}
	for _, view := range slices.Sorted(maps.Keys(tasks)) {
		all := tasks[view]
		slices.SortStableFunc(all, func(a, b task) int { return bytes.Compare(a.row.Key, b.row.Key) })
		for rows, err := range training.Entities(ctx, in, view, dir) {
			if err != nil {
				return fmt.Errorf("history of view %s: %w", all[0].row.View, err)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			for len(all) > 0 && bytes.Compare(all[0].row.Key, rows[0].Key) < 0 {
				v.recompute(all[0], nil) // history has nothing of it
				all = all[1:]
			}
			for len(all) > 0 && bytes.Equal(all[0].row.Key, rows[0].Key) {
				v.recompute(all[0], rows)
				all = all[1:]
			}
			if len(all) == 0 {
				break
			}
		}
		for _, t := range all {
			v.recompute(t, nil)
		}
	}
	return nil
}

// recompute notes what history says of one row.
func (v *verification) recompute(t task, rows []history.Row) {
	out := &result{untold: v.untold(t)}
	v.results[t.row] = out
	if out.untold != "" {
		return
	}
	view := v.view(t)
	if view == nil {
		out.untold = Undefined
		return
	}
	found := recompute(t.lookup, t.row, view, rows)
	for i := range t.row.Cells {
		f, _ := view.FieldByID(t.row.Cells[i].ID)
		one := expected{
			shown: show(found.comparison.Served(), f, t.lookup.At, view),
			truth: found.comparison.Value(found.comparison.Truth(), f, view.TTL),
			cause: found.comparison.Cause(f, view.TTL),
		}
		if logged := shownOf(&t.row.Cells[i]); logged != one.shown {
			one.untold = v.excuse(t.row, f, logged, found.unsettled)
		}
		out.cells = append(out.cells, one)
	}
}

// untold returns why history does not tell of a row, "" where it does.
func (v *verification) untold(t task) Reason {
	switch {
	case t.lookup.Joined:
		return Several
	case !v.progress[t.row.Shard].Covers(t.row.Until):
		return NotYet
	}
	return ""
}

// view returns the row's view as it was defined when it was served; nil where that is not
// known, or has not the features.
func (v *verification) view(t task) *feature.ResolvedView {
	c := v.catalogs[catalogID{t.lookup.Project, t.lookup.Revision}]
	if c == nil {
		return nil
	}
	view, ok := c.View(t.row.View)
	if !ok || view.ID != t.row.ID {
		return nil
	}
	for _, c := range t.row.Cells {
		if f, ok := view.FieldByID(c.ID); !ok || f.Name != c.Feature {
			return nil
		}
	}
	return view
}

// excuse returns why a cell that is not as history has it may be none the less, "" where
// nothing excuses it: then it is a defect.
func (v *verification) excuse(r *served.Row, f *feature.Field, logged Shown, unsettled bool) Reason {
	if slices.ContainsFunc(v.gaps, func(g history.Gap) bool { return g.Shard == r.Shard && r.Until[g.Origin] > g.After }) {
		return InGap
	}
	if !v.retained.IsZero() {
		// Rules other than event_time make cells of older events than their own.
		if f.Rule != feature.EventTime || logged.Timed && logged.EventTime < v.retained.UnixNano() {
			return Retained
		}
	}
	if v.catalogs.everLeftOut(r.ID) {
		return NotKept
	}
	if unsettled {
		return Unsettled
	}
	return ""
}

// count counts the cells of a lookup, and computes what is computed.
func (v *verification) count(l *served.Lookup) error {
	for i := range l.Rows {
		r := &l.Rows[i]
		res := v.results[r]
		if r.ID == 0 {
			var err error
			if res, err = v.computed(l, r); err != nil {
				return err
			}
		}
		for n := range r.Cells {
			if r.Cells[n].Status != served.Given {
				v.countCell(l, r, n, res)
			}
		}
	}
	return nil
}

func (v *verification) countCell(l *served.Lookup, r *served.Row, n int, res *result) {
	c := &r.Cells[n]
	f := v.feature(l.Project, r.View, c.Feature)
	f.Cells++
	untold := res.untold
	if untold == "" {
		untold = res.cells[n].untold
	}
	if untold != "" {
		f.Untold[untold]++
		return
	}
	f.Compared++
	want := &res.cells[n]
	if got := shownOf(c); got != want.shown {
		f.Defects++
		if len(v.defects) < maxDefects {
			v.defects = append(v.defects, Defect{
				Request: l.Request, At: time.Unix(0, l.At).UTC(), Region: l.Region, Store: l.Store, Project: l.Project, View: r.View, Feature: c.Feature,
				Key: keyText(r.Key), Served: got, Recomputed: want.shown,
			})
		}
		return
	}
	if want.cause != training.Same {
		f.Causes[want.cause]++
	}
}

// keyText prints an entity key.
func keyText(k feature.Key) string {
	values, err := feature.DecodeKey(k)
	if err != nil {
		return fmt.Sprintf("%x", []byte(k))
	}
	text := ""
	for i, v := range values {
		if i > 0 {
			text += ","
		}
		text += v.String()
	}
	return text
}
