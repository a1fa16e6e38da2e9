package replication

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// event is an input on its way to the core.
type event struct {
	input Input
	// bytes are held of Node.flight until what came is joined or dropped.
	bytes int64
	// charged says that it holds a place in the inbox.
	charged bool
}

func (e event) isStatus() bool {
	r, ok := e.input.(Received)
	if !ok {
		return false
	}
	_, ok = r.Message.(Status)
	return ok
}

// maxInbox bounds messages of peers that wait for the core.
const maxInbox = 1024

// inbox holds events in order of arrival. What this store says to itself is
// bounded by what it began, and never waits: the committer is among those who
// push.
type inbox struct {
	wake chan struct{}
	// room is for what peers say: each of their events takes a place of it first.
	room *semaphore.Weighted

	mu struct {
		sync.Mutex
		events []event
	}
}

func (b *inbox) push(e event) {
	b.mu.Lock()
	b.mu.events = append(b.mu.events, e)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *inbox) take() []event {
	b.mu.Lock()
	defer b.mu.Unlock()
	events := b.mu.events
	b.mu.events = nil
	return events
}

// taskQueue runs functions one after the other.
type taskQueue struct {
	wake chan struct{}
	mu   struct {
		sync.Mutex
		waiting []func(context.Context)
	}
}

// maxUpkeep bounds tasks that may be left out.
const maxUpkeep = 4096

func newTaskQueue() *taskQueue { return &taskQueue{wake: make(chan struct{}, 1)} }

func (q *taskQueue) add(f func(context.Context)) {
	q.mu.Lock()
	q.mu.waiting = append(q.mu.waiting, f)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// offer adds f unless much waits already.
func (q *taskQueue) offer(f func(context.Context)) {
	q.mu.Lock()
	full := len(q.mu.waiting) >= maxUpkeep
	q.mu.Unlock()
	if !full {
		q.add(f)
	}
}

func (q *taskQueue) run(ctx context.Context) error {
	for {
		q.mu.Lock()
		waiting := q.mu.waiting
		q.mu.waiting = nil
		q.mu.Unlock()
		for _, f := range waiting {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			f(ctx)
		}
		if len(waiting) > 0 {
			continue
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
