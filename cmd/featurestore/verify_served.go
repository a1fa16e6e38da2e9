package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"featurestore/api"
	"featurestore/offline/history"
	"featurestore/offline/training"
	"featurestore/offline/verify"
	"featurestore/replica"
)

// verifying compares what a store served with its history.
type verifying struct {
	place    historyPlace // and the data directory has the served log
	from, to string
	sample   int
}

func newVerify(a *app) *cobra.Command {
	var v verifying
	var out output
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Recompute what was served from history",
		Long: `Verify takes a sample of what a store served (setting served_log), recomputes it
from the store's history (setting history), and prints two comparisons for each
feature.

The first: what a store must have served that had exactly the writes which this
one had. A cell with another value, event time or status is a defect: of the
store, of its history, or of the log. There should be none, ever.

The second: what was true when it was served, whenever that came to the store.
Cells that differ are counted under one cause each: replication_lag, late_data,
ttl, conflict, history_only or early_data, as export --differences tells them.

Cells of which history does not tell are counted and not compared: those that
are not in history yet, for example. It reads files alone, beside the store or
while it runs. (verify-replicas is another thing: it compares stores' rows.)

Exit codes: 0 nothing that was compared is a defect; 1 there are defects, or
nothing could be compared, or an error.`,
		Example: `  featurestore verify --data ./data
  featurestore verify --data ./data --from 2026-08-21T00:00:00Z --sample 100000 --output json`,
		Args: wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := v.run(cmd.Context())
			if err != nil {
				return err
			}
			if out.json() {
				err = out.print(a.out, r)
			} else {
				_, err = fmt.Fprint(a.out, servedTable(r))
			}
			return errors.Join(err, v.verdict(r))
		},
	}
	f := cmd.Flags()
	f.StringVar(&v.place.data, "data", "data", "data directory of the store")
	f.StringVar(&v.place.bucket, "history", "", "bucket that holds its history, as its history_bucket: s3://lake/rides?region=eu-central-1")
	f.StringVar(&v.from, "from", "", "only what was served at or after this time, such as 2026-08-21T12:00:00Z, or a day")
	f.StringVar(&v.to, "to", "", "only what was served before this time")
	f.IntVar(&v.sample, "sample", verify.DefaultLookups, "how many of the logged lookups, at most")
	out.register(cmd)
	return cmd
}

func (v *verifying) run(ctx context.Context) (*api.ServedReport, error) {
	c := verify.Config{Lookups: v.sample}
	if v.sample < 1 {
		return nil, fmt.Errorf("--sample is %d: it must be at least 1", v.sample)
	}
	for _, t := range []struct {
		flag, text string
		at         *time.Time
	}{{"from", v.from, &c.From}, {"to", v.to, &c.To}} {
		if t.text == "" {
			continue
		}
		var err error
		if *t.at, err = parseTime(t.flag, t.text); err != nil {
			return nil, err
		}
	}
	var err error
	if c.History, err = v.place.open(ctx); err != nil {
		return nil, err
	}
	dir := replica.ServedDir(v.place.data)
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("%s has no log of what was served: %w; a store with the setting served_log keeps one", v.place.data, err)
	}
	c.Served = history.NewDisk(dir)
	r, err := verify.Run(ctx, c)
	if err != nil {
		return nil, err
	}
	return servedReport(&r), nil
}

// verdict is the error that the command ends with, nil for none.
func (v *verifying) verdict(r *api.ServedReport) error {
	switch {
	case r.Logged == 0:
		return errors.New("no lookup of that time was logged")
	case r.Defects > 0:
		return fmt.Errorf("%s not served as history says; keep the store's data, its history and its served log", were(r.Defects))
	case r.Compared == 0:
		return errors.New("no cell could be compared; the table says why")
	}
	return nil
}

func were(cells int64) string {
	if cells == 1 {
		return "1 cell was"
	}
	return fmt.Sprintf("%d cells were", cells)
}

func servedReport(r *verify.Report) *api.ServedReport {
	out := &api.ServedReport{
		Logged: r.Logged, Lookups: r.Lookups, Compared: r.Compared(), Defects: r.DefectCells(), Features: []api.ServedFeature{}, Examples: []api.ServedDefect{},
	}
	for _, f := range r.Features {
		one := api.ServedFeature{
			Project: f.Project, Feature: f.View + ":" + f.Feature, Cells: f.Cells, Compared: f.Compared, Defects: f.Defects,
			Causes: map[string]int64{}, Untold: map[string]int64{},
		}
		for c, n := range f.Causes {
			one.Causes[c.String()] = n
		}
		for why, n := range f.Untold {
			one.Untold[string(why)] = n
		}
		out.Features = append(out.Features, one)
	}
	for _, d := range r.Defects {
		out.Examples = append(out.Examples, api.ServedDefect{
			RequestID: d.Request, ServedAt: d.At.Format(time.RFC3339Nano), Region: d.Region, Store: d.Store, Project: d.Project,
			Feature: d.View + ":" + d.Feature, Entity: d.Key, Served: servedCell(d.Served), Recomputed: servedCell(d.Recomputed),
		})
	}
	return out
}

func servedCell(s verify.Shown) api.ServedCell {
	c := api.ServedCell{Value: api.AppendValue(nil, s.Value), Status: string(s.Status)}
	if s.Timed {
		text := time.Unix(0, s.EventTime).UTC().Format(time.RFC3339Nano)
		c.EventTime = &text
	}
	return c
}

// servedTable prints a report for people.
func servedTable(r *api.ServedReport) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d logged lookups, %d cells compared\n", r.Lookups, r.Logged, r.Compared)
	if len(r.Features) == 0 {
		return b.String()
	}
	header := []any{"feature", "cells", "compared", "defects"}
	for _, c := range training.Causes() {
		header = append(header, c.String())
	}
	t := newTable(header...)
	untold := map[string]int64{}
	for _, f := range r.Features {
		row := []any{f.Feature, f.Cells, f.Compared, f.Defects}
		for _, c := range training.Causes() {
			row = append(row, f.Causes[c.String()])
		}
		t.AppendRow(row)
		for why, n := range f.Untold {
			untold[why] += n
		}
	}
	b.WriteString(render(t))
	for _, why := range verify.Reasons() {
		if n := untold[string(why)]; n > 0 {
			fmt.Fprintf(&b, "not compared: %d %s\n", n, why)
		}
	}
	for _, d := range r.Examples {
		fmt.Fprintf(&b, "defect: request %s at %s: %s of %q is %s, history says %s\n", d.RequestID, d.ServedAt, d.Feature, d.Entity, cellText(d.Served), cellText(d.Recomputed))
	}
	return b.String()
}

func cellText(c api.ServedCell) string {
	text := fmt.Sprintf("%s %s", c.Value, c.Status)
	if c.EventTime != nil {
		text += " of " + *c.EventTime
	}
	return text
}
