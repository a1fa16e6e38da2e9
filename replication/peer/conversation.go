package peer

import (
	"context"
	"errors"
	"io"
	"sync"

	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc/mem"

	"featurestore/replication"
)

// conversation is a stream after its handshake. Two loops move frames between
// it and the callers, one a direction, so that a caller whose ctx ends leaves
// the stream as it is. Each loop holds one frame at most.
type conversation struct {
	peer   replication.Hello
	stream stream
	codec  *codec

	out chan mem.Buffer
	in  chan replication.Message

	ended    chan struct{} // closed once err says why
	once     sync.Once
	err      error
	teardown func() // ends the stream
	loops    sync.WaitGroup

	instruments *instruments
	toPeer      metric.MeasurementOption
}

func (t *Transport) newConversation(s stream, theirs replication.Hello, teardown func()) *conversation {
	return &conversation{
		peer: theirs, stream: s, codec: t.codec, teardown: teardown,
		out: make(chan mem.Buffer), in: make(chan replication.Message), ended: make(chan struct{}),
		instruments: t.instruments, toPeer: toPeer(theirs.Member.Store),
	}
}

// Peer is the other's hello.
func (c *conversation) Peer() replication.Hello { return c.peer }

// Send hands m over. When ctx ends first, m was not sent and the conversation
// goes on; so it is when m cannot be sent.
func (c *conversation) Send(ctx context.Context, m replication.Message) error {
	select {
	case <-c.ended:
		return c.err
	default:
	}
	frame, err := c.codec.encode(m)
	if err != nil {
		return err
	}
	select {
	case c.out <- frame:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-c.ended:
		err = c.err
	}
	frame.Free()
	return err
}

// Receive returns the next message.
func (c *conversation) Receive(ctx context.Context) (replication.Message, error) {
	select {
	case m := <-c.in:
		return m, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.ended:
		return nil, c.err
	}
}

// Close ends the conversation and returns when its loops have.
func (c *conversation) Close() error {
	c.end(errClosed)
	c.loops.Wait()
	return nil
}

// end ends the conversation, with the first reason that is given.
func (c *conversation) end(err error) {
	c.once.Do(func() {
		c.err = err
		close(c.ended)
		c.teardown()
	})
}

// start runs the loops; ctx carries no end of theirs.
func (c *conversation) start(ctx context.Context) {
	c.loops.Go(func() { c.write(ctx) })
	c.loops.Go(func() { c.read(ctx) })
}

// write sends what callers hand over, waiting for the other's window.
func (c *conversation) write(ctx context.Context) {
	for {
		select {
		case <-c.ended:
			return
		case frame := <-c.out:
			size := int64(frame.Len()) // gRPC frees it
			err := c.stream.SendMsg(frame)
			switch {
			case err == nil:
				c.instruments.sent.Add(ctx, size, c.toPeer)
			case errors.Is(err, io.EOF): // the stream has ended: read learns why
				return
			default:
				c.end(fromStatus(err))
				return
			}
		}
	}
}

// read decodes what arrives and waits until a caller takes it: meanwhile the
// window fills, and the other waits.
func (c *conversation) read(ctx context.Context) {
	for {
		var frame []byte
		if err := c.stream.RecvMsg(&frame); err != nil {
			c.end(fromStatus(err))
			return
		}
		c.instruments.received.Add(ctx, int64(len(frame)), c.toPeer)
		m, err := c.codec.decode(frame)
		if err != nil {
			c.instruments.refuse(ctx, err)
			c.end(err)
			return
		}
		select {
		case c.in <- m:
		case <-c.ended:
			return
		}
	}
}
