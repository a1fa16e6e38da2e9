package peer

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"featurestore/relay"
	"featurestore/replication"
)

// linked runs a relay from eu to us in front of a transport and returns its
// address with the links.
func linked(t *testing.T, to *Transport) (string, *relay.Links) {
	t.Helper()
	links := relay.NewLinks("eu", "us")
	r, err := relay.New(relay.Config{From: "eu", To: "us", Links: links, Listen: "127.0.0.1:0", Target: to.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the relay: %v", err)
		}
	})
	return r.Addr().String(), links
}

// TestASilentCutIsNoticed: nobody says that the connection is gone. The dialer
// of gRPC asks only after 10 s, so the acceptor is the one that is watched.
func TestASilentCutIsNoticed(t *testing.T) {
	to := run(t, Config{KeepaliveEvery: time.Second, KeepaliveWait: 100 * time.Millisecond})
	address, links := linked(t, to)
	dialed, accepted := converseAt(t, run(t, Config{}), to, address)
	if err := dialed.Send(deadline(t), replication.Ping{ID: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := accepted.Receive(deadline(t)); err != nil {
		t.Fatal(err)
	}
	for _, direction := range [][2]string{{"eu", "us"}, {"us", "eu"}} {
		if err := links.Set(direction[0], direction[1], relay.Link{Cut: true}); err != nil {
			t.Fatal(err)
		}
	}
	ctx := deadline(t)
	if m, err := accepted.Receive(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the acceptor received %v, %v, want the end", m, err)
	}
	// Once the link is there again, the dialer hears what happened.
	for _, direction := range [][2]string{{"eu", "us"}, {"us", "eu"}} {
		if err := links.Set(direction[0], direction[1], relay.Link{}); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := dialed.Receive(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the dialer received %v, %v, want the end", m, err)
	}
}

// TestALostConnectionEndsBothSides: the machine between them dies and says so.
func TestALostConnectionEndsBothSides(t *testing.T) {
	to := run(t, Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan net.Conn, 2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		a, err := l.Accept()
		if err != nil {
			return
		}
		b, err := net.Dial("tcp", to.Addr().String())
		if err != nil {
			t.Error(err)
			_ = a.Close()
			return
		}
		conns <- a
		conns <- b
		go func() { _, _ = io.Copy(a, b) }()
		_, _ = io.Copy(b, a)
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	dialed, accepted := converseAt(t, run(t, Config{}), to, l.Addr().String())
	_ = (<-conns).Close()
	_ = (<-conns).Close()
	ctx := deadline(t)
	for side, c := range map[string]replication.Conversation{"dialer": dialed, "acceptor": accepted} {
		if m, err := c.Receive(ctx); err == nil || ctx.Err() != nil {
			t.Errorf("the %s received %v, %v, want the end", side, m, err)
		}
	}
}
