package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/meta"
	"featurestore/online"
	"featurestore/replication"
)

// problem is what every error becomes before it is written.
type problem = api.Problem

// sentinels maps the errors of rooms that the SDK cannot import to their
// codes; api maps the others.
var sentinels = []struct {
	err  error
	code api.Code
}{
	{consistency.ErrTokenInvalid, api.CodeTokenInvalid},
	{consistency.ErrSessionLost, api.CodeSessionLost},
	{consistency.ErrDependencyUnavailable, api.CodeDependencyUnavailable},
	{consistency.ErrBehind, api.CodeBehind},
	{consistency.ErrTooStale, api.CodeTooStale},
	{consistency.ErrLevelNotOffered, api.CodeInvalidRequest},
	{consistency.ErrElsewhere, api.CodeNotHeld},
	{consistency.ErrNotLeader, api.CodeNotLeader},
	{consistency.ErrNoLeader, api.CodeNoLeader},
	{online.ErrNotLeading, api.CodeNoLeader},       // it led when the write began
	{replication.ErrClockOff, api.CodeClockFenced}, // before ErrNotActive, which it comes with
	{consistency.ErrNotActive, api.CodeNotActive},
	{online.ErrNotWriting, api.CodeNotActive}, // it was active when the write began
	{consistency.ErrOverloaded, api.CodeOverloaded},
	{meta.ErrRefused, api.CodeMembershipRefused},
	{consistency.ErrNotEnoughLive, api.CodeNotEnoughLive},
	{consistency.ErrConcernTimeout, api.CodeConcernTimeout},
	{online.ErrIdempotencyMismatch, api.CodeIdempotencyKeyReused},
	{online.ErrTooLarge, api.CodePayloadTooLarge},
	{online.ErrDiskFull, api.CodeReadOnly},
	{online.ErrReadOnly, api.CodeReadOnly},
	{online.ErrCorrupt, api.CodeCorruptData},
	{online.ErrClosed, api.CodeDraining},
	{online.ErrOverloaded, api.CodeOverloaded}, // before the deadline it wraps
	{context.DeadlineExceeded, api.CodeDeadlineExceeded},
	{context.Canceled, api.CodeCanceled},
}

// codeOf returns the code of err, CodeInternal for an unforeseen one.
func codeOf(err error) api.Code {
	if code, ok := api.CodeOf(err); ok {
		return code
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return s.code
		}
	}
	return api.CodeInternal
}

// problemOf returns the problem to answer err with. Details of errors that
// blame the store, not the request, go to the log only (E2).
func (s *Server) problemOf(r *request, err error) *api.Problem {
	var p *api.Problem
	if errors.As(err, &p) {
		clone := *p
		p = &clone
	} else {
		p = api.NewProblem(codeOf(err), err.Error())
		describeDefinitions(p, err)
		p.Of = writerOf(err)
		var not *consistency.NotLeaderError
		if errors.As(err, &not) {
			p.Leader = &api.LeaderStore{Store: string(not.Leader.Store), Region: string(not.Leader.Region), URL: not.Leader.URL}
		}
	}
	if p.Code == api.CodeInternal || p.Code == api.CodeCorruptData {
		s.cfg.Logger.Error("request failed", "request", r.id, "route", r.route.path, "code", string(p.Code), "error", err)
		p.Detail = "the store's log says more under this request id"
	}
	if p.Code == api.CodeReadOnly {
		// The whole text names files of the store's machine.
		p.Detail = "writes go on by themselves when there is room again; lookups go on"
		if !errors.Is(err, online.ErrDiskFull) {
			p.Detail = "its disk failed, and what this request wrote may or may not be there once the store is opened anew: " +
				"repeat it then with the same Idempotency-Key; lookups go on"
		}
	}
	if p.Code == api.CodeIdempotencyKeyReused {
		p.Field = api.HeaderIdempotency
		p.Detail = fmt.Sprintf("%.64q named another request before, with another body: repeat that one byte for byte, or give this one a key of its own; nothing was stored",
			r.Request().Header.Get(api.HeaderIdempotency))
	}
	p.RequestID = r.id
	return p
}

// writerOf is the store whose writes are missed, nil where none is known.
func writerOf(err error) *api.Writer {
	var of consistency.Writer
	var behind *consistency.BehindError
	var lost *consistency.SessionLostError
	var dependency *consistency.DependencyError
	var stale *consistency.TooStaleError
	switch {
	case errors.As(err, &behind):
		of = behind.Writer
	case errors.As(err, &lost):
		of = lost.Writer
	case errors.As(err, &dependency):
		of = dependency.Missing.Writer
	case errors.As(err, &stale):
		of = consistency.Writer{Store: stale.Staleness.Store, Region: stale.Staleness.Region}
	}
	if of.Store == "" {
		return nil
	}
	return &api.Writer{Store: string(of.Store), Region: string(of.Region)}
}

// writeProblem answers with p as problem+json.
func (r *request) writeProblem(p *api.Problem) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if p.Leader != nil && p.Leader.URL != "" {
		r.Response().Header().Set("Location", strings.TrimSuffix(p.Leader.URL, "/")+r.Request().URL.RequestURI())
	}
	return r.Blob(p.Status, api.MediaProblem, append(body, '\n'))
}

// json answers with v.
func (r *request) json(status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return r.Blob(status, api.MediaJSON, append(body, '\n'))
}

// elapsed returns how long the request has taken.
func (r *request) elapsed() time.Duration { return time.Since(r.start) }
