package online

import (
	"container/heap"
	"context"
	"fmt"

	"featurestore/feature"
	"featurestore/hlc"
)

// waiter is one call of Wait. It stands in the heap of one origin it still
// lacks; when that is there it moves to the next, until it lacks none.
type waiter struct {
	need   hlc.Vector
	lacks  hlc.Position
	index  int // in its heap; -1 when it stands in none
	woken  chan struct{}
	closed bool // the store was closed
}

// waitList is the waiters of one shard: for each origin the least first.
type waitList map[hlc.Origin]*waitHeap

// add puts w where it lacks something of v, or returns false if it does not.
func (l *waitList) add(w *waiter, v hlc.Vector) bool {
	for origin, at := range w.need {
		if v[origin] >= at {
			continue
		}
		if *l == nil {
			*l = waitList{}
		}
		h := (*l)[origin]
		if h == nil {
			h = &waitHeap{}
			(*l)[origin] = h
		}
		w.lacks = hlc.Position{Origin: origin, At: at}
		heap.Push(h, w)
		return true
	}
	return false
}

// wake releases those whom v covers now that origin has advanced, and returns
// how many.
func (l *waitList) wake(v hlc.Vector, origin hlc.Origin) int {
	h := (*l)[origin]
	if h == nil {
		return 0
	}
	n := 0
	for h.Len() > 0 && (*h)[0].lacks.At <= v[origin] {
		w := heap.Pop(h).(*waiter)
		if !l.add(w, v) {
			close(w.woken)
			n++
		}
	}
	l.drop(origin)
	return n
}

// remove takes w out; false when it was woken before.
func (l *waitList) remove(w *waiter) bool {
	if w.index < 0 {
		return false
	}
	heap.Remove((*l)[w.lacks.Origin], w.index)
	l.drop(w.lacks.Origin)
	return true
}

// drop forgets an origin nobody waits for.
func (l *waitList) drop(origin hlc.Origin) {
	if (*l)[origin].Len() == 0 {
		delete(*l, origin)
	}
}

// waitHeap orders waiters of one origin by what they lack of it.
type waitHeap []*waiter

// The methods of heap.Interface.
func (h waitHeap) Len() int           { return len(h) }
func (h waitHeap) Less(i, j int) bool { return h[i].lacks.At < h[j].lacks.At }
func (h waitHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *waitHeap) Push(x any) {
	w := x.(*waiter)
	w.index = len(*h)
	*h = append(*h, w)
}
func (h *waitHeap) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	w.index = -1
	return w
}

// Wait returns nil once the published progress of shard covers v, at once when
// it does already. Otherwise it returns ctx's error, ErrOverloaded when
// Config.Waiters calls wait already, or ErrClosed. V must not change meanwhile.
func (s *Store) Wait(ctx context.Context, shard feature.Shard, v hlc.Vector) error {
	if s.progress.vector(shard).Covers(v) {
		return nil
	}
	return s.progress.wait(ctx, shard, v)
}

func (p *progress) wait(ctx context.Context, shard feature.Shard, v hlc.Vector) error {
	w := &waiter{need: v, index: -1, woken: make(chan struct{})}
	sp, err := p.join(shard, w)
	if sp == nil {
		return err
	}
	select {
	case <-w.woken:
	case <-ctx.Done():
		if p.leave(sp, w) {
			return fmt.Errorf("wait for %v in shard %d/%d: %w", w.lacks, shard.Group, shard.Partition, ctx.Err())
		}
	}
	if w.closed {
		return ErrClosed
	}
	return nil
}

// join enlists w; the shard is nil when there is nothing to wait for.
func (p *progress) join(shard feature.Shard, w *waiter) (*shardProgress, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed {
		return nil, ErrClosed
	}
	if p.vector(shard).Covers(w.need) {
		return nil, nil
	}
	if p.mu.waiting >= p.maxWaiters {
		return nil, fmt.Errorf("%w: %d lookups wait for other writes", ErrOverloaded, p.mu.waiting)
	}
	sp := p.shardLocked(shard)
	sp.waiting.add(w, sp.published.Load().vector)
	p.mu.waiting++
	return sp, nil
}

// leave takes w out; false when it was woken before.
func (p *progress) leave(sp *shardProgress, w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !sp.waiting.remove(w) {
		return false
	}
	p.mu.waiting--
	return true
}

// waiting returns how many calls wait.
func (p *progress) waiters() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.waiting
}

// close wakes everyone.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.closed = true
	for _, sp := range *p.shards.Load() {
		for origin, h := range sp.waiting {
			for _, w := range *h {
				w.index, w.closed = -1, true
				close(w.woken)
				p.mu.waiting--
			}
			delete(sp.waiting, origin)
		}
	}
}
