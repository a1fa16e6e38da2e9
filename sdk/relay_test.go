package sdk_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A relay stands between a client and a store, as a network does that breaks.
type relay struct {
	url string
	// cut says after how many bytes of answers a connection is cut; 0: never.
	cut      func() int
	accepted atomic.Int64
	cuts     atomic.Int64
	// hold stops answers until the test ends, when held is closed.
	hold atomic.Bool
	held chan struct{}

	mu struct {
		sync.Mutex
		sent bytes.Buffer // what clients sent
	}
}

// newRelay relays to the store at url.
func newRelay(tb testing.TB, url string, cut func() int) *relay {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	r := &relay{url: "http://" + l.Addr().String(), cut: cut, held: make(chan struct{})}
	var all sync.WaitGroup
	var open sync.Map // connections to end with the test
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.accepted.Add(1)
			open.Store(c, nil)
			all.Go(func() {
				defer open.Delete(c)
				r.carry(c, strings.TrimPrefix(url, "http://"))
			})
		}
	})
	tb.Cleanup(func() {
		l.Close()
		close(r.held)
		open.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		all.Wait()
	})
	return r
}

// carry relays one connection until either side ends or it is cut.
func (r *relay) carry(client net.Conn, to string) {
	defer client.Close()
	store, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer store.Close()
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(store, io.TeeReader(client, r))
		store.(*net.TCPConn).CloseWrite()
	})
	limit := int64(-1)
	if n := r.cut(); n > 0 {
		limit = int64(n)
	}
	if limit < 0 {
		_, _ = io.Copy(held{client, r}, store)
	} else if n, _ := io.CopyN(client, store, limit); n == limit {
		r.cuts.Add(1)
		_ = client.(*net.TCPConn).SetLinger(0) // a reset, not an orderly end
	}
	client.Close()
	up.Wait()
}

// held is a connection to a client that gets nothing while the relay holds.
type held struct {
	io.Writer
	relay *relay
}

// Write passes an answer on, once it may.
func (h held) Write(b []byte) (int, error) {
	if h.relay.hold.Load() {
		<-h.relay.held
	}
	return h.Writer.Write(b)
}

// Write keeps what clients sent.
func (r *relay) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.sent.Write(b)
}

func (r *relay) sent() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.sent.String()
}

func never() int { return 0 }

// flaky cuts every connection somewhere: in its first answer's head, or its
// body, or a few answers later.
func flaky(seed uint64) func() int {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, seed))
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return 1 + random.IntN(3000)
	}
}
