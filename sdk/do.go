package sdk

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"time"

	"featurestore/api"
)

// do carries out r: tries, waits between them, and the session. The error is
// an *Error, or ErrTooManyTokens.
func (c *Client) do(ctx context.Context, r *request) (*answer, error) {
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	r.retry = r.retry.withDefaults(c.cfg.Retry)
	if r.session == nil {
		r.session = sessionOf(ctx)
	}
	start := time.Now()
	failure := &Error{Op: r.op, IdempotencyKey: r.key}
	if err := ctx.Err(); err != nil {
		failure.URL, failure.Err = c.cfg.URLs[0], err
		return nil, failure
	}
	c.survey(ctx)
	w := c.begin(ctx, r)
	for {
		failure.Tries++
		t, tokens, err := w.ask(ctx, failure.Tries)
		if err != nil {
			return nil, err
		}
		c.metrics.tried(ctx, r.op, t.outcome, failure.Tries)
		if t.answer != nil {
			r.merge(tokens, t.answer.header.Get(api.HeaderSession))
			c.metrics.done(ctx, r.op, time.Since(start), "")
			return t.answer, nil
		}
		failure.URL = t.at.url
		failure.note(t.problem, t.err, t.outcome, r.read || w.moved)
		if t.problem != nil {
			r.merge(tokens, t.problem.Session)
		}
		v := t.outcome.judge(r.read, r.key != "")
		if !v.retry || failure.Tries >= r.retry.Tries || !w.next(v, failure.OutcomeUnknown) &&
			!pauseFor(ctx, r.retry.pause(failure.Tries, t.outcome.after, mathrand.Float64())) {
			c.metrics.done(ctx, r.op, time.Since(start), failure.code())
			return nil, failure.ended(ctx)
		}
	}
}

// note records what a try came to. A write that may have been stored by one
// try stays so whatever the later ones say, until one of them tells.
func (e *Error) note(problem *api.Problem, err error, o outcome, read bool) {
	e.Problem, e.Err = problem, err
	switch {
	case read:
	case o.unknown():
		e.OutcomeUnknown = true
	case o.code == api.CodeConcernTimeout:
		e.OutcomeUnknown = false // it is applied
	case o.status == http.StatusUnprocessableEntity && !blamesTime(problem):
		e.OutcomeUnknown = false // the tries before were refused as well
	}
}

// blamesTime reports whether a refusal depends on when it was asked: rows that
// are too old now may have been stored a moment ago.
func blamesTime(p *api.Problem) bool {
	if p == nil || p.Code == api.CodeEventTooOld || p.Code == api.CodeEventInFuture {
		return true
	}
	return slices.ContainsFunc(p.Rows, func(r api.RowProblem) bool { return r.Field == "event_time" })
}

// ended adds the context's end where the last try does not tell it.
func (e *Error) ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil && e.Problem == nil && !errors.Is(e.Err, err) {
		e.Err = errors.Join(e.Err, err)
	}
	return e
}

// code names the failure for metrics.
func (e *Error) code() api.Code {
	if e.Problem != nil {
		return e.Problem.Code
	}
	return "no_answer"
}

// merge puts the answer's token into the session.
func (r *request) merge(sent []string, token string) {
	if r.session != nil {
		r.session.answered(sent, token)
	}
}

// tokens returns what to send of the session. More than MaxTokens gather when
// many requests of one session end side by side; they are merged first, by the
// store, because tokens are signed. A store that does not is told by failed:
// nothing of r was sent to it.
func (c *Client) tokens(ctx context.Context, r *request, at *remote) (tokens []string, failed *attempt, err error) {
	if r.session == nil {
		return nil, nil, nil
	}
	for {
		tokens := r.session.snapshot()
		if len(tokens) <= MaxTokens {
			return tokens, nil, nil
		}
		fold := &request{op: "merge session", method: http.MethodGet, path: c.path("services"), read: true, retry: r.retry}
		sent := tokens[:MaxTokens]
		t := c.attempt(ctx, at, fold, sent)
		if t.answer == nil && t.outcome.judge(true, false).retry {
			t.outcome = outcome{after: t.outcome.after, cut: t.outcome.cut}
			return nil, &t, nil
		}
		if t.answer == nil {
			return nil, nil, &Error{Op: fold.op, URL: at.url, Tries: 1, Problem: t.problem, Err: t.err}
		}
		merged := t.answer.header.Get(api.HeaderSession)
		t.answer.free()
		if merged == "" {
			return nil, nil, fmt.Errorf("merge session: %w: %d tokens, and the store merged none", ErrTooManyTokens, len(tokens))
		}
		r.session.answered(sent, merged)
	}
}

// pauseFor waits for d; false means that ctx ends first, and is told at once.
func pauseFor(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// newKey makes an idempotency key: 128 random bits as hex.
func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
