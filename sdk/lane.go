package sdk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"featurestore/api"
)

// lane takes the rows of some of the entities and sends them batch by batch,
// one at a time: that keeps the rows of one entity in order (K7). Which lane
// takes a row is decided by the join keys that all views of the target share:
// rows of one entity in any of them have those in common.
type lane struct {
	wake chan struct{}
	mu   struct {
		sync.Mutex
		open   *batch   // being filled; nil when empty
		ready  []*batch // sealed, the oldest first
		last   *batch   // sealed last
		hurry  bool     // the open batch is not to wait for more rows
		closed bool
	}
}

// add puts a row into the open batch, sealing it when it is full.
func (l *lane) add(row []byte, cfg WriterConfig) (*Future, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closed {
		return nil, ErrClosed
	}
	if b := l.mu.open; b != nil && len(b.rows)+len(row) > cfg.MaxBatchBytes {
		l.sealLocked()
	}
	if l.mu.open == nil {
		l.mu.open = newBatch(time.Now().Add(cfg.MaxDelay))
		l.signal()
	}
	b := l.mu.open
	f := &Future{batch: b, row: b.add(row)}
	if b.len() >= cfg.MaxBatchRows {
		l.sealLocked()
	}
	return f, nil
}

func (l *lane) sealLocked() {
	if b := l.mu.open; b != nil {
		l.mu.ready = append(l.mu.ready, b)
		l.mu.last, l.mu.open = b, nil
		l.signal()
	}
}

// seal closes the open batch and returns the last one, nil if there never was
// one.
func (l *lane) seal() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sealLocked()
	return l.mu.last
}

// urge lets the open batch go as soon as the lane has nothing else to send,
// for there is no room to fill it. It is not sealed before: while others are on
// their way it takes the rows that their room is for, or batches would become
// smaller and smaller.
func (l *lane) urge() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.hurry = true
	l.signal()
}

func (l *lane) shut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sealLocked()
	l.mu.closed = true
	l.signal()
}

func (l *lane) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// next returns the oldest sealed batch, nil when there is none.
func (l *lane) next() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.mu.ready) == 0 {
		return nil
	}
	b := l.mu.ready[0]
	l.mu.ready[0] = nil
	l.mu.ready = l.mu.ready[1:]
	return b
}

// wait returns when there is a batch to send, or true when there never will
// be again.
func (l *lane) wait(timer *time.Timer) (over bool) {
	for {
		l.mu.Lock()
		if b := l.mu.open; b != nil && len(l.mu.ready) == 0 && (l.mu.hurry || !time.Now().Before(b.due)) {
			l.mu.hurry = false
			l.sealLocked()
		}
		ready, closed, open := len(l.mu.ready) > 0, l.mu.closed, l.mu.open
		l.mu.Unlock()
		switch {
		case ready:
			return false
		case closed:
			return true
		case open == nil:
			<-l.wake
		default:
			timer.Reset(time.Until(open.due))
			select {
			case <-l.wake:
			case <-timer.C:
			}
		}
	}
}

// run sends everything until the writer is closed and its rows have verdicts.
func (w *writer) run(ctx context.Context) error {
	if !w.started.CompareAndSwap(false, true) {
		return errors.New("run writer: it was run or closed before")
	}
	defer close(w.ended)
	if w.session = sessionOf(ctx); w.session == nil {
		w.session, w.ownSession = new(session), true
	}
	// Rows that were taken are still sent when ctx ends, for a while.
	sending, abort := context.WithCancelCause(context.WithoutCancel(ctx))
	defer abort(nil)
	defer context.AfterFunc(ctx, func() {
		w.shut()
		timer := time.AfterFunc(w.cfg.DrainTimeout, func() { abort(ErrNotSent) })
		context.AfterFunc(sending, func() { timer.Stop() })
	})()
	var lanes sync.WaitGroup
	for _, l := range w.lanes {
		lanes.Go(func() {
			timer := time.NewTimer(time.Hour)
			defer timer.Stop()
			for !l.wait(timer) {
				w.settle(sending, l.next())
			}
		})
	}
	lanes.Wait()
	if n := w.notSent.Load(); n > 0 {
		return fmt.Errorf("run writer: %w: %d rows without an answer", ErrNotSent, n)
	}
	return nil
}

// settle sends a batch until each of its rows has a verdict.
func (w *writer) settle(ctx context.Context, b *batch) {
	if ctx.Err() != nil {
		w.abandon(ctx, b)
		return
	}
	within, cancel := context.WithTimeout(ctx, w.cfg.RetryFor)
	defer cancel()
	b.before = w.session.snapshot()
	rows := make([]int, b.len())
	for i := range rows {
		rows[i] = i
	}
	w.send(within, b, rows)
	b.session = strings.Join(w.session.snapshot(), ",")
	w.finish(ctx, b)
}

// send pushes some rows of a batch: again without those that are refused, in
// halves when it is not known which are.
func (w *writer) send(ctx context.Context, b *batch, rows []int) {
	for len(rows) > 0 {
		result, err := w.push(ctx, b.body(w.head, rows))
		var p *api.Problem
		switch {
		case err == nil:
			for _, row := range rows {
				b.judge(row, Accepted, nil)
			}
			for _, i := range result.SupersededRows {
				if i >= 0 && i < len(rows) {
					b.judge(rows[i], Superseded, nil)
				}
			}
			return
		case errors.As(err, &p) && p.Status == http.StatusUnprocessableEntity || p != nil && p.Status == http.StatusBadRequest:
			if bad := rowFaults(p, len(rows)); len(bad) > 0 && verdictOf(err) == Refused {
				rows = b.refuse(rows, bad)
				continue
			}
		}
		if verdictOf(err) == Refused && divide(err, len(rows)) {
			half := len(rows) / 2
			w.send(ctx, b, rows[:half])
			rows = rows[half:]
			continue
		}
		v := verdictOf(err)
		if p == nil { // no store said anything
			w.notSent.Add(int64(len(rows)))
		}
		for _, row := range rows {
			b.judge(row, v, err)
		}
		return
	}
}

// refuse gives the rows at fault their verdict and returns the others.
func (b *batch) refuse(rows []int, bad map[int]*RowError) []int {
	var good []int
	for i, row := range rows {
		if fault, ok := bad[i]; ok {
			b.judge(row, Refused, fault)
		} else {
			good = append(good, row)
		}
	}
	return good
}

// push sends one request under a key of its own, which its retries keep.
func (w *writer) push(ctx context.Context, body []byte) (PushResult, error) {
	a, err := w.client.do(ctx, &request{
		op: "push", method: http.MethodPost, path: w.client.path("push"), body: body,
		key: newKey(), concern: w.target.Concern, retry: w.cfg.Retry, session: w.session,
	})
	if w.ownSession && (errors.Is(err, ErrSessionLost) || errors.Is(err, ErrTokenInvalid)) {
		// The rows are told; those that come after begin a new session, or none
		// could ever be written again.
		w.session.reset()
	}
	if err != nil {
		return PushResult{}, err
	}
	defer a.free()
	return pushResult(a)
}

// abandon tells the rows of a batch that they were not sent.
func (w *writer) abandon(ctx context.Context, b *batch) {
	for row := range b.len() {
		b.judge(row, Refused, ErrNotSent)
	}
	w.notSent.Add(int64(b.len()))
	w.finish(ctx, b)
}

// finish publishes the verdicts and makes room.
func (w *writer) finish(ctx context.Context, b *batch) {
	for v, n := range b.counts() {
		w.client.metrics.judged(ctx, w.target.name(), Verdict(v), n)
	}
	rows, bytes := b.len(), len(b.rows)
	w.client.metrics.took(ctx, w.target.name(), -rows)
	b.rows, b.ends = nil, nil // futures may be kept for long
	close(b.done)
	w.budget.give(rows, bytes)
}
