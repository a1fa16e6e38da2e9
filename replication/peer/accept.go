package peer

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"

	"featurestore/replication"
	"featurestore/replication/peer/wire"
)

// Accept returns the next conversation that a peer opened. Hello is called for
// each one from goroutines of the Transport, also between this Accept and the
// next. A conversation that nobody accepts within the Config's Patience ends.
func (t *Transport) Accept(ctx context.Context, hello func() replication.Hello) (replication.Conversation, error) {
	t.mu.Lock()
	if t.mu.hello == nil {
		close(t.asked)
	}
	t.mu.hello = hello
	t.mu.Unlock()
	select {
	case c := <-t.accepted:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.stopped:
		return nil, errStopped
	}
}

// service is the Transport as gRPC sees it.
type service struct {
	wire.UnimplementedPeerServer
	t *Transport
}

// Converse serves one stream until its conversation ends.
func (s service) Converse(stream grpc.BidiStreamingServer[wire.Frame, wire.Frame]) error {
	ctx := stream.Context()
	theirs, err := s.t.admit(ctx, stream)
	if err != nil {
		s.t.instruments.refuse(ctx, err)
		s.t.refusals.note("refused a peer", string(theirs.Member.Store), err)
		return toStatus(err)
	}
	s.t.refusals.fits(string(theirs.Member.Store))
	over := make(chan struct{})
	c := s.t.newConversation(stream, theirs, sync.OnceFunc(func() { close(over) }))
	if err := s.t.begin(context.WithoutCancel(ctx), c, acceptor); err != nil {
		return toStatus(err)
	}
	s.t.offer(ctx, c)
	<-over
	return toStatus(c.err)
}

// admit introduces the acceptor to whoever opened a stream.
func (t *Transport) admit(ctx context.Context, s stream) (replication.Hello, error) {
	gate, err := gateOf(ctx)
	if err != nil {
		return replication.Hello{}, err
	}
	select {
	case <-t.asked:
	case <-ctx.Done(): // by the gate, at the latest
		return replication.Hello{}, fmt.Errorf("%w: no call of Accept", errBusy)
	}
	t.mu.Lock()
	hello := t.mu.hello
	t.mu.Unlock()
	return introduction{codec: t.codec, key: t.key, own: hello()}.accept(s, gate.open)
}

// offer has Accept take c, or ends it.
func (t *Transport) offer(ctx context.Context, c *conversation) {
	drop := func() {
		t.instruments.refuse(ctx, errBusy)
		c.end(errBusy)
	}
	select {
	case t.pending <- struct{}{}:
		defer func() { <-t.pending }()
	default:
		drop()
		return
	}
	patience := time.NewTimer(t.cfg.Patience)
	defer patience.Stop()
	select {
	case t.accepted <- c:
	case <-patience.C:
		drop()
	case <-c.ended:
	}
}
