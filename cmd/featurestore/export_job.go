package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/training"
	sdktraining "featurestore/sdk/training"
)

// exportJob has a store make the export.
type exportJob struct {
	asked, wait bool
	client      client
}

func (j *exportJob) flags(a *app, cmd *cobra.Command) {
	j.client.register(a, cmd)
	cmd.Flags().BoolVar(&j.asked, "job", false, "have the store at --url make it, as a job")
	cmd.Flags().BoolVar(&j.wait, "wait", true, "with --job: wait for its end")
	with(cmd, "job", "url", "timeout", "wait")
}

// runJob starts the job and waits for its end, if that is wanted.
func (e *exporting) runJob(ctx context.Context, a *app) (*api.ExportManifest, error) {
	c := &e.job.client
	c.project = e.request.Project
	if err := c.resolveProject(ctx); err != nil {
		return nil, err
	}
	r := &api.ExportRequest{
		Service: e.request.Service, Features: e.request.Features, KnownAsOf: e.knownAsOf, AsServedIn: e.request.ServedIn,
		FullNames: e.request.FullNames, Differences: e.request.Differences, Out: e.out,
	}
	var err error
	if r.Aliases, err = e.query.parseAliases(); err != nil {
		return nil, err
	}
	if len(r.Aliases) == 0 {
		r.Aliases = nil
	}
	if err := e.view.fill(r); err != nil {
		return nil, err
	}
	if !e.view.isAsked() {
		r.EventTime = e.request.EventTime
	}
	if e.query.keysOf.View != "" {
		r.KeysOf = &e.query.keysOf
	}
	job, err := e.startJob(ctx, r)
	if err != nil {
		return nil, err
	}
	if !e.job.wait {
		_, err := fmt.Fprintln(a.out, job.ID)
		return nil, err
	}
	bar := newExportBar(ctx, a, e.out)
	job, err = c.followExport(ctx, job, func(j api.Job) { bar.show(j.Done, j.Total) })
	bar.stop(err == nil && job.State == api.JobDone)
	switch {
	case err != nil:
		return nil, err
	case job.Error != nil:
		return nil, &refusedError{job.Error}
	case job.State != api.JobDone:
		return nil, fmt.Errorf("job %s was canceled", job.ID)
	}
	m := new(api.ExportManifest)
	return m, json.Unmarshal(job.Detail, m)
}

// startJob sends the request, with entity rows from a file as an Arrow stream.
func (e *exporting) startJob(ctx context.Context, r *api.ExportRequest) (job api.Job, err error) {
	c := &e.job.client
	if e.entityRows == "" {
		body, err := json.Marshal(r)
		if err != nil {
			return job, err
		}
		return job, c.post(ctx, c.path("exports"), nil, body, &job)
	}
	if len(r.Aliases) > 0 || r.Differences {
		return job, errors.New("--alias and --differences go with --keys-of in a job: the store gets a file of entity rows without them")
	}
	types, err := c.keyTypes(ctx, r.EventTime)
	if err != nil {
		return job, err
	}
	rows, err := training.OpenEntityRows(ctx, e.entityRows, types)
	if err != nil {
		return job, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	stream, err := sdktraining.Records(rows)()
	if err != nil {
		return job, err
	}
	q := url.Values{"out": {r.Out}, "event_time": {r.EventTime}}
	for name, text := range map[string]string{"service": r.Service, "features": strings.Join(r.Features, ","), "known_as_of": r.KnownAsOf, "as_served_in": r.AsServedIn} {
		if text != "" {
			q.Set(name, text)
		}
	}
	if r.FullNames {
		q.Set("full_feature_names", "true")
	}
	return job, c.send(ctx, c.path("exports")+"?"+q.Encode(), api.MediaArrowStream, stream, &job)
}

// keyTypes are the types of the project's join keys and request values, for files that
// are text.
func (c *client) keyTypes(ctx context.Context, eventTime string) (map[string]feature.Type, error) {
	var list api.Catalog
	if err := c.get(ctx, c.path("views"), &list); err != nil {
		return nil, err
	}
	var computed api.Catalog
	if err := c.get(ctx, c.path("on-demand"), &computed); err != nil {
		return nil, err
	}
	types := map[string]feature.Type{eventTime: feature.ScalarOf(feature.Timestamp)}
	add := func(all []api.NamedType) error {
		for _, k := range all {
			t, err := feature.ParseType(k.Type)
			if err != nil {
				return fmt.Errorf("the store's type of %s: %w", k.Name, err)
			}
			types[k.Name] = t
		}
		return nil
	}
	for _, v := range list.Views {
		if err := add(v.JoinKeys); err != nil {
			return nil, err
		}
	}
	for _, o := range computed.OnDemands {
		if err := add(o.Request); err != nil {
			return nil, err
		}
	}
	return types, nil
}

// send posts a body that is read while it is sent. The time for each request does not
// bound it: it may be large.
func (c *client) send(ctx context.Context, path, media string, body io.Reader, into any) error {
	base, err := baseURL(c.url)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", media)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, context.Canceled) {
			return cause
		}
		return &unreachableError{url: c.url, timeout: c.timeout, err: err}
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return &unreachableError{url: c.url, timeout: c.timeout, err: err}
	}
	if answer.StatusCode >= 300 {
		return problemOf(base+path, answer, text)
	}
	return json.Unmarshal(text, into)
}

// followEvery is how long a request for a job waits for its end, and cancelWithin how long
// an interrupted command has for canceling its own.
const (
	followEvery  = 500 * time.Millisecond
	cancelWithin = 10 * time.Second
)

// followExport asks for a job until it has ended: through restarts of its store, in which
// it goes on. When ctx ends before, the job is canceled.
func (c *client) followExport(ctx context.Context, job api.Job, show func(api.Job)) (api.Job, error) {
	path := c.path("jobs", job.ID)
	tries := retries{lasting: defaultRetryFor, report: io.Discard}
	for !job.HasEnded() {
		var next api.Job
		err := tries.do(ctx, func() error { return c.get(ctx, path+"?wait="+followEvery.String(), &next) })
		if ctx.Err() != nil {
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelWithin)
			defer cancel()
			if _, err := c.call(end, http.MethodDelete, path, nil, nil, &next); err != nil {
				return job, &notedError{ctx.Err(), "job " + job.ID + " could not be canceled, and goes on: " + err.Error()}
			}
			return job, ctx.Err()
		}
		if err != nil {
			return job, err
		}
		job = next
		show(job)
	}
	return job, nil
}
