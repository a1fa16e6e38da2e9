package jobs

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Registry holds the jobs of one store. Its methods are safe for concurrent use.
type Registry struct {
	cfg Config

	mu struct {
		sync.Mutex
		// some is told when there is a job to run, or none will be any more.
		some   *sync.Cond
		closed bool
		queue  []*entry // those that wait, in the order in which they were started
		alive  int      // waiting and running
		all    map[ID]*entry
		ended  []ID // in the order in which they ended
		locks  map[string]ID
	}
}

// entry is a job with what runs it. The Registry's lock guards job.
type entry struct {
	job    Job
	locks  []string
	work   Work
	drop   func()          // never nil
	ctx    context.Context // set when it runs, canceled by cancel
	cancel context.CancelFunc
	ended  chan struct{}
}

// New returns a registry for cfg that runs nothing before Run.
func New(cfg Config) (*Registry, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("jobs configuration: %w", err)
	}
	r := &Registry{cfg: cfg.withDefaults()}
	r.mu.some = sync.NewCond(&r.mu.Mutex)
	r.mu.all, r.mu.locks = map[ID]*entry{}, map[string]ID{}
	return r, nil
}

// Start adds a job, which runs as soon as there is room. Errors are ErrFull,
// ErrClosed and *BusyError; nothing was added then.
func (r *Registry) Start(s Spec) (Job, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.closed {
		return Job{}, ErrClosed
	}
	for _, lock := range s.Locks {
		if by, held := r.mu.locks[lock]; held {
			return Job{}, &BusyError{Lock: lock, By: by}
		}
	}
	if r.mu.alive == r.cfg.Running+r.cfg.Waiting {
		return Job{}, fmt.Errorf("%w: %d wait or run; try again later", ErrFull, r.mu.alive)
	}
	id := s.ID
	if _, taken := r.mu.all[id]; id == "" || taken {
		id = r.newID()
	}
	e := &entry{
		job: Job{
			ID: id, Kind: s.Kind, Project: s.Project, Of: s.Of, Unit: s.Unit,
			State: Waiting, Created: r.cfg.Wall(),
		},
		locks: slices.Clone(s.Locks), work: s.Work, drop: s.Dropped, ended: make(chan struct{}),
	}
	if e.drop == nil {
		e.drop = func() {}
	}
	r.mu.alive++
	r.mu.all[e.job.ID] = e
	for _, lock := range e.locks {
		r.mu.locks[lock] = e.job.ID
	}
	r.mu.queue = append(r.mu.queue, e)
	r.mu.some.Signal()
	return e.job, nil
}

// newID returns an id that no job has.
func (r *Registry) newID() ID {
	for {
		id := ID(r.cfg.Prefix + "-" + strings.ToLower(rand.Text()[:10]))
		if _, taken := r.mu.all[id]; !taken {
			return id
		}
	}
}

// Get returns a job, or ErrUnknown.
func (r *Registry) Get(id ID) (Job, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.mu.all[id]
	if !ok {
		return Job{}, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	return e.job, nil
}

// List returns a project's jobs, the latest first; "" stands for every project.
func (r *Registry) List(project string) []Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Job
	for _, e := range r.mu.all {
		if project == "" || e.job.Project == project {
			out = append(out, e.job)
		}
	}
	slices.SortFunc(out, func(a, b Job) int {
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(string(b.ID), string(a.ID)))
	})
	return out
}

// Wait returns a job once it has ended, or as it is and ctx's error. A job that is
// not known is ErrUnknown.
func (r *Registry) Wait(ctx context.Context, id ID) (Job, error) {
	r.mu.Lock()
	e, ok := r.mu.all[id]
	r.mu.Unlock()
	if !ok {
		return Job{}, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	var err error
	select {
	case <-e.ended:
	case <-ctx.Done():
		err = ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return e.job, err
}

// Cancel asks a job to end, and returns it as it is then: one that waits has ended,
// one that runs ends when its work notices, and one that has ended stays as it is.
// A job that is not known is ErrUnknown.
func (r *Registry) Cancel(id ID) (Job, error) {
	drop := func() {}
	defer func() { drop() }() // once the lock is free
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.mu.all[id]
	if !ok {
		return Job{}, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	switch e.job.State {
	case Waiting:
		r.mu.queue = slices.DeleteFunc(r.mu.queue, func(other *entry) bool { return other == e })
		r.end(e, Canceled, nil)
		drop = e.drop
	case Running:
		e.cancel()
	}
	return e.job, nil
}

// end makes e final. The caller holds the lock.
func (r *Registry) end(e *entry, state State, err error) {
	e.job.State, e.job.Err, e.job.Ended = state, err, r.cfg.Wall()
	for _, lock := range e.locks {
		delete(r.mu.locks, lock)
	}
	r.mu.alive--
	r.mu.ended = append(r.mu.ended, e.job.ID)
	for len(r.mu.ended) > r.cfg.Keep {
		delete(r.mu.all, r.mu.ended[0])
		r.mu.ended = r.mu.ended[1:]
	}
	e.work = nil
	close(e.ended)
}
