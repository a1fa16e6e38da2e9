package replication

import (
	"context"
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// relogBeyond reads a shard in chunks, and logs again what rows hold from beyond
// seals. What was logged again before stays as it is: a row joined with itself.
func (n *Node) relogBeyond(ctx context.Context, o RelogBeyond) error {
	for after := []byte(nil); ; {
		chunk, err := n.cfg.Store.ReadChunk(ctx, o.Shard, after, n.cfg.ChunkBytes)
		if err != nil {
			return err
		}
		var entries []oplog.Logged
		for _, r := range chunk.Rows {
			row, err := feature.DecodeRow(r.Row)
			if err != nil {
				return err
			}
			if at := youngestBeyond(row, o.Finals); at > 0 {
				entries = append(entries, oplog.Logged{Entry: oplog.Entry{
					At: at, Deps: n.heads(o.Shard), Rows: []oplog.Row{{View: r.View, Key: r.Key, Delta: row}},
				}})
			}
		}
		if len(entries) > 0 {
			if _, err := n.cfg.Store.Relog(ctx, o.Shard, entries); err != nil {
				return err
			}
		}
		if after = chunk.Next; after == nil {
			return nil
		}
	}
}

// heads are the last entries here of every log, as far as seals let them count.
// Not progress: should an origin end, its seal lies at its last entry, and not
// where its log was known to be complete.
func (n *Node) heads(shard feature.Shard) []hlc.Position {
	m := n.membership.Load()
	positions := n.cfg.Store.Heads(shard).Positions()
	for i, p := range positions {
		if end, ended := m.End(shard, p.Origin); ended {
			positions[i].At = min(p.At, end.Final)
		}
	}
	return slices.DeleteFunc(positions, func(p hlc.Position) bool { return p.At == 0 })
}

// youngestBeyond is the greatest timestamp in a row of an ended origin that lies
// beyond its seal, 0 when there is none.
func youngestBeyond(row feature.Row, finals hlc.Vector) hlc.Timestamp {
	var at hlc.Timestamp
	for p := range row.Positions() {
		if final, ended := finals[p.Origin]; ended && p.At > final {
			at = max(at, p.At)
		}
	}
	return at
}
