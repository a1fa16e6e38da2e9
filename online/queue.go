package online

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"featurestore/feature"
)

// pending is a request to the committer. Whoever changes state from queued owns
// what write points to: the committer by taking it, or its caller by giving up.
type pending struct {
	// Exactly one of these is set: a write; a stretch of another origin's log; or
	// work that has a batch of its own.
	write Write
	// shards are the write's, of one that names its request.
	shards []feature.Shard
	join   *joining
	task   func(context.Context, *committer) error

	sizeBytes int
	charge    int64
	state     atomic.Int32

	receipt Receipt
	err     error
	done    chan struct{} // closed when receipt and err are set; nil for a join
}

const (
	queued int32 = iota
	taken
	abandoned
)

// queue holds requests in order of arrival, bounded in number and bytes.
type queue struct {
	// room bounds both: a request is charged its bytes, but at least the bytes
	// that each has when the most of them are there.
	room      *semaphore.Weighted
	total     int64
	leastEach int64

	wake chan struct{} // holds a token when there may be requests

	mu struct {
		sync.Mutex
		waiting []*pending
		closed  bool
	}
	// length is that of waiting, for the gauge.
	length atomic.Int64
	// callers are those within do.
	callers atomic.Int64
}

func newQueue(number int, bytes int64) *queue {
	return &queue{
		room:      semaphore.NewWeighted(bytes),
		total:     bytes,
		leastEach: max(1, bytes/int64(number)),
		wake:      make(chan struct{}, 1),
	}
}

// do enqueues p and waits for its answer.
func (q *queue) do(ctx context.Context, p *pending) (Receipt, error) {
	q.callers.Add(1)
	defer q.callers.Add(-1)
	p.charge = min(max(int64(p.sizeBytes), q.leastEach), q.total)
	if err := q.room.Acquire(ctx, p.charge); err != nil {
		return Receipt{}, fmt.Errorf("%w: its queue stayed full: %w", ErrOverloaded, err)
	}
	if !q.push(p) {
		q.room.Release(p.charge)
		return Receipt{}, ErrClosed
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		if p.state.CompareAndSwap(queued, abandoned) {
			return Receipt{}, fmt.Errorf("%w: its turn did not come: %w", ErrOverloaded, ctx.Err())
		}
		<-p.done
	}
	return p.receipt, p.err
}

// run has the committer run task in a batch of its own.
func (q *queue) run(ctx context.Context, sizeBytes int, task func(context.Context, *committer) error) error {
	_, err := q.do(ctx, &pending{task: task, sizeBytes: sizeBytes, done: make(chan struct{})})
	return err
}

func (q *queue) push(p *pending) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed {
		return false
	}
	q.mu.waiting = append(q.mu.waiting, p)
	q.length.Add(1)
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return true
}

// take moves all that waits behind backlog and returns it.
func (q *queue) take(backlog []*pending) []*pending {
	q.mu.Lock()
	defer q.mu.Unlock()
	backlog = append(backlog, q.mu.waiting...)
	clear(q.mu.waiting)
	q.mu.waiting = q.mu.waiting[:0]
	return backlog
}

// begin takes p for the committer. It returns false, and is done with p, when
// the caller gave up.
func (q *queue) begin(p *pending) bool {
	q.length.Add(-1)
	if p.state.CompareAndSwap(queued, taken) {
		return true
	}
	q.room.Release(p.charge)
	return false
}

// answer lets p's caller go.
func (q *queue) answer(p *pending) {
	q.room.Release(p.charge)
	if p.join != nil {
		p.join.done(p.err)
		return
	}
	close(p.done)
}

// close refuses what is not in the queue yet. Callers that wait for room learn
// it as room is released.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.closed = true
}

// fail answers everything in the queue with err.
func (q *queue) fail(err error) {
	for _, p := range q.take(nil) {
		if q.begin(p) {
			p.err = err
			q.answer(p)
		}
	}
}
