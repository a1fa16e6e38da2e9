package relay

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// patience bounds what a test waits for; it fails nothing that works.
const patience = time.Minute

// echo serves a target that answers with what it hears, and ends when the
// other does.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

func start(t *testing.T, cfg Config) *Relay {
	t.Helper()
	cfg.From, cfg.To, cfg.Listen = "eu", "us", "127.0.0.1:0"
	if cfg.Links == nil {
		cfg.Links = NewLinks("eu", "us")
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	return r
}

func connect(t *testing.T, r *Relay) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

func TestBytesAndHalfClosesPass(t *testing.T) { // G1
	c := connect(t, start(t, Config{Target: echo(t)}))
	text := strings.Repeat("0123456789", 100_000)
	go func() {
		_, _ = io.WriteString(c, text)
		_ = c.CloseWrite() // the answer still comes
	}()
	got, err := io.ReadAll(c)
	if err != nil || string(got) != text {
		t.Errorf("got %d bytes, %v, want the %d that were sent", len(got), err, len(text))
	}
}

func TestTheDelayIsAtLeastWhatWasSet(t *testing.T) { // G2
	links := NewLinks("eu", "us")
	if err := links.Set("eu", "us", Link{Delay: 20 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	c := connect(t, start(t, Config{Target: echo(t), Links: links}))
	begun := time.Now()
	if _, err := io.WriteString(c, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if got := time.Since(begun); got < 20*time.Millisecond {
		t.Errorf("an answer came after %v, want at least the delay of 20ms", got)
	}
}

func TestADyingEndResetsTheOther(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := connect(t, start(t, Config{Target: l.Addr().String()}))
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	abort(other)
	if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF || strings.Contains(err.Error(), "timeout") {
		t.Errorf("got %v, want a reset", err)
	}
}

func TestConnectionsAreFew(t *testing.T) { // G4
	links := NewLinks("eu", "us")
	if err := links.Set("eu", "us", Link{Cut: true}); err != nil {
		t.Fatal(err)
	}
	r := start(t, Config{Target: echo(t), Links: links, MaxConnections: 1})
	first := connect(t, r)
	if c, err := net.Dial("tcp", r.Addr().String()); err == nil { // else the reset was faster
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := c.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("a connection too many got %v, want a reset", err)
		}
	}
	if err := links.Set("eu", "us", Link{}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(first, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(first, make([]byte, 1)); err != nil {
		t.Errorf("the first was harmed: %v", err)
	}
}

func TestRunEndsConnections(t *testing.T) { // G6
	links := NewLinks("eu", "us")
	r, err := New(Config{From: "eu", To: "us", Links: links, Listen: "127.0.0.1:0", Target: echo(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	c := connect(t, r)
	if _, err := io.WriteString(c, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := links.Set("us", "eu", Link{Cut: true}); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("got %v, want the end", err)
	}
}

func TestConfigTellsAllFaultsAtOnce(t *testing.T) {
	err := Config{Links: NewLinks("eu"), From: "eu", To: "us", BufferBytes: -1, MaxConnections: -1}.Validate()
	for _, want := range []string{`"us"`, "listen", "target", "buffer_bytes", "max_connections"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "links") {
		t.Errorf("no links: %v", err)
	}
	r, err := New(Config{Links: NewLinks("eu", "us"), From: "eu", To: "us", Listen: "127.0.0.1:0", Target: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
