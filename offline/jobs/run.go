package jobs

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// Work is what a job does.
type Work func(ctx context.Context, report *Report) error

// Report is how work tells how far it is. Its methods are safe for concurrent use.
type Report struct {
	registry *Registry
	entry    *entry
}

// Total says how much there is to do, in the job's units, as far as is known now.
func (r *Report) Total(n int64) { r.set(func(j *Job) { j.Total = n }) }

// Done says how much was done, of what Total says.
func (r *Report) Done(n int64) { r.set(func(j *Job) { j.Done = n }) }

// Detail says what else there is to tell. What was given must not change any more.
func (r *Report) Detail(v any) { r.set(func(j *Job) { j.Detail = v }) }

// ID returns the job's id.
func (r *Report) ID() ID { return r.entry.job.ID } // it never changes

func (r *Report) set(change func(*Job)) {
	r.registry.mu.Lock()
	defer r.registry.mu.Unlock()
	if !r.entry.job.State.HasEnded() {
		change(&r.entry.job)
	}
}

// Run runs jobs until ctx ends. Then those that wait are canceled, those that run
// are told to end, and Run returns nil once they have. It is called once; after it
// Start refuses.
func (r *Registry) Run(ctx context.Context) error {
	closed := make(chan struct{})
	context.AfterFunc(ctx, func() { r.close(); close(closed) })
	var workers sync.WaitGroup
	for range r.cfg.Running {
		workers.Go(func() {
			for e := r.next(ctx); e != nil; e = r.next(ctx) {
				r.run(e)
			}
		})
	}
	workers.Wait() // until close
	<-closed
	return nil
}

// close cancels those that wait, and lets no other begin.
func (r *Registry) close() {
	r.mu.Lock()
	dropped := r.mu.queue
	r.mu.closed = true
	for _, e := range dropped {
		r.end(e, Canceled, nil)
	}
	r.mu.queue = nil
	r.mu.some.Broadcast()
	r.mu.Unlock()
	for _, e := range dropped {
		e.drop()
	}
}

// next returns the job to run next, until ctx ends; nil when there will be none any
// more. It waits for one.
func (r *Registry) next(ctx context.Context) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.mu.queue) == 0 && !r.mu.closed {
		r.mu.some.Wait()
	}
	if r.mu.closed {
		return nil
	}
	e := r.mu.queue[0]
	r.mu.queue = r.mu.queue[1:]
	e.job.State = Running // so that Cancel knows that run has it
	e.job.Started = r.cfg.Wall()
	e.ctx, e.cancel = context.WithCancel(ctx)
	return e
}

// run does one job.
func (r *Registry) run(e *entry) {
	defer e.cancel()
	err := guarded(e.ctx, e.work, &Report{registry: r, entry: e})
	r.mu.Lock()
	defer r.mu.Unlock()
	state := Done
	switch {
	case err != nil && e.ctx.Err() != nil: // Cancel, or the end of Run
		state, err = Canceled, nil
	case err != nil:
		state = Failed
	}
	r.end(e, state, err)
	log := r.cfg.Logger.With("job", string(e.job.ID), "kind", string(e.job.Kind), "project", e.job.Project, "of", e.job.Of,
		"took", e.job.Ended.Sub(e.job.Started))
	if err != nil {
		log.Warn("job failed", "error", err)
		return
	}
	log.Info("job ended", "state", string(state))
}

// guarded turns a panic of work into an error.
func guarded(ctx context.Context, work Work, report *Report) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked, which is a defect of this program: %v\n%s", p, debug.Stack())
		}
	}()
	return work(ctx, report)
}
