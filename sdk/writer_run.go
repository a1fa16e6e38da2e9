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
		key: newKey(), concern: w.target.Concern, retry: w.cfg.Retry, session: w.session, store: w.target.store(),
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
