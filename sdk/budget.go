package sdk

import (
	"context"
	"sync"
)

// budget bounds what a writer holds (K8).
type budget struct {
	maxRows, maxBytes int
	closing           <-chan struct{}
	mu                struct {
		sync.Mutex
		rows, bytes int
		waiting     int
		changed     chan struct{} // closed when something was given back
	}
}

func newBudget(rows, bytes int, closing <-chan struct{}) *budget {
	b := &budget{maxRows: rows, maxBytes: bytes, closing: closing}
	b.mu.changed = make(chan struct{})
	return b
}

// take waits for room for one row of n bytes, and calls full before it waits.
// It returns the context's error, or ErrClosed; then nothing was taken.
func (b *budget) take(ctx context.Context, n int, full func()) error {
	for {
		b.mu.Lock()
		if b.mu.rows < b.maxRows && b.mu.bytes+n <= b.maxBytes {
			b.mu.rows++
			b.mu.bytes += n
			b.mu.Unlock()
			return nil
		}
		b.mu.waiting++
		changed := b.mu.changed
		b.mu.Unlock()
		full()
		var err error
		select {
		case <-changed:
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-b.closing:
			err = ErrClosed
		}
		b.mu.Lock()
		b.mu.waiting--
		b.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// give returns the room of rows that have their verdict.
func (b *budget) give(rows, bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.rows -= rows
	b.mu.bytes -= bytes
	if b.mu.waiting > 0 {
		close(b.mu.changed)
		b.mu.changed = make(chan struct{})
	}
}
