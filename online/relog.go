package online

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// Relog logs the rows of entries that another store wrote, in their order,
// again under this store's origin, with the versions they had, joins them, and
// returns the position of the last entry once all are durable and published.
// Whether the versions are young enough to be logged again is the caller's
// question.
//
// An entry's dependencies are kept as far as they are here; others may never
// come. Entries without rows, and those for history alone, which a relog cannot
// say, are left out; when none is left, an entry without rows gives the
// position. When it fails some of them may have been logged, which harms
// nothing: joins repeat harmlessly. Errors are oplog.ErrInvalid, and those of
// Append that concern queue, disk and size.
func (s *Store) Relog(ctx context.Context, shard feature.Shard, entries []oplog.Logged) (hlc.Position, error) {
	var last hlc.Position
	for {
		n, size := 0, 0
		for ; n < len(entries) && (n == 0 || size+len(entries[n].Raw) <= s.disk.maxBytes/4); n++ {
			size += len(entries[n].Raw)
		}
		var some []oplog.Entry
		for i := range entries[:n] {
			if e := &entries[i]; !e.LogOnly && len(e.Rows) > 0 {
				some = append(some, oplog.Entry{Kind: oplog.Relog, At: e.At, Deps: e.Deps, Rows: e.Rows})
			}
		}
		entries = entries[n:]
		if len(entries) == 0 && len(some) == 0 && last.At == 0 {
			some = []oplog.Entry{{Kind: oplog.Noop}}
		}
		err := s.queue.run(ctx, size, func(ctx context.Context, c *committer) error {
			at, err := c.relog(ctx, shard, some)
			if at.At > last.At {
				last = at
			}
			return err
		})
		if err != nil {
			return hlc.Position{}, fmt.Errorf("log again in shard %d/%d: %w", shard.Group, shard.Partition, err)
		}
		if len(entries) == 0 {
			return last, nil
		}
	}
}

// relog appends entries to the own log, in as few commits as they fit.
func (c *committer) relog(ctx context.Context, shard feature.Shard, entries []oplog.Entry) (last hlc.Position, err error) {
	if err := c.store.disk.health(); err != nil {
		return hlc.Position{}, err
	}
	origin, err := c.store.writes(shard)
	if err != nil {
		return hlc.Position{}, err
	}
	_, _ = c.store.closeUpToNow() // as before a batch of writes
	c.store.assigning.Lock()
	defer c.store.assigning.Unlock()
	defer c.stage.reset()
	log := logID{shard: shard, origin: origin}
	for _, e := range entries {
		own, err := c.stage.own(log, e)
		if err != nil {
			return hlc.Position{}, err
		}
		j := &joining{iv: oplog.Interval{Shard: shard, Origin: log.origin, Entries: []oplog.Logged{own}}}
		err = c.stage.joinEntry(log, j)
		for errors.Is(err, errFull) {
			if err = c.flush(ctx); err == nil {
				err = c.stage.joinEntry(log, j)
			}
		}
		if err != nil {
			return hlc.Position{}, err
		}
		last = own.Position()
	}
	return last, c.flush(ctx)
}

// own makes e an entry of the own log, later than what it brings.
func (st *stage) own(log logID, e oplog.Entry) (oplog.Logged, error) {
	st.witness(e.At)
	here := st.store.progress.vector(log.shard)
	e.Deps = slices.DeleteFunc(slices.Clone(e.Deps), func(p hlc.Position) bool {
		return p.Origin == log.origin || !here.CoversPosition(p)
	})
	at, err := st.store.clock.Now()
	if err != nil {
		return oplog.Logged{}, err
	}
	e.At, e.Origin, e.Prev = at, log.origin, st.head(log).entry
	if err := e.Validate(); err != nil {
		return oplog.Logged{}, err
	}
	raw := oplog.Append(nil, e)
	if len(raw) >= valueThreshold {
		return oplog.Logged{}, &TooLargeError{What: "log entry", Bytes: len(raw), Limit: valueThreshold - 1}
	}
	return oplog.Logged{Entry: e, Raw: raw}, nil
}
