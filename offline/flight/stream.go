package flight

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/api"
	"featurestore/offline/export"
)

// errStalled reports a client that took nothing for too long.
var errStalled = errors.New("the client took too long for a message")

// sink is where messages go: a stream of gRPC, whose SendMsg waits for the client.
type sink interface {
	Context() context.Context
	SendMsg(any) error
}

// send runs an export and sends its records at the pace of the client (FL1, FL3).
// What is known first, the request with its moment, goes with the schema; the
// manifest with the last message.
func (s *Server) send(to sink, asked api.FlightRequest, e export.Export) error {
	first, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(to.Context())
	defer stop(nil)
	queue := make(chan *message) // the sender holds one, and the export makes the next
	sent := make(chan error, 1)
	s.sending.Go(func() { sent <- s.pace(ctx, to, queue, stop) })
	err = func() error {
		defer close(queue) // whatever happens: pace waits for it
		return s.produce(ctx, first, e, queue)
	}()
	if err != nil {
		stop(err)
		// Not waited for: it may be stuck until this handler has returned.
		if cause := context.Cause(ctx); errors.Is(err, context.Canceled) && cause != nil {
			return cause
		}
		return err
	}
	select {
	case err = <-sent:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// produce puts the messages of an export into the queue.
func (s *Server) produce(ctx context.Context, first []byte, e export.Export, queue chan<- *message) error {
	put := func(m *message) error {
		select {
		case queue <- m:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var out *encoder
	m, err := e.Run(ctx, func(rec arrow.Record) error {
		if out == nil {
			out = newEncoder(rec.Schema(), first, put)
		}
		s.instruments.rows.Add(ctx, rec.NumRows())
		return out.record(rec)
	})
	if err != nil {
		return err
	}
	if out == nil {
		return errors.New("an export brought no record, which has none of its columns")
	}
	last, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return out.end(last)
}

// pace sends the messages of the queue until it is closed, or one fails. It is the one
// that may be stuck in SendMsg: then it stops the stream, whose end frees it.
func (s *Server) pace(ctx context.Context, to sink, queue <-chan *message, stop context.CancelCauseFunc) error {
	stalled := time.AfterFunc(s.cfg.Stall, func() {
		stop(fmt.Errorf("%w: it has %v for each", errStalled, s.cfg.Stall))
	})
	defer stalled.Stop()
	for {
		stalled.Stop() // while the export makes the next one
		m, ok := <-queue
		if !ok {
			return nil
		}
		stalled.Reset(s.cfg.Stall)
		if err := to.SendMsg(m); err != nil {
			stop(err)
			return err
		}
		s.instruments.bytes.Add(ctx, int64(m.size))
	}
}
