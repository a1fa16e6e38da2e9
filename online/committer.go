package online

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
)

// committer is the one goroutine that writes rows. It takes what waits, stages
// it, commits it, and only then shows it to anyone.
type committer struct {
	store *Store
	stage *stage
	// backlog is taken from the queue and not answered yet.
	backlog []*pending
	// batch is staged and not answered yet; byID finds its named requests.
	batch []*pending
	byID  map[RequestID]*pending
	// echoes repeat a request of the batch and are answered with it.
	echoes []echo
	// begun is the join at the head of the backlog when a part of it is staged.
	begun *pending
	// expected is how many callers there were as the last batch was answered.
	expected int64
	hot      []hotRow // rows on their way to the hot tier
	// ahead says that a clock that is too far ahead was complained of.
	ahead bool
}

// echo is a repetition of a request that is in the same batch.
type echo struct{ repeat, first *pending }

func (s *Store) commitLoop(ctx context.Context) {
	c := &committer{store: s, stage: newStage(s), byID: map[RequestID]*pending{}}
	defer c.stage.reset()
	tick := time.NewTicker(max(time.Millisecond, s.cfg.SnapshotLag/4))
	defer tick.Stop()
	for ctx.Err() == nil {
		if len(c.backlog) == 0 {
			select {
			case <-s.queue.wake:
			case <-ctx.Done():
			case <-tick.C:
				s.snapshots.advance(time.Now(), s.cfg.SnapshotLag)
			}
		} else {
			select {
			case <-tick.C:
				s.snapshots.advance(time.Now(), s.cfg.SnapshotLag)
			default:
			}
		}
		c.step(ctx)
	}
	// What was accepted is finished; nothing more is accepted.
	s.queue.close()
	for c.step(ctx) {
	}
}

// linger lets the writers that were just answered come back before the next
// batch is cut. Without it they and those that waited meanwhile take turns, and
// each half pays for a sync of its own. A writer that is alone waits for nobody.
func (c *committer) linger() {
	if c.expected < 2 || len(c.backlog) > 0 {
		return
	}
	start := time.Now()
	for range maxYields { // time alone would be no bound where it is virtual
		if c.store.queue.length.Load() >= c.expected || time.Since(start) >= maxLinger {
			return
		}
		runtime.Gosched()
	}
}

// maxLinger is how late a batch may be for others to join it: less than the
// quickest sync that was seen.
const maxLinger = 100 * time.Microsecond

// maxYields is more than fit into maxLinger on an idle machine.
const maxYields = 10_000

// step takes what waits and commits one batch of it. It returns false when
// nothing was there.
func (c *committer) step(ctx context.Context) bool {
	c.linger()
	c.backlog = c.store.queue.take(c.backlog)
	if len(c.backlog) == 0 {
		return false
	}
	if first := c.backlog[0]; first.task != nil {
		c.pop()
		if c.store.queue.begin(first) {
			first.err = first.task(ctx, c)
			c.store.queue.answer(first)
		}
		return true
	}
	// Whoever asks during the commit is told when it began, not when the last
	// one was. Where the clock fails, the writes will say so.
	_, _ = c.store.closeUpToNow()
	c.store.assigning.Lock()
	c.gather(ctx)
	c.commit(ctx)
	c.store.assigning.Unlock()
	c.answer()
	return true
}

// gather stages writes and joins from the backlog until the batch is full.
func (c *committer) gather(ctx context.Context) {
	health := c.store.disk.health()
	full := c.store.disk.maxBytes / 2
	for len(c.backlog) > 0 {
		p := c.backlog[0]
		if p.task != nil || c.stage.sizeBytes >= full {
			return
		}
		if p.state.Load() != taken && !c.store.queue.begin(p) {
			c.pop()
			continue
		}
		if p.err = health; p.err != nil {
			c.store.queue.answer(p)
			c.pop()
			continue
		}
		var end outcome
		if p.join != nil {
			end = c.addJoin(ctx, p)
		} else {
			end = c.add(p)
		}
		if end == deferred {
			return
		}
		c.pop()
	}
}

func (c *committer) pop() {
	c.backlog[0] = nil
	c.backlog = c.backlog[1:]
}

// outcome says what became of a write that was to join the batch.
type outcome int

const (
	handled  outcome = iota // staged, or answered
	deferred                // does not fit beside the others: next batch
)

// add stages p, or answers it when it fails or was done before.
func (c *committer) add(p *pending) outcome {
	if c.store.refusing.Load() {
		p.err = ErrNotWriting
		c.store.queue.answer(p)
		return handled
	}
	var known *requestRecord
	if p.write.Idempotency != nil {
		var end outcome
		var done bool
		if known, end, done = c.recognize(p); done {
			return end
		}
	}
	receipt, err := c.stage.write(&p.write, known)
	if errors.Is(err, errFull) {
		return deferred
	}
	p.receipt, p.err = receipt, err
	if err != nil {
		c.store.queue.answer(p)
		return handled
	}
	c.batch = append(c.batch, p)
	if id := p.write.Idempotency; id != nil {
		c.byID[id.ID] = p
	}
	return handled
}

// recognize answers a request that was done before, and one that this batch does
// already; of another it returns what is known of it.
func (c *committer) recognize(p *pending) (known *requestRecord, end outcome, done bool) {
	id, shards := p.write.Idempotency, p.shards
	if first := c.byID[id.ID]; first != nil && first.writes(shards) {
		c.echo(p, first)
		return nil, handled, true
	}
	known, staged, err := c.stage.request(id.ID)
	if err == nil && known != nil && known.digest != id.Digest {
		err = ErrIdempotencyMismatch
	}
	if err != nil {
		p.err = err
		c.store.queue.answer(p)
		return nil, handled, true
	}
	if known == nil {
		return nil, handled, false
	}
	receipt, all := known.of(shards)
	switch {
	case staged: // nobody may hear of it before it is durable
		return nil, deferred, true
	case all:
		p.receipt = receipt
		c.store.queue.answer(p)
		return nil, handled, true
	}
	return known, handled, false
}

// writes reports whether a write touches all of some shards.
func (p *pending) writes(shards []feature.Shard) bool {
	return !slices.ContainsFunc(shards, func(s feature.Shard) bool { return !slices.Contains(p.shards, s) })
}

// echo answers a repetition together with its first.
func (c *committer) echo(p, first *pending) {
	if p.write.Idempotency.Digest != first.write.Idempotency.Digest {
		p.err = ErrIdempotencyMismatch
		c.store.queue.answer(p)
		return
	}
	c.echoes = append(c.echoes, echo{repeat: p, first: first})
}

// commit writes the stage and publishes it.
func (c *committer) commit(ctx context.Context) {
	if err := c.flush(ctx); err != nil {
		for _, p := range c.batch {
			p.receipt, p.err = Receipt{}, err
		}
		if c.begun != nil {
			// What follows in it would leave a gap.
			c.begun.err = err
			c.batch = append(c.batch, c.begun)
			c.pop()
		}
	}
	c.begun = nil
}

// flush writes the stage, publishes it, and leaves it empty. After an error
// nothing of it is visible.
func (c *committer) flush(ctx context.Context) (err error) {
	defer c.stage.reset()
	if !c.stage.isEmpty() {
		began := time.Now()
		var at uint64
		if at, err = c.stage.put(); err == nil {
			c.show(at)
		}
		c.store.metrics.commit(ctx, c, time.Since(began), err)
	}
	if err == nil {
		c.publish()
	}
	return err
}

// answer lets everyone go whose write is in the batch.
func (c *committer) answer() {
	for _, e := range c.echoes {
		e.repeat.receipt, e.repeat.err = e.first.receipt, e.first.err
		e.repeat.receipt.Repeated = true
		c.batch = append(c.batch, e.repeat)
	}
	c.expected = c.store.queue.callers.Load()
	for _, p := range c.batch {
		c.store.queue.answer(p)
	}
	clear(c.batch)
	clear(c.echoes)
	clear(c.byID)
	c.batch, c.echoes = c.batch[:0], c.echoes[:0]
}

// alone commits what fill stages in a batch of its own. A task calls it.
func (c *committer) alone(ctx context.Context, fill func(*stage) error) error {
	err := c.store.disk.health()
	if err == nil {
		err = fill(c.stage)
	}
	if err != nil {
		c.stage.reset()
		return err
	}
	return c.flush(ctx)
}

// show makes a synced commit readable: first the hot tier, so that nothing
// there is older than what follows (S6), then Badger's snapshot.
func (c *committer) show(at uint64) {
	s := c.store
	c.hot = c.hot[:0]
	for _, r := range c.stage.rows {
		c.hot = append(c.hot, hotRow{key: r.key, row: r.value[:max(0, len(r.value)-sumBytes)]})
	}
	s.hot.set(c.hot, at)
	clear(c.hot)
	s.conflicts.add(c.stage.conflicts)
	s.logSizes.publish(c.stage, func() { s.published.Store(at) })
	for _, r := range c.stage.shards {
		s.shards.set(r.shard, r.record)
	}
}

// publish raises progress to what is readable now (S4).
func (c *committer) publish() {
	p := c.store.progress
	for log, h := range c.stage.heads {
		p.publish(log.shard, hlc.Position{Origin: log.origin, At: h.through}, h.entry)
		if c.store.isOwn(log) {
			p.raiseOwn(h.through)
		}
	}
	if len(c.stage.heads) > 0 {
		p.signal()
	}
}
