package peer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"featurestore/meta"
	"featurestore/replication"
	"featurestore/replication/peer/wire"
)

const (
	// headerBytes bounds the HTTP/2 headers of a stream; this protocol adds none.
	headerBytes = 16 << 10
	// minKeepalive is how often a dialer may ask whether the acceptor is there.
	minKeepalive = time.Second
)

// Dial opens a conversation over a connection of its own. It tries once. The
// peer's Address must be set; where its Store is, no other one will do.
func (t *Transport) Dial(ctx context.Context, peer meta.Member, hello replication.Hello) (replication.Conversation, error) {
	c, err := t.dial(ctx, peer, hello)
	if err != nil {
		return nil, fmt.Errorf("dial %s at %q: %w", peer.Store, peer.Address, err)
	}
	return c, nil
}

func (t *Transport) dial(ctx context.Context, peer meta.Member, hello replication.Hello) (*conversation, error) {
	if peer.Address == "" {
		return nil, errors.New("its address is empty, want host:port")
	}
	conn, err := grpc.NewClient("passthrough:///"+peer.Address, t.dialOptions()...)
	if err != nil {
		return nil, err
	}
	// The stream outlives ctx, which is about opening it.
	living, end := context.WithCancel(context.WithoutCancel(ctx))
	teardown := func() {
		end()
		_ = conn.Close() // says only that it was closed before
	}
	opening, stop := context.WithTimeout(ctx, t.cfg.Patience)
	defer stop()
	inTime := context.AfterFunc(opening, end)
	s, theirs, err := t.introduce(living, conn, peer.Store, hello)
	switch {
	case !inTime():
		err = fmt.Errorf("no answer in time: %w", opening.Err())
	case errors.Is(err, replication.ErrForeign) || errors.Is(err, errMalformed):
		t.instruments.refuse(ctx, err)
		t.refusals.note("a peer does not fit", peer.Address, err)
	}
	if err != nil {
		teardown()
		return nil, err
	}
	t.refusals.fits(peer.Address, string(theirs.Member.Store))
	c := t.newConversation(s, theirs, teardown)
	if err := t.begin(context.WithoutCancel(ctx), c, dialer); err != nil {
		teardown()
		return nil, err
	}
	return c, nil
}

// introduce opens a stream and introduces the dialer.
func (t *Transport) introduce(ctx context.Context, conn *grpc.ClientConn, want meta.StoreID, own replication.Hello) (stream, replication.Hello, error) {
	s, err := wire.NewPeerClient(conn).Converse(ctx)
	if err != nil {
		return nil, replication.Hello{}, fromStatus(err)
	}
	theirs, err := introduction{codec: t.codec, key: t.key, own: own}.dial(s, want)
	return s, theirs, err
}

func (t *Transport) dialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodecV2(rawCodec{}),
			grpc.MaxCallRecvMsgSize(t.cfg.MaxMessageBytes),
			grpc.MaxCallSendMsgSize(math.MaxInt32), // the codec has the limit
		),
		grpc.WithStaticStreamWindowSize(int32(t.cfg.WindowBytes)),
		grpc.WithStaticConnWindowSize(int32(t.cfg.WindowBytes)),
		grpc.WithMaxHeaderListSize(headerBytes),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: t.cfg.KeepaliveEvery, Timeout: t.cfg.KeepaliveWait}),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithNoProxy(),
		grpc.WithIdleTimeout(0),
	}
}
