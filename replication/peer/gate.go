package peer

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"
)

// strangerBytes is what a connection may send before its peer has proved the
// secret: two small frames with what HTTP/2 needs around them.
const strangerBytes = 64 << 10

var errStranger = errors.New("too much was sent before the secret was proved")

// gateListener admits a few strangers at a time: connections whose peer has
// not proved the secret yet. Whoever comes while there are too many is sent
// away, and whoever takes too long is.
type gateListener struct {
	net.Listener
	places  chan struct{} // holds one item a stranger
	patient time.Duration
	refused func() // called when a connection found no place
}

func newGateListener(l net.Listener, strangers int, patient time.Duration, refused func()) *gateListener {
	return &gateListener{Listener: l, places: make(chan struct{}, strangers), patient: patient, refused: refused}
}

// Accept returns the next connection that found a place.
func (l *gateListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.places <- struct{}{}:
			g := &gate{Conn: conn, budget: strangerBytes, leave: func() { <-l.places }}
			g.mu.Lock()
			g.mu.timer = time.AfterFunc(l.patient, g.expire)
			g.mu.Unlock()
			return g, nil
		default:
			l.refused()
			_ = conn.Close() // the peer finds out, whatever this says
		}
	}
}

// gate is a connection with bounds that fall when its peer is known.
type gate struct {
	net.Conn
	leave func()

	mu struct {
		sync.Mutex
		timer *time.Timer // calls expire
		open  bool
		left  bool // the place among strangers is free again
	}
	budget int // used by Read alone, which one goroutine calls
}

// open lifts the bounds.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.open = true
	g.leaveLocked()
}

// expire ends the connection of a peer that is not known by now.
func (g *gate) expire() {
	if !g.isOpen() {
		_ = g.Close() // nothing more can be done
	}
}

func (g *gate) isOpen() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mu.open
}

func (g *gate) leaveLocked() {
	g.mu.timer.Stop()
	if !g.mu.left {
		g.mu.left = true
		g.leave()
	}
}

// Read reads within the bounds.
func (g *gate) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if g.budget > 0 {
		g.budget -= n
		if g.budget <= 0 && !g.isOpen() {
			_ = g.Close() // errStranger says it
			return 0, errStranger
		}
	}
	return n, err
}

// Close ends the connection and frees its place.
func (g *gate) Close() error {
	g.mu.Lock()
	g.leaveLocked()
	g.mu.Unlock()
	return g.Conn.Close()
}

// gateCredentials bring the gate of a connection to where its conversation is
// served. They encrypt nothing.
type gateCredentials struct {
	credentials.TransportCredentials
}

func newGateCredentials() gateCredentials { return gateCredentials{insecure.NewCredentials()} }

// ServerHandshake notes the gate.
func (c gateCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	g, ok := conn.(*gate)
	if !ok {
		return nil, nil, errors.New("a connection came past the gate")
	}
	return conn, gateInfo{g}, nil
}

// Clone returns the same: they have no state.
func (c gateCredentials) Clone() credentials.TransportCredentials { return c }

type gateInfo struct{ *gate }

// AuthType says that gRPC authenticates nobody.
func (gateInfo) AuthType() string { return "none" }

// gateOf returns the gate of the connection that a served stream uses.
func gateOf(ctx context.Context) (*gate, error) {
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(gateInfo); ok {
			return info.gate, nil
		}
	}
	return nil, errors.New("a stream came past the gate")
}
