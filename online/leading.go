package online

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// ErrNotLeading reports a write to a shard that another store leads, or nobody
// yet. Nothing was written.
var ErrNotLeading = errors.New("another store leads the shard")

// SetLeading says which shards of leader groups this store leads, those alone,
// each under an origin that nobody else writes. It returns once every write that
// was begun before is published or has failed, so that afterwards the heads of
// terms that it leads no more stand still, and each new term has a first entry:
// without rows, and after the positions that are given for its shard, so that
// whoever has anything of the term has all of that (I13).
//
// A store that was never told leads all shards under its own origin: it is alone.
// Leads must not change afterwards. Errors are those of Append that concern disk
// and clock; then nothing changed.
func (s *Store) SetLeading(ctx context.Context, leads map[feature.Shard]hlc.Origin, after map[feature.Shard][]hlc.Position) error {
	return s.queue.run(ctx, 0, func(ctx context.Context, c *committer) error {
		if err := c.beginTerms(ctx, leads, after); err != nil {
			return fmt.Errorf("begin to lead: %w", err)
		}
		s.leading.Store(&leads)
		return nil
	})
}

// beginTerms writes the first entries of the terms that have none.
func (c *committer) beginTerms(ctx context.Context, leads map[feature.Shard]hlc.Origin, after map[feature.Shard][]hlc.Position) error {
	begin := false
	for shard, origin := range leads {
		begin = begin || c.store.progress.shard(shard).heads[origin] == 0
	}
	if !begin {
		return nil
	}
	_, _ = c.store.closeUpToNow() // as before a batch of writes
	c.store.assigning.Lock()
	defer c.store.assigning.Unlock()
	return c.alone(ctx, func(st *stage) error {
		for _, shard := range slices.SortedFunc(maps.Keys(leads), feature.Shard.Compare) {
			log := logID{shard: shard, origin: leads[shard]}
			if st.head(log).entry > 0 {
				continue
			}
			for _, p := range after[shard] { // or it would be earlier than what it follows
				if err := st.store.clock.Witness(p.At); err != nil {
					return err
				}
			}
			own, err := st.own(log, oplog.Entry{Kind: oplog.Noop, Deps: after[shard]})
			if err != nil {
				return err
			}
			j := &joining{iv: oplog.Interval{Shard: shard, Origin: log.origin, Entries: []oplog.Logged{own}}}
			if err := st.joinEntry(log, j); err != nil {
				return err
			}
		}
		return nil
	})
}

// IsLed reports whether a group's shards are each written by one leader.
func (s *Store) IsLed(id feature.GroupID) bool {
	g := s.Registry().Group(id)
	return g != nil && g.Placement == feature.Leader
}

// writes returns the origin under which this store writes a shard.
func (s *Store) writes(shard feature.Shard) (hlc.Origin, error) {
	leading := s.leading.Load()
	if leading == nil || !s.IsLed(shard.Group) {
		return s.identity.Origin, nil
	}
	if origin, leads := (*leading)[shard]; leads {
		return origin, nil
	}
	return 0, ErrNotLeading
}

// isOwn reports whether this store, and nobody else, writes a log now.
func (s *Store) isOwn(log logID) bool {
	if log.origin == s.identity.Origin {
		return true
	}
	leading := s.leading.Load()
	return leading != nil && (*leading)[log.shard] == log.origin
}

// Cut removes the entries of a log beyond a position, where the log has ended
// there: what they brought stays in the rows, and has been logged again. Progress
// goes back to the position. Errors are those of Append that concern queue and
// disk.
func (s *Store) Cut(ctx context.Context, shard feature.Shard, end hlc.Position) error {
	log := logID{shard: shard, origin: end.Origin}
	if err := s.truncation.begin(ctx); err != nil {
		return err
	}
	defer s.truncation.end()
	for {
		tail, err := s.youngest(log, end.At)
		if err != nil {
			return fmt.Errorf("cut the log of %v in shard %d/%d: %w", log.origin, shard.Group, shard.Partition, err)
		}
		// From the end, so that what is left is whole after each step.
		to, last := end, len(tail) < maxDropped
		if !last {
			to.At, tail = tail[0].at, tail[1:]
		}
		err = s.queue.run(ctx, 0, func(ctx context.Context, c *committer) error { return c.cut(ctx, log, tail, to) })
		if err != nil || last {
			return err
		}
	}
}

// cut removes the last entries of a log, after which it ends at a position.
func (c *committer) cut(ctx context.Context, log logID, tail []oldEntry, to hlc.Position) error {
	if c.store.isOwn(log) {
		return fmt.Errorf("%w: the log of %v has not ended", oplog.ErrInvalid, log.origin)
	}
	err := c.alone(ctx, func(st *stage) error {
		for i := range tail {
			st.drop(&tail[i])
		}
		key := appendProgressKey(nil, log.shard, log.origin)
		st.record(key, appendProgress(nil, key, to.At, to.At))
		return nil
	})
	if err == nil {
		c.store.progress.lower(log.shard, to)
	}
	return err
}
