package history

import (
	"context"
	"slices"
	"sync"
	"time"

	"featurestore/hlc"
	"featurestore/meta"
)

// watcher looks again and again how far each log has come here, and notes each
// advance as a step. It looks, instead of being told, so that a commit of the
// store pays nothing for it.
type watcher struct {
	log    Log
	region meta.Region
	wall   func() time.Time
	limit  int // of steps held

	mu struct {
		sync.Mutex
		steps  []Step
		heads  map[logID]hlc.Timestamp
		looked int64 // when it began to look last, milliseconds; 0: never
	}
}

func newWatcher(log Log, region meta.Region, wall func() time.Time, limit int) *watcher {
	w := &watcher{log: log, region: region, wall: wall, limit: limit}
	w.mu.heads = map[logID]hlc.Timestamp{}
	return w
}

// run looks every so often until ctx ends.
func (w *watcher) run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		w.look()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look notes what was published since the last look.
func (w *watcher) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	began := w.wall().UnixMilli()
	var found []Step
	for _, shard := range w.log.Shards(w.region) {
		for origin, head := range w.log.Heads(shard) {
			if id := (logID{shard, origin}); head > w.mu.heads[id] {
				w.mu.heads[id] = head
				found = append(found, Step{Shard: shard, Origin: origin, Through: head, SinceMillis: w.mu.looked})
			}
		}
	}
	at := w.wall().UnixMilli() // after the last of Heads was read
	for i := range found {
		found[i].AtMillis = at
	}
	w.mu.looked = began
	w.holdLocked(found)
}

func (w *watcher) holdLocked(steps []Step) {
	w.mu.steps = append(w.mu.steps, steps...)
	if len(w.mu.steps) > w.limit {
		slices.SortFunc(w.mu.steps, compareSteps)
		w.mu.steps = thin(w.mu.steps)
	}
}

// take returns the steps noted so far, in order, and forgets them.
func (w *watcher) take() []Step {
	w.mu.Lock()
	defer w.mu.Unlock()
	steps := w.mu.steps
	w.mu.steps = nil
	slices.SortFunc(steps, compareSteps)
	return steps
}

// putBack keeps steps that were taken and not committed.
func (w *watcher) putBack(steps []Step) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holdLocked(steps)
}
