package online

import (
	"bytes"
	"context"
	"fmt"

	"featurestore/feature"
	"featurestore/hlc"
)

// collectRows bounds how many rows one commit of Collect changes.
const collectRows = 256

// Collect removes the tombstones of a shard that are below a horizon, as far as
// the views in force let them go (feature.View.EventBelow), and rows of which
// nothing is left. It first makes durable that tombstones below the horizon may
// be missing here; a lower horizon than before changes nothing about that.
//
// The horizon is the caller's claim: every store that holds the shard has
// everything that was accepted below it. Collect goes through all rows of the
// shard, which takes a while; writes go on meanwhile. When it fails some are
// removed. Errors are ctx's, and those of Append that concern queue and disk.
func (s *Store) Collect(ctx context.Context, shard feature.Shard, horizon hlc.Timestamp) error {
	err := s.queue.run(ctx, 0, func(ctx context.Context, c *committer) error { return c.raiseHorizon(ctx, shard, horizon) })
	if err != nil {
		return fmt.Errorf("collect in shard %d/%d: %w", shard.Group, shard.Partition, err)
	}
	var found chunk
	prefix := appendShard(nil, kindRow, shard)
	for from := prefix; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.readCurrent(&found, prefix, from); err != nil {
			return fmt.Errorf("collect in shard %d/%d: %w", shard.Group, shard.Partition, err)
		}
		keys, err := found.collectable(s.Registry(), horizon)
		for err == nil && len(keys) > 0 {
			some := keys[:min(len(keys), collectRows)]
			keys = keys[len(some):]
			err = s.queue.run(ctx, 0, func(ctx context.Context, c *committer) error { return c.collect(ctx, some, horizon) })
		}
		if err != nil {
			return fmt.Errorf("collect in shard %d/%d: %w", shard.Group, shard.Partition, err)
		}
		if !found.full() {
			return nil
		}
		last, _ := found.at(found.len() - 1)
		from = append(bytes.Clone(last), 0)
	}
}

// readCurrent reads keys from what is published now.
func (s *Store) readCurrent(c *chunk, prefix, from []byte) error {
	at := s.snapshots.pin()
	defer s.snapshots.unpin(at)
	return s.readChunk(c, at, prefix, from)
}

// collectable returns the keys of rows that would lose their tombstone.
func (c *chunk) collectable(r *feature.Registry, horizon hlc.Timestamp) ([][]byte, error) {
	limits := newLimits(r, horizon)
	var keys [][]byte
	for i := range c.len() {
		key, value := c.at(i)
		encoded, err := unseal(key, value)
		if err != nil {
			return nil, err
		}
		row, err := feature.ReadRow(encoded)
		if err != nil {
			return nil, &CorruptError{Key: bytes.Clone(key), Err: err}
		}
		if row.Tombstone().IsZero() {
			continue
		}
		_, drops, err := limits.collect(key, feature.Row{Tombstone: row.Tombstone()})
		if err != nil {
			return nil, err
		}
		if drops {
			keys = append(keys, bytes.Clone(key))
		}
	}
	return keys, nil
}

// limits are, by view, what of it may be collected at a horizon.
type limits struct {
	horizon hlc.Timestamp
	events  map[feature.ViewID]*int64
}

func newLimits(r *feature.Registry, horizon hlc.Timestamp) limits {
	l := limits{horizon: horizon, events: map[feature.ViewID]*int64{}}
	for _, project := range r.Projects() {
		catalog, ok := r.Catalog(project)
		if !ok {
			continue
		}
		for _, v := range catalog.Views() {
			l.events[v.ID] = v.EventBelow(horizon)
		}
	}
	return l
}

// collect is feature.Collect of the row under a key. Rows of a view that is not
// defined here keep everything.
func (l limits) collect(key []byte, row feature.Row) (feature.Row, bool, error) {
	k, err := decodeKey(key)
	if err != nil {
		return row, false, &CorruptError{Key: bytes.Clone(key), Err: err}
	}
	row, changed := feature.Collect(row, l.horizon, l.events[k.view])
	return row, changed, nil
}

// raiseHorizon makes a greater horizon durable.
func (c *committer) raiseHorizon(ctx context.Context, shard feature.Shard, horizon hlc.Timestamp) error {
	record := c.store.shards.get(shard)
	if record.horizon >= horizon {
		return nil
	}
	record.horizon = horizon
	return c.alone(ctx, func(st *stage) error {
		st.shardRecord(shard, record)
		return nil
	})
}

// collect looks at rows again, which may have changed since they were found,
// and takes their tombstones.
func (c *committer) collect(ctx context.Context, keys [][]byte, horizon hlc.Timestamp) error {
	limits := newLimits(c.store.Registry(), horizon)
	collected := 0
	for len(keys) > 0 {
		err := c.alone(ctx, func(st *stage) error {
			for len(keys) > 0 && st.sizeBytes < st.store.disk.maxBytes/4 {
				changed, err := st.collect(keys[0], limits)
				if err != nil {
					return err
				}
				if changed {
					collected++
				}
				keys = keys[1:]
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	c.store.metrics.collected.Add(ctx, int64(collected))
	return nil
}

// collect stages a row without its tombstone, if that may go.
func (st *stage) collect(key []byte, limits limits) (changed bool, err error) {
	row, err := st.current(string(key))
	if err != nil {
		return false, err
	}
	row, changed, err = limits.collect(key, row)
	switch {
	case err != nil || !changed:
		return false, err
	case row.IsEmpty():
		st.removeRow(string(key))
		return true, nil
	}
	return true, st.setRow(string(key), row, maxJoinedBytes)
}
