package online

import (
	"context"
	"errors"
	"fmt"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// ErrGap reports a stretch of a log that begins after what is here: its origin
// may have written entries between the two. Nothing was joined.
var ErrGap = errors.New("log interval leaves a gap")

// joining is a stretch of another origin's log on its way through the
// committer.
type joining struct {
	iv oplog.Interval // what is left of it
	// rows of the first entry are in an earlier commit: no transaction holds it.
	rows int
	done func(error)
}

// Join hands a stretch of another origin's log to the committer and returns at
// once. Rows of its entries are joined as local writes are, in the order in
// which Join and Append were called, and share their transactions; the entries
// are kept as their origin encoded them. What is here already is left out.
//
// Done is called once, from the committer, and must not wait: with nil when all
// of the interval is durable, readable and published, else with why it is not.
// A prefix of it may be then, as Progress tells. Errors are ErrGap,
// oplog.ErrInvalid, ErrTooLarge, ErrCorrupt, ErrDiskFull, ErrReadOnly and
// ErrClosed. An interval without entries raises progress, in its turn, but not
// durably.
//
// Join does not bound what is under way: its caller does. The interval must not
// change before done is called.
func (s *Store) Join(iv oplog.Interval, done func(error)) {
	if !s.queue.push(&pending{join: &joining{iv: iv, done: done}}) {
		// Not from here: the caller may hold a lock that done takes.
		go done(ErrClosed)
	}
}

// addJoin stages what fits of a join, or answers it when it fails.
func (c *committer) addJoin(ctx context.Context, p *pending) outcome {
	err := c.stage.join(p.join)
	c.noteAhead(ctx)
	if errors.Is(err, errFull) {
		c.begun = p
		return deferred
	}
	c.begun = nil
	if p.err = err; err != nil {
		c.store.queue.answer(p)
		return handled
	}
	c.batch = append(c.batch, p)
	return handled
}

// noteAhead counts the entries that the clock could not follow, and complains
// of the first.
func (c *committer) noteAhead(ctx context.Context) {
	n := c.stage.ahead
	if n == 0 {
		return
	}
	c.stage.ahead = 0
	c.store.metrics.clockAhead.Add(ctx, int64(n))
	if !c.ahead {
		c.ahead = true
		c.store.cfg.Logger.Warn("entries of other stores are from the future: a clock is wrong", "latest", c.stage.latest)
	}
}

// join stages what fits of j: all of it, or errFull and the rest is left in j.
// After another error nothing of it is staged.
func (st *stage) join(j *joining) error {
	m := st.begin()
	err := st.admit(j)
	log := logID{shard: j.iv.Shard, origin: j.iv.Origin}
	for err == nil && len(j.iv.Entries) > 0 {
		if err = st.joinEntry(log, j); err == nil {
			j.iv, j.rows = j.iv.Trim(j.iv.Entries[0].At), 0
		}
	}
	switch {
	case errors.Is(err, errFull):
		return err
	case err != nil:
		st.rollback(m)
		return fmt.Errorf("join the log of %v in shard %d/%d: %w", log.origin, log.shard.Group, log.shard.Partition, err)
	}
	if h := st.head(log); h.through < j.iv.Through {
		h.through = j.iv.Through
		st.setHead(log, h)
	}
	return nil
}

// admit checks what Join is told against what is here, and cuts off what is
// here already. It is called again for what is left after a commit.
func (st *stage) admit(j *joining) error {
	if st.store.isOwn(logID{shard: j.iv.Shard, origin: j.iv.Origin}) {
		return fmt.Errorf("%w: it is the store's own", oplog.ErrInvalid)
	}
	here := st.head(logID{shard: j.iv.Shard, origin: j.iv.Origin}).through
	if len(j.iv.Entries) == 0 && j.iv.Through <= here {
		return nil
	}
	if err := j.iv.Validate(); err != nil {
		return err
	}
	if j.iv.After > here && !st.store.cfg.Faults.Has(fault.AcceptGap) {
		return fmt.Errorf("%w: it begins after %v, here is %v", ErrGap, j.iv.After, here)
	}
	for i := range j.iv.Entries {
		if e := &j.iv.Entries[i]; len(e.Raw) == 0 || len(e.Raw) >= valueThreshold {
			return &TooLargeError{What: "log entry", Bytes: len(e.Raw), Limit: valueThreshold - 1}
		}
	}
	if !st.store.cfg.Faults.Has(fault.CountTwice) {
		j.iv = j.iv.Trim(here)
	}
	return nil
}

// joinEntry stages the first entry of j. One that no transaction holds with its
// rows is staged in parts, rows first.
func (st *stage) joinEntry(log logID, j *joining) error {
	e, m := &j.iv.Entries[0], st.mark()
	first := j.rows
	full := func() error {
		if m.sizeBytes > 0 { // there is more room in the next transaction
			st.rollback(m)
			j.rows = first
		}
		return errFull
	}
	limit, seen := st.store.disk.maxBytes, seenBy(e.Deps)
	again := st.head(log).through >= e.At // with fault.CountTwice only
	for ; !e.LogOnly && j.rows < len(e.Rows); j.rows++ {
		before := st.mark()
		r := &e.Rows[j.rows]
		current, joined, err := st.joinRow(log.shard, r.View, r.Key, r.Delta)
		if err != nil {
			return err
		}
		st.noteConflicts(r.View, current, r.Delta, joined, seen, false)
		if again {
			if err := st.joinTwice(log.shard, r); err != nil {
				return err
			}
		}
		if st.sizeBytes > limit {
			st.rollback(before)
			return full()
		}
	}
	before := st.mark()
	entry := stagedEntry{key: appendEntryKey(nil, log.shard, log.origin, e.At), value: e.Raw, log: log}
	st.entries = append(st.entries, entry)
	st.sizeBytes += entryBytes(len(entry.key), len(entry.value))
	h := st.head(log)
	st.setHead(log, head{through: max(h.through, e.At), entry: max(h.entry, e.At), durable: true})
	if e.Request != nil {
		if err := st.joinRequest(e.Request, ShardPosition{Shard: log.shard, Position: e.Position()}); err != nil {
			return err
		}
	}
	if st.sizeBytes > limit {
		st.rollback(before)
		return full()
	}
	st.witness(e.At)
	return nil
}

// joinRow joins one row of an entry. The row may outgrow what a local write may
// leave, for no store can refuse what another has accepted. It returns the row
// as it was and as it is staged.
func (st *stage) joinRow(shard feature.Shard, view feature.ViewID, entity feature.Key, delta feature.Row) (current, joined feature.Row, err error) {
	if delta.IsEmpty() {
		return feature.Row{}, feature.Row{}, nil
	}
	key := string(appendRowKey(st.scratch[:0], shard, view, entity))
	if current, err = st.current(key); err != nil {
		return feature.Row{}, feature.Row{}, err
	}
	joined = feature.JoinRow(current, delta)
	return current, joined, st.setRow(key, joined, maxJoinedBytes)
}

// maxJoinedBytes is the largest row that the stores of a deployment may grow
// together: Badger keeps it with its key.
const maxJoinedBytes = valueThreshold - 1 - sumBytes

// witness raises the clock, so that local writes over what is joined are later.
func (st *stage) witness(at hlc.Timestamp) {
	if st.store.clock.Witness(at) != nil {
		st.ahead++
		st.latest = max(st.latest, at)
	}
}
