package relay

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// chunkBytes are read at once, at most.
const chunkBytes = 16 << 10

// dialTimeout bounds how long the target's machine, which is this one, takes.
const dialTimeout = 10 * time.Second

// pair is one connection: the end that dialed, the end it was dialed to, and
// what is under way between them.
type pair struct {
	links *Links
	out   way // from the end that dialed
	back  way
	told  atomic.Int32  // how many ends know that the other says no more
	gone  chan struct{} // closed when both ends say no more
	over  chan struct{} // closed when nothing is left to do
	once  sync.Once
}

// way is one direction of a pair.
type way struct {
	from, to string // regions
	pace     pace
	line     *line
	ended    chan struct{} // closed when its sender says no more
}

func newPair(links *Links, from, to string, bufferBytes int) *pair {
	return &pair{
		links: links,
		out:   way{from: from, to: to, line: newLine(bufferBytes), ended: make(chan struct{})},
		back:  way{from: to, to: from, line: newLine(bufferBytes), ended: make(chan struct{})},
		gone:  make(chan struct{}), over: make(chan struct{}),
	}
}

// run relays between the end a and the one that dial reaches, until both have
// ended or ctx does. It closes both.
func (p *pair) run(ctx context.Context, a net.Conn, dial func(context.Context) (net.Conn, error)) {
	var loops sync.WaitGroup
	defer loops.Wait()
	stop := context.AfterFunc(ctx, p.finish)
	defer stop()
	loops.Go(func() { <-p.over; _ = a.Close() }) // unblocks its reader and writer
	defer p.finish()

	begun := time.Now()
	there, again := p.links.Link(p.out.from, p.out.to).Delay, p.links.Link(p.back.from, p.back.to).Delay
	p.out.pace.last = begun.Add(there + again + there) // the handshake, then the first byte
	loops.Go(func() { p.read(a, &p.out, &p.back) })

	// While the other end is not there, the one that dialed may give up alone.
	if !p.pass(&p.out, begun.Add(there), p.out.ended) {
		return
	}
	opening, cancel := context.WithTimeout(ctx, dialTimeout)
	b, err := dial(opening)
	cancel()
	answered := p.pass(&p.back, time.Now().Add(again), p.out.ended)
	switch {
	case err != nil && answered:
		abort(a)
		return
	case err != nil:
		return
	case !answered:
		abort(b)
		return
	}
	loops.Go(func() { <-p.over; _ = b.Close() })
	loops.Go(func() { p.read(b, &p.back, &p.out) })
	loops.Go(func() { p.write(b, &p.out, &p.back) })
	loops.Go(func() { p.write(a, &p.back, &p.out) })
	p.watch()
}

// watch waits until the pair is over, and notes when both ends say no more.
func (p *pair) watch() {
	for _, ended := range []chan struct{}{p.out.ended, p.back.ended} {
		select {
		case <-ended:
		case <-p.over:
			return
		}
	}
	close(p.gone)
	<-p.over
}

// finish ends the pair.
func (p *pair) finish() { p.once.Do(func() { close(p.over) }) }

// read takes what an end says into a way, until it says no more.
func (p *pair) read(from net.Conn, w, other *way) {
	defer close(w.ended)
	buf := make([]byte, chunkBytes)
	for w.line.room(p.over) {
		n, err := from.Read(buf)
		now := time.Now()
		due := w.pace.due(now, p.links.Link(w.from, w.to), p.links.Link(other.from, other.to).Delay, rand.Float64())
		if n > 0 {
			w.line.push(chunk{bytes: append([]byte(nil), buf[:n]...), due: due})
		}
		if err == nil {
			continue
		}
		end := reset
		if errors.Is(err, io.EOF) {
			end = closed
		}
		w.line.push(chunk{due: due, end: end})
		return
	}
}

// write brings what is in a way to an end, when it is due.
func (p *pair) write(to net.Conn, w, other *way) {
	lost := false // to takes no more
	for {
		c, ok := w.line.head(p.over)
		if !ok || !p.pass(w, c.due, p.gone) {
			return
		}
		switch {
		case c.end == reset:
			abort(to)
			p.finish()
			return
		case c.end == closed:
			p.closeWrite(to)
		case !lost:
			if _, err := to.Write(c.bytes); err != nil {
				// Its machine answers that nobody is there; so the other hears.
				lost = true
				other.line.push(chunk{due: time.Now().Add(p.links.Link(other.from, other.to).Delay), end: reset})
			}
		}
		w.line.pop()
	}
}

// pass waits until what was due at a time has passed its link. It reports false
// when the pair is over, or a cut holds it while nobody is left (gone).
func (p *pair) pass(w *way, due time.Time, gone <-chan struct{}) bool {
	for {
		link, changed := p.links.watch(w.from, w.to)
		var nobody <-chan struct{}
		var timer <-chan time.Time
		switch wait := time.Until(due); {
		case link.Cut:
			nobody = gone
		case wait <= 0:
			return true
		default:
			timer = time.After(wait)
		}
		select {
		case <-timer:
		case <-changed:
		case <-nobody:
			p.finish()
			return false
		case <-p.over:
			return false
		}
	}
}

// closeWrite tells an end that the other says no more; when both have been
// told, the pair is over.
func (p *pair) closeWrite(to net.Conn) {
	if c, ok := to.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite() // an end that is gone needs not be told
	}
	if p.told.Add(1) == 2 {
		p.finish()
	}
}

// abort closes a connection as one is whose process died.
func abort(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // else it closes as usual, which is an end too
	}
	_ = c.Close()
}
