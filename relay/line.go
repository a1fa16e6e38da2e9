package relay

import (
	"sync"
	"time"
)

// An ending is how a direction of a connection ends.
type ending uint8

const (
	open   ending = iota
	closed        // its sender says no more
	reset         // its sender is gone
)

// A chunk is bytes with the time at which they are due, or an end.
type chunk struct {
	bytes []byte
	due   time.Time
	end   ending
}

// size is what the chunk counts for: its bytes, and what holds them.
func (c chunk) size() int { return len(c.bytes) + 64 }

// line is what is under way in one direction of a connection: a queue of
// bounded bytes, with one goroutine that reads into it and one that writes out
// of it.
type line struct {
	limit int

	mu struct {
		sync.Mutex
		chunks []chunk
		bytes  int
	}
	space, items chan struct{} // receive after a change, of one item each
}

func newLine(limit int) *line {
	return &line{limit: limit, space: make(chan struct{}, 1), items: make(chan struct{}, 1)}
}

// push adds a chunk and does not wait: whoever has bytes waits for room before
// he reads them.
func (l *line) push(c chunk) {
	l.mu.Lock()
	l.mu.chunks = append(l.mu.chunks, c)
	l.mu.bytes += c.size()
	l.mu.Unlock()
	notify(l.items)
}

// room waits until the line holds less than its limit; false says that stop
// came first.
func (l *line) room(stop <-chan struct{}) bool {
	for {
		l.mu.Lock()
		fits := l.mu.bytes < l.limit
		l.mu.Unlock()
		if fits {
			return true
		}
		select {
		case <-l.space:
		case <-stop:
			return false
		}
	}
}

// head waits for the oldest chunk, which stays in the line.
func (l *line) head(stop <-chan struct{}) (chunk, bool) {
	for {
		l.mu.Lock()
		if len(l.mu.chunks) > 0 {
			c := l.mu.chunks[0]
			l.mu.Unlock()
			return c, true
		}
		l.mu.Unlock()
		select {
		case <-l.items:
		case <-stop:
			return chunk{}, false
		}
	}
}

// pop removes the oldest chunk, after it was written.
func (l *line) pop() {
	l.mu.Lock()
	l.mu.bytes -= l.mu.chunks[0].size()
	l.mu.chunks[0] = chunk{} // frees its bytes
	l.mu.chunks = l.mu.chunks[1:]
	l.mu.Unlock()
	notify(l.space)
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
