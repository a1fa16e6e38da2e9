package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"featurestore/api"
)

// materializer has a store materialize, and follows the job.
type materializer struct {
	client   client
	request  api.MaterializeRequest
	from, to string
	wait     bool
}

func newMaterialize(a *app) *cobra.Command {
	m := &materializer{}
	var out output
	cmd := &cobra.Command{
		Use:   "materialize [--view VIEW]",
		Short: "Write the rows of batch sources",
		Long: `Materialize has the store write the rows of the files that a view's batch_source
names: those that were not written before, whatever their event times, so that
rows that come late are not lost. It can be broken off at any time, and goes on
where it stopped when it is run again; no row is written twice.

With --from and --to it writes the rows of that window of event times, from
included and to not, whether they were written before or not.

The store reads the files, from the folder that its setting batch_sources names.
Interrupting the command cancels the job; --wait=false prints its id and leaves
it to the store.`,
		Example: `  featurestore materialize --view driver_stats
  featurestore materialize --from 2026-08-01 --to 2026-09-01T00:00:00Z
  featurestore materialize --view driver_stats --wait=false`,
		Args: wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			job, err := m.run(cmd.Context(), a)
			if err != nil {
				return err
			}
			switch {
			case out.json():
				return out.print(a.out, job)
			case !m.wait:
				_, err = fmt.Fprintf(a.out, "job %s\n", job.ID)
			default:
				_, err = fmt.Fprint(a.out, describeMaterialized(job))
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&m.request.Views, "view", nil, "view to materialize; again for several; every one with a batch source by default")
	f.StringVar(&m.from, "from", "", "write rows with event times from here on, written before or not; a time or a date, in UTC")
	f.StringVar(&m.to, "to", "", "and before this")
	f.BoolVar(&m.request.Again, "again", false, "allow a window over views with counters, which count again")
	f.BoolVar(&m.request.SkipBadRows, "skip-bad-rows", false, "leave out rows that do not fit")
	f.BoolVar(&m.wait, "wait", true, "wait for the end of the job")
	m.client.register(a, cmd)
	m.client.registerProject(a, cmd)
	out.register(cmd)
	return cmd
}

// run starts the job, and waits for its end if that is wanted.
func (m *materializer) run(ctx context.Context, a *app) (api.Job, error) {
	var job api.Job
	for _, t := range []struct {
		text string
		into *json.RawMessage
	}{{m.from, &m.request.From}, {m.to, &m.request.To}} {
		if t.text != "" {
			*t.into = api.AppendString(nil, t.text)
		}
	}
	if err := m.client.resolveProject(ctx); err != nil {
		return job, err
	}
	body, err := json.Marshal(m.request)
	if err != nil {
		return job, err
	}
	if err := m.client.post(ctx, m.client.path("materialize"), nil, body, &job); err != nil || !m.wait {
		return job, err
	}
	bar := newJobBar(ctx, a, job)
	job, err = m.client.followJob(ctx, job, bar.show)
	bar.stop(err == nil && job.State == api.JobDone)
	if err != nil {
		return job, err
	}
	return job, m.jobError(job)
}

// jobError is the error of a job that did not come to its end.
func (m *materializer) jobError(job api.Job) error {
	note := storedStays
	if len(m.request.From) > 0 {
		note = "what was stored before stays; running the command again writes it once more: a window remembers nothing"
	}
	switch {
	case job.Error != nil:
		return &notedError{&refusedError{job.Error}, note}
	case job.State == api.JobCanceled:
		return &notedError{fmt.Errorf("job %s was canceled", job.ID), note}
	}
	return nil
}

const storedStays = "what was stored before stays; running the command again goes on from there"

// jobWait is how long a request for a job waits for its end, and cancelWait how long
// an interrupted command has for canceling its own.
const (
	jobWait    = 500 * time.Millisecond
	cancelWait = 10 * time.Second
)

// followJob asks for a job until it has ended. When ctx ends before, the job is
// canceled.
func (c *client) followJob(ctx context.Context, job api.Job, show func(api.Job)) (api.Job, error) {
	path := c.path("jobs", job.ID)
	tries := retries{lasting: defaultRetryFor, report: io.Discard}
	for !job.HasEnded() {
		var next api.Job
		err := tries.do(ctx, func() error { return c.get(ctx, path+"?wait="+jobWait.String(), &next) })
		if ctx.Err() != nil {
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelWait)
			defer cancel()
			if _, err := c.call(end, http.MethodDelete, path, nil, nil, &next); err != nil {
				return job, &notedError{ctx.Err(), "job " + job.ID + " could not be canceled, and goes on: " + err.Error()}
			}
			return job, ctx.Err()
		}
		if errors.Is(err, api.CodeJobNotFound) {
			return job, &notedError{fmt.Errorf("job %s is not known any more: its store was restarted", job.ID), storedStays}
		}
		if err != nil {
			return job, err
		}
		job = next
		show(job)
	}
	return job, nil
}

// describeMaterialized tells people what a job did.
func describeMaterialized(job api.Job) string {
	var d api.MaterializeDetail
	if err := json.Unmarshal(job.Detail, &d); err != nil {
		return fmt.Sprintf("job %s is done\n", job.ID)
	}
	var b strings.Builder
	took := ""
	if from, err := time.Parse(time.RFC3339Nano, job.Started); err == nil {
		if to, err := time.Parse(time.RFC3339Nano, job.Ended); err == nil {
			took = " in " + to.Sub(from).Round(time.Millisecond).String()
		}
	}
	fmt.Fprintf(&b, "materialized %s of %s into %s%s\n", counted(int(d.Rows), "row"), counted(d.Files, "file"), strings.Join(d.Views, ", "), took)
	for _, c := range []struct {
		n         int64
		one, many string
	}{
		{int64(d.FilesUnchanged), "file had nothing new", "files had nothing new"},
		{d.Superseded, "row was superseded by what was stored; history keeps it", "rows were superseded by what was stored; history keeps them"},
		{d.EmptyRows, "row had no feature and was passed over", "rows had no feature and were passed over"},
		{d.BesideRows, "row was outside the window", "rows were outside the window"},
		{d.BadRows, "row was bad and left out", "rows were bad and left out"},
	} {
		switch {
		case c.n == 1:
			fmt.Fprintf(&b, "1 %s\n", c.one)
		case c.n > 1:
			fmt.Fprintf(&b, "%d %s\n", c.n, c.many)
		}
	}
	for _, fault := range d.Faults {
		fmt.Fprintf(&b, "left out: %s\n", fault)
	}
	return b.String()
}
