package served

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// queueLookups bounds the queue by number: QueueBytes bounds it by size.
const queueLookups = 4096

// endWithin is how long the last file may take.
const endWithin = 5 * time.Second

// Log keeps a sample of what was served. Samples and Offer are for any goroutine.
type Log struct {
	cfg   Config // defaults filled in
	queue chan *Lookup
	held  atomic.Int64 // bytes of what is in the queue
	// erasures are asked of Run; ended is closed when it answers no more.
	erasures chan erasure
	ended    chan struct{}

	// What follows is Run's.
	open    *writer // nil while there is nothing to write
	number  uint64
	failing bool // it was told

	metrics *instruments
}

// New returns a log; Run works it.
func New(cfg Config) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("served log configuration: %w", err)
	}
	l := &Log{cfg: cfg.withDefaults(), queue: make(chan *Lookup, queueLookups), erasures: make(chan erasure), ended: make(chan struct{})}
	var err error
	l.metrics, err = newInstruments(l)
	return l, err
}

// Samples reports whether the lookup of a request is to be offered.
func (l *Log) Samples(id string) bool { return Samples(id, l.cfg.Fraction) }

// Offer takes a lookup to be logged, which is the log's from then on. It never waits (SV2).
// LeftOut says how many cells of the answer it lacks.
func (l *Log) Offer(ctx context.Context, x *Lookup, leftOut int) {
	l.metrics.leftOut(ctx, leftOut)
	x.Region, x.Store = l.cfg.Region, l.cfg.Store
	size := x.sizeBytes()
	if l.held.Add(size) > l.cfg.QueueBytes {
		l.held.Add(-size)
		l.metrics.dropped(ctx, dropQueue, 1)
		return
	}
	select {
	case l.queue <- x:
	default:
		l.held.Add(-size)
		l.metrics.dropped(ctx, dropQueue, 1)
	}
}

// Run writes files until ctx ends, then what is left, and returns nil. What cannot be
// written is dropped, counted, and told once until it works again. It is called once.
func (l *Log) Run(ctx context.Context) error {
	defer close(l.ended)
	defer l.metrics.close()
	ended := ctx.Done()
	ctx, cancel := lasting(ctx, endWithin) // a file that is being written when it ends is not lost
	defer cancel()
	l.keep(ctx)
	tick := time.NewTicker(l.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case x := <-l.queue:
			l.take(ctx, x)
		case <-tick.C:
			l.write(ctx)
		case e := <-l.erasures:
			l.erase(ctx, e)
		case <-ended:
			l.drain(ctx)
			l.write(ctx)
			return nil
		}
	}
}

// lasting returns a context that ends so long after ctx, or with cancel.
func lasting(ctx context.Context, long time.Duration) (_ context.Context, cancel func()) {
	longer, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(long)
		defer timer.Stop()
		select {
		case <-timer.C:
			end()
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); end() }
}

// drain takes what is in the queue now.
func (l *Log) drain(ctx context.Context) {
	for {
		select {
		case x := <-l.queue:
			l.take(ctx, x)
		default:
			return
		}
	}
}

// take adds a lookup to the open file, and ends it when it is full, or of the day before.
func (l *Log) take(ctx context.Context, x *Lookup) {
	l.held.Add(-x.sizeBytes())
	if l.open != nil && (l.open.sizeBytes >= l.cfg.FileBytes || l.open.day != dayOf(x)) {
		l.write(ctx)
	}
	if l.open == nil {
		var err error
		if l.open, err = newWriter(x); err != nil {
			l.lost(ctx, 1, err)
			l.open = nil
			return
		}
	}
	if err := l.open.add(x); err != nil {
		l.lost(ctx, l.open.lookups+1, err)
		l.open = nil
	}
}

// write ends the open file.
func (l *Log) write(ctx context.Context) {
	if l.open == nil {
		return
	}
	w := l.open
	l.open = nil
	l.number++
	name, contents, err := w.end(l.number)
	if err == nil {
		err = l.cfg.Files.Create(ctx, name, contents)
	}
	if err != nil {
		l.lost(ctx, w.lookups, err)
		return
	}
	if l.failing {
		l.cfg.Logger.Info("served lookups are logged again")
	}
	l.failing = false
	l.metrics.logged(ctx, w.lookups, w.cells)
	l.keep(ctx)
}

// lost counts lookups that could not be written, and tells why once.
func (l *Log) lost(ctx context.Context, lookups int64, err error) {
	l.metrics.dropped(ctx, dropDisk, lookups)
	if !l.failing {
		l.cfg.Logger.Error("served lookups cannot be logged; they are dropped until it works", "error", err)
	}
	l.failing = true
}
