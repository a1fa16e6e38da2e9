package history

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
)

// Ingester brings a store's log into a history: of every origin that the store
// follows, so that one region's history has them all. There is one for a history.
type Ingester struct {
	cfg     IngestConfig // defaults filled in
	watch   *watcher
	metrics *instruments
	// hurry holds a token while somebody awaits a commit.
	hurry chan struct{}

	// The fields below belong to Run.

	// read is how far each log was read; what of it is not in history is in buffer.
	read   map[feature.Shard]hlc.Vector
	buffer buffer
	gaps   []Gap
	oldest hlc.Timestamp // of the entries in buffer
	// began is when the oldest of what is not committed was read; zero for nothing.
	began time.Time
	// next is the log that was being read when the buffer was full.
	next logID
	// failed says that a commit failed, and may be there: nothing more is read
	// before that is known, for the next commit must be the same.
	failed bool
	scraps scraps
	// progressFirst is a planted fault, for tests alone: progress is committed
	// before the rows.
	progressFirst bool

	status atomic.Pointer[Status]
}

// Status is what an ingester has done in this life.
type Status struct {
	// Rows and Commits are counted since NewIngester.
	Rows, Commits int64
	// HeldBytes is about what was read and is not committed.
	HeldBytes int64
	// Oldest is the timestamp of the oldest entry of that, zero for none.
	Oldest hlc.Timestamp
	// Err is why the last attempt failed, nil when it did not.
	Err error
}

// NewIngester returns an ingester that goes on where the history ends.
func NewIngester(cfg IngestConfig) (*Ingester, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("ingester configuration: %w", err)
	}
	in := &Ingester{cfg: cfg.withDefaults(), hurry: make(chan struct{}, 1)}
	in.watch = newWatcher(cfg.Log, cfg.Region, in.cfg.Wall, in.cfg.MaxSteps)
	in.read = maps.Clone(in.cfg.History.state().progress)
	in.buffer.reset()
	in.scraps.history = cfg.History
	in.status.Store(&Status{})
	var err error
	in.metrics, err = newInstruments(in)
	return in, err
}

// Status returns what was done so far.
func (in *Ingester) Status() Status { return *in.status.Load() }

// Run follows the log until ctx ends, then commits what is there and returns nil.
// What fails is tried again, with everything that was read kept; only ErrFenced and
// ErrClosed end it, for then another one goes on.
func (in *Ingester) Run(ctx context.Context) error {
	defer in.metrics.close()
	var watching sync.WaitGroup
	looks, stop := context.WithCancel(ctx)
	watching.Go(func() { in.watch.run(looks, in.cfg.Look) })
	defer watching.Wait()
	defer stop()
	wait, hurry := in.cfg.Poll, false
	for ctx.Err() == nil {
		full, err := in.turn(ctx, hurry)
		hurry = hurry && (full || err != nil)
		switch {
		case errors.Is(err, ErrFenced) || errors.Is(err, ErrClosed):
			return err
		case ctx.Err() != nil:
		case err != nil:
			in.fails(err)
			wait = min(2*wait, in.cfg.RetryMost)
		case full:
			in.works()
			continue
		default:
			in.works()
			wait = in.cfg.Poll
		}
		select {
		case <-time.After(wait):
		case <-in.hurry:
			hurry = true
		case <-ctx.Done():
		}
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), in.cfg.EndWithin)
	defer cancel()
	if err := in.finish(end); err != nil {
		in.cfg.Logger.Info("what was read last is not in history yet; it will be read again", "err", err)
	}
	return nil
}

// finish commits what the log has now, and that it was readable here.
func (in *Ingester) finish(ctx context.Context) error {
	in.watch.look()
	for {
		full, err := in.turn(ctx, true)
		if err != nil || !full {
			return err
		}
	}
}

// Hurry lets what is in the log now be committed soon, before it is as old as
// IngestConfig.MaxAge: for somebody waits for it (History.Committed). It does not wait.
func (in *Ingester) Hurry() {
	select {
	case in.hurry <- struct{}{}:
	default:
	}
}

// fails notes an error, and tells the first of a row.
func (in *Ingester) fails(err error) {
	s := in.Status()
	if s.Err == nil {
		in.cfg.Logger.Error("history falls behind; it is tried again until it works", "err", err)
	}
	s.Err = err
	in.status.Store(&s)
}

func (in *Ingester) works() {
	s := in.Status()
	if s.Err != nil {
		in.cfg.Logger.Info("history goes on")
	}
	s.Err, s.HeldBytes, s.Oldest = nil, in.buffer.sizeBytes, in.oldest
	in.status.Store(&s)
}

// turn reads what there is, and commits when that is due, or hurried. It reports whether
// there may be more.
func (in *Ingester) turn(ctx context.Context, hurry bool) (full bool, err error) {
	if in.failed {
		return true, in.flush(ctx)
	}
	full, err = in.pull(ctx)
	if err != nil {
		return false, err
	}
	if full || hurry || !in.began.IsZero() && in.cfg.Wall().Sub(in.began) >= in.cfg.MaxAge {
		return full, in.flush(ctx)
	}
	return false, nil
}

// pull reads every log up to its head, or until the buffer is full.
func (in *Ingester) pull(ctx context.Context) (full bool, err error) {
	var logs []logID
	heads := map[logID]hlc.Timestamp{}
	for _, shard := range in.cfg.Log.Shards(in.cfg.Region) {
		for origin, head := range in.cfg.Log.Heads(shard) {
			if id := (logID{shard, origin}); head > in.read[shard][origin] {
				logs, heads[id] = append(logs, id), head
			}
		}
	}
	slices.SortFunc(logs, logID.compare)
	// Where the last one broke off, so that one log does not keep the others waiting.
	first, _ := slices.BinarySearchFunc(logs, in.next, logID.compare)
	for i := range logs {
		id := logs[(first+i)%len(logs)]
		for in.read[id.shard][id.origin] < heads[id] {
			more, err := in.pullSome(ctx, id)
			if err != nil {
				return false, err
			}
			if in.buffer.sizeBytes >= in.cfg.MaxBytes {
				in.next = id
				return true, nil
			}
			if !more {
				break
			}
		}
	}
	return false, nil
}

// pullSome reads a stretch of one log, and reports whether there was any.
func (in *Ingester) pullSome(ctx context.Context, id logID) (more bool, err error) {
	after := in.read[id.shard][id.origin]
	iv, floor, err := in.cfg.Log.ReadLog(ctx, id.shard, id.origin, after, readBytes)
	if err != nil {
		return false, err
	}
	if floor > after {
		g := Gap{Shard: id.shard, Origin: id.origin, After: after, Through: floor}
		in.gaps = append(in.gaps, g)
		in.metrics.gaps.Add(ctx, 1)
		in.cfg.Logger.Error("a part of the log was gone before history had read it", "gap", g.String())
		in.advance(id, floor)
		return true, nil
	}
	for i := range iv.Entries {
		if err := in.buffer.add(&iv.Entries[i].Entry); err != nil {
			return false, err
		}
		if at := iv.Entries[i].At; in.oldest == 0 || at < in.oldest {
			in.oldest = at
		}
		in.advance(id, iv.Entries[i].At)
	}
	return len(iv.Entries) > 0, nil
}

// advance raises how far a log was read.
func (in *Ingester) advance(id logID, at hlc.Timestamp) {
	v := in.read[id.shard].Clone() // what is committed is shared
	v[id.origin] = at
	in.read[id.shard] = v
	if in.began.IsZero() {
		in.began = in.cfg.Wall()
	}
}
