package flight

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"time"

	"github.com/apache/arrow/go/v17/arrow/flight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// Server answers Flight clients while Run runs.
type Server struct {
	cfg         Config // defaults filled in
	listener    net.Listener
	grpc        *grpc.Server
	instruments *instruments
	// streams and trainings hold an item for each that runs.
	streams, trainings chan struct{}
	// sending counts goroutines that may outlive their handler for a moment.
	sending sync.WaitGroup
}

const (
	// maxReceive bounds a message of entity rows.
	maxReceive = 16 << 20
	// minKeepalive is how often clients may ask whether the server is there, and
	// keepaliveEvery and keepaliveWait how it finds out whether they are.
	minKeepalive   = 10 * time.Second
	keepaliveEvery = 30 * time.Second
	keepaliveWait  = 20 * time.Second
)

// New opens the listener, and answers nothing yet. Whoever does not call Run calls
// Close.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("flight configuration: %w", err)
	}
	s := &Server{cfg: cfg.withDefaults()}
	s.streams = make(chan struct{}, s.cfg.Streams)
	s.trainings = make(chan struct{}, s.cfg.Trainings)
	var err error
	if s.instruments, err = newInstruments(s.cfg.Meter); err != nil {
		return nil, fmt.Errorf("instruments of flight: %w", err)
	}
	if s.listener = s.cfg.Listener; s.listener == nil {
		if s.listener, err = net.Listen("tcp", s.cfg.Listen); err != nil {
			return nil, fmt.Errorf("listen for Flight: %w", err)
		}
	}
	s.grpc = grpc.NewServer(
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(maxReceive),
		grpc.MaxSendMsgSize(math.MaxInt32), // a single row may be large
		// Beyond Streams a client is told at once, so that it does not wait in the dark.
		grpc.MaxConcurrentStreams(uint32(2*s.cfg.Streams+16)),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minKeepalive, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveEvery, Timeout: keepaliveWait}),
		grpc.WaitForHandlers(true),
		grpc.UnaryInterceptor(s.guardCall), grpc.StreamInterceptor(s.guardStream),
	)
	flight.RegisterFlightServiceServer(s.grpc, &service{Server: s})
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx ends, then refuses what is new, lets streams end within
// Config.Drain, cuts off those that have not, and returns nil. It runs once.
func (s *Server) Run(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.grpc.Serve(s.listener) }()
	var err error
	select {
	case <-ctx.Done():
		s.drain()
		err = <-failed
	case err = <-failed:
		s.grpc.Stop()
	}
	s.sending.Wait()
	if err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve Flight at %s: %w", s.Addr(), err)
	}
	return nil
}

// drain ends what runs, in order or, when that takes too long, at once.
func (s *Server) drain() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.grpc.GracefulStop()
	}()
	limit := time.NewTimer(s.cfg.Drain)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
		s.cfg.Logger.Warn("Flight streams did not end in time and are cut off", "drain", s.cfg.Drain, "streams", len(s.streams))
		s.grpc.Stop()
		<-done
	}
}

// Close ends a Server that was not Run.
func (s *Server) Close() error {
	s.grpc.Stop()
	if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close the listener for Flight: %w", err)
	}
	return nil
}
