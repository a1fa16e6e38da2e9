package online

import (
	"context"
	"errors"
	"slices"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/replication/oplog"
)

// PatchRow joins a row into what is here without logging it, as read repair
// does in stores whose replicas are not logs. It is refused unless
// fault.PatchOutsideLog is planted: rows are the join of the log (S3).
func (s *Store) PatchRow(ctx context.Context, shard feature.Shard, view feature.ViewID, key feature.Key, row feature.Row) error {
	if !s.cfg.Faults.Has(fault.PatchOutsideLog) {
		return errors.New("patch row: rows are written through the log only")
	}
	return s.queue.run(ctx, len(key), func(ctx context.Context, c *committer) error {
		return c.alone(ctx, func(st *stage) error {
			_, _, err := st.joinRow(shard, view, key, row)
			return err
		})
	})
}

// joinTwice counts what a row of an entry brought once more.
func (st *stage) joinTwice(shard feature.Shard, r *oplog.Row) error {
	key := string(appendRowKey(st.scratch[:0], shard, r.View, r.Key))
	current, err := st.current(key)
	if err != nil || current.IsEmpty() {
		return err
	}
	return st.setRow(key, countTwice(current, r.Delta), maxJoinedBytes)
}

// countTwice adds the totals of a delta to the counters of a row that has them
// already: fault.CountTwice.
func countTwice(row, delta feature.Row) feature.Row {
	row.Cells = slices.Clone(row.Cells)
	for i := range row.Cells {
		again, ok := delta.Cell(row.Cells[i].Feature)
		if !ok || again.Rule != feature.Counter {
			continue
		}
		row.Cells[i].Totals = slices.Clone(row.Cells[i].Totals)
		for j := range row.Cells[i].Totals {
			t := &row.Cells[i].Totals[j]
			for _, d := range again.Totals {
				if d.Origin == t.Origin && d.Sum.Type().Kind == feature.Int64 {
					t.Sum = feature.OfInt64(t.Sum.Int() + d.Sum.Int())
				}
			}
		}
	}
	return row
}
