package sdk

import (
	"sync"
	"time"
)

// lane takes the rows of some of the entities and sends them batch by batch,
// one at a time: that keeps the rows of one entity in order (K7). Which lane
// takes a row is decided by the join keys that all views of the target share:
// rows of one entity in any of them have those in common.
type lane struct {
	wake chan struct{}
	mu   struct {
		sync.Mutex
		open   *batch   // being filled; nil when empty
		ready  []*batch // sealed, the oldest first
		last   *batch   // sealed last
		hurry  bool     // the open batch is not to wait for more rows
		closed bool
	}
}

// add puts a row into the open batch, sealing it when it is full.
func (l *lane) add(row []byte, cfg WriterConfig) (*Future, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closed {
		return nil, ErrClosed
	}
	if b := l.mu.open; b != nil && len(b.rows)+len(row) > cfg.MaxBatchBytes {
		l.sealLocked()
	}
	if l.mu.open == nil {
		l.mu.open = newBatch(time.Now().Add(cfg.MaxDelay))
		l.signal()
	}
	b := l.mu.open
	f := &Future{batch: b, row: b.add(row)}
	if b.len() >= cfg.MaxBatchRows {
		l.sealLocked()
	}
	return f, nil
}

func (l *lane) sealLocked() {
	if b := l.mu.open; b != nil {
		l.mu.ready = append(l.mu.ready, b)
		l.mu.last, l.mu.open = b, nil
		l.signal()
	}
}

// seal closes the open batch and returns the last one, nil if there never was
// one.
func (l *lane) seal() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sealLocked()
	return l.mu.last
}

// urge lets the open batch go as soon as the lane has nothing else to send,
// for there is no room to fill it. It is not sealed before: while others are on
// their way it takes the rows that their room is for, or batches would become
// smaller and smaller.
func (l *lane) urge() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.hurry = true
	l.signal()
}

func (l *lane) shut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sealLocked()
	l.mu.closed = true
	l.signal()
}

func (l *lane) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// next returns the oldest sealed batch, nil when there is none.
func (l *lane) next() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.mu.ready) == 0 {
		return nil
	}
	b := l.mu.ready[0]
	l.mu.ready[0] = nil
	l.mu.ready = l.mu.ready[1:]
	return b
}

// wait returns when there is a batch to send, or true when there never will
// be again.
func (l *lane) wait(timer *time.Timer) (over bool) {
	for {
		l.mu.Lock()
		if b := l.mu.open; b != nil && len(l.mu.ready) == 0 && (l.mu.hurry || !time.Now().Before(b.due)) {
			l.mu.hurry = false
			l.sealLocked()
		}
		ready, closed, open := len(l.mu.ready) > 0, l.mu.closed, l.mu.open
		l.mu.Unlock()
		switch {
		case ready:
			return false
		case closed:
			return true
		case open == nil:
			<-l.wake
		default:
			timer.Reset(time.Until(open.due))
			select {
			case <-l.wake:
			case <-timer.C:
			}
		}
	}
}
