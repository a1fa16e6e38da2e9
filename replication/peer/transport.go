package peer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"runtime"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"featurestore/replication"
	"featurestore/replication/peer/wire"
)

// Transport carries messages between stores over gRPC. It serves while Run
// runs; it dials until Run has ended.
type Transport struct {
	cfg         Config
	key         []byte
	codec       *codec
	instruments *instruments
	refusals    refusals
	listener    net.Listener
	server      *grpc.Server

	accepted chan *conversation
	pending  chan struct{} // holds one item for each conversation that waits for Accept
	asked    chan struct{} // closed by the first Accept
	stopped  chan struct{}
	loops    sync.WaitGroup // of conversations

	mu struct {
		sync.Mutex
		hello   func() replication.Hello // of the last Accept
		open    map[*conversation]struct{}
		ran     bool
		stopped bool
	}
}

var _ replication.Transport = (*Transport)(nil)

// New returns a Transport that listens and does not serve yet. Whoever does
// not call Run calls Close.
func New(cfg Config) (*Transport, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("peer transport: %w", err)
	}
	t := &Transport{
		cfg:      cfg.withDefaults(),
		accepted: make(chan *conversation), asked: make(chan struct{}), stopped: make(chan struct{}),
	}
	t.refusals.log = t.cfg.Logger
	t.pending = make(chan struct{}, t.cfg.Pending)
	t.mu.open = map[*conversation]struct{}{}
	var err error
	if t.key, err = deriveKey(t.cfg.Secret); err != nil {
		return nil, fmt.Errorf("derive the key of proofs: %w", err)
	}
	if t.codec, err = newCodec(t.cfg.MaxMessageBytes, runtime.GOMAXPROCS(0), t.cfg.Compress); err != nil {
		return nil, err
	}
	if t.instruments, err = newInstruments(t.cfg.Meter); err != nil {
		return nil, fmt.Errorf("instruments of the peer transport: %w", err)
	}
	if t.listener = t.cfg.Listener; t.listener == nil {
		if t.listener, err = net.Listen("tcp", t.cfg.Listen); err != nil {
			return nil, fmt.Errorf("listen for peers: %w", err)
		}
	}
	t.server = grpc.NewServer(t.serverOptions()...)
	wire.RegisterPeerServer(t.server, service{t: t})
	return t, nil
}

func (t *Transport) serverOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.Creds(newGateCredentials()),
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.MaxRecvMsgSize(t.cfg.MaxMessageBytes),
		grpc.MaxSendMsgSize(math.MaxInt32), // the codec has the limit
		grpc.StaticStreamWindowSize(int32(t.cfg.WindowBytes)),
		grpc.StaticConnWindowSize(int32(t.cfg.WindowBytes)),
		grpc.MaxConcurrentStreams(1), // a dialer makes a connection for each conversation
		grpc.MaxHeaderListSize(headerBytes),
		grpc.ConnectionTimeout(t.cfg.Patience),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: t.cfg.KeepaliveEvery, Timeout: t.cfg.KeepaliveWait, MaxConnectionIdle: t.cfg.Patience,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minKeepalive, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	}
}

// Addr is where the Transport listens.
func (t *Transport) Addr() net.Addr { return t.listener.Addr() }

// Run serves until ctx ends, then ends every conversation, of both kinds, and
// returns nil when all of them have. It runs once.
func (t *Transport) Run(ctx context.Context) error {
	t.mu.Lock()
	ran := t.mu.ran
	t.mu.ran = true
	t.mu.Unlock()
	if ran {
		return errors.New("peer transport: Run was called before")
	}
	failed := make(chan error, 1)
	l := newGateListener(t.listener, t.cfg.Strangers, t.cfg.Patience, func() { t.instruments.refuse(ctx, errBusy) })
	go func() { failed <- t.server.Serve(l) }()
	var err error
	select {
	case <-ctx.Done():
		t.stop()
		if err = <-failed; errors.Is(err, grpc.ErrServerStopped) { // before it began
			err = nil
		}
	case err = <-failed:
		t.stop()
	}
	t.loops.Wait()
	if err != nil {
		return fmt.Errorf("serve peers: %w", err)
	}
	return nil
}

// Close ends a Transport that was not Run.
func (t *Transport) Close() error {
	t.stop()
	t.loops.Wait()
	if err := t.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close the listener for peers: %w", err)
	}
	return nil
}

func (t *Transport) stop() {
	t.mu.Lock()
	first := !t.mu.stopped
	t.mu.stopped = true
	open := t.mu.open
	t.mu.open = nil
	t.mu.Unlock()
	if !first {
		return
	}
	close(t.stopped)
	for c := range open {
		c.end(errStopped)
	}
	t.server.Stop()
}

// begin starts the loops of a conversation, which ends with the Transport.
func (t *Transport) begin(ctx context.Context, c *conversation, as role) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.stopped {
		return errStopped
	}
	t.mu.open[c] = struct{}{}
	of := inRole(c.peer.Member.Store, as)
	t.instruments.conversations.Add(ctx, 1, of)
	c.start(ctx)
	t.loops.Go(func() {
		c.loops.Wait()
		t.mu.Lock()
		delete(t.mu.open, c)
		t.mu.Unlock()
		t.instruments.conversations.Add(ctx, -1, of)
	})
	return nil
}
