package batch

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/jobs"
)

// Materializer materializes batch sources. It starts no goroutine of its own: jobs run
// what Job returns.
type Materializer struct {
	cfg     Config
	metrics *instruments
}

// New returns a materializer for cfg.
func New(cfg Config) (*Materializer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("batch sources: %w", err)
	}
	m := &Materializer{cfg: cfg.withDefaults()}
	var err error
	m.metrics, err = newInstruments(cfg.Meter)
	return m, err
}

// Job returns the job that carries a request out, for jobs.Registry to run: one for a
// view at a time. Errors are *api.Problem, of a request that names what is not there
// or makes no sense.
func (m *Materializer) Job(r Request) (jobs.Spec, error) {
	p, err := m.check(r)
	if err != nil {
		return jobs.Spec{}, err
	}
	spec := jobs.Spec{Kind: api.KindMaterialize, Project: r.Project, Unit: "bytes"}
	var names []string
	for _, v := range p.views {
		names = append(names, v.Name)
		spec.Locks = append(spec.Locks, Lock(r.Project, v.Name))
	}
	spec.Of = strings.Join(names, ", ")
	spec.Work = func(ctx context.Context, report *jobs.Report) error {
		w := &work{m: m, plan: p, report: report, nonce: string(report.ID())}
		w.detail.Views = names
		return w.run(ctx)
	}
	return spec, nil
}

// Lock is the lock that a job on a view has.
func Lock(project, view string) string { return "view " + view + " of project " + project }

// work is one job that runs.
type work struct {
	m      *Materializer
	plan   *plan
	report *jobs.Report
	nonce  string // sets the pushes of a window apart from those of every other job

	detail    api.MaterializeDetail
	doneBytes int64 // of the files before the one at hand, twice: each is checked and written
	fileBytes int64 // of the one at hand
	view      string
}

// source is a view with the files of its batch source.
type source struct {
	view  *feature.ResolvedView
	files []File
}

func (w *work) run(ctx context.Context) error {
	var all []source
	var total int64
	for _, v := range w.plan.views {
		files, err := w.m.cfg.Files.List(ctx, v.BatchSource.Path)
		if err != nil {
			return w.wrong(v, err)
		}
		all = append(all, source{v, files})
		for _, f := range files {
			w.detail.Files++
			total += 2 * f.SizeBytes
		}
	}
	w.report.Total(total)
	if w.plan.Window {
		if err := w.lookAtAll(ctx, all); err != nil {
			return err
		}
	}
	for _, s := range all {
		for _, f := range s.files {
			w.view, w.detail.File, w.fileBytes = s.view.Name, f.Name, f.SizeBytes
			if w.plan.Window { // it was looked through
				w.fileBytes = 0
			}
			w.tell(0)
			outcome, err := w.file(ctx, s.view, f)
			w.m.metrics.files.Add(ctx, 1, labels(w.plan.Project, s.view.Name, attribute.String("outcome", outcome)))
			if cause := ctx.Err(); cause != nil {
				return cause
			}
			if err != nil {
				return w.wrong(s.view, err)
			}
			w.detail.FilesDone++
			w.doneBytes += f.SizeBytes + w.fileBytes
			w.detail.File, w.fileBytes = "", 0
			w.tell(0)
		}
	}
	return nil
}

// lookAtAll reads all files of a window through before a row of one is written: what it
// writes, it would write again.
func (w *work) lookAtAll(ctx context.Context, all []source) error {
	for _, s := range all {
		for _, f := range s.files {
			w.view, w.detail.File, w.fileBytes = s.view.Name, f.Name, f.SizeBytes
			if err := w.lookAt(ctx, s.view, f); err != nil {
				if cause := ctx.Err(); cause != nil {
					return cause
				}
				return w.wrong(s.view, err)
			}
			w.doneBytes += f.SizeBytes
		}
	}
	return nil
}

// wrong says whose source an error is of. One that is no problem of the store's is one
// of the source.
func (w *work) wrong(v *feature.ResolvedView, err error) error {
	var p *api.Problem
	switch code, known := api.CodeOf(err); {
	case errors.As(err, &p):
		clone := *p
		clone.Detail = strings.ReplaceAll(err.Error(), p.Error(), p.Detail) // the code is told beside
		p = &clone
	case known:
		p = api.NewProblem(code, err.Error())
	default:
		p = api.NewProblem(api.CodeBatchSource, err.Error())
	}
	p.Detail = "materialize view " + v.Name + ": " + p.Detail
	return p
}

// tell reports how far the job is, with some bytes of the file at hand.
func (w *work) tell(done int64) {
	w.report.Done(w.doneBytes + min(done, 2*w.fileBytes))
	detail := w.detail
	w.report.Detail(detail)
}
