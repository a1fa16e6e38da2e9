package consistency

import (
	"featurestore/feature"
	"featurestore/hlc"
)

// Anchor gives rows that were just read here a place in the logs, where their
// versions name none: an evicted store wrote them beyond its seal, and they were
// kept though not all of that tail was. Whoever reads such a row has seen no more
// than this store has now, and no store can tell by the version that it has the
// row. What the session brought stays: of that it may have seen what is lost. So
// do versions in a shard that is being copied: the rows hold more than the logs
// until what lies beyond seals is logged again.
func (c *Coordinator) Anchor(t, brought *Token) {
	if c.isAlone {
		return
	}
	m := c.Membership()
	if len(m.Seals) == 0 {
		return
	}
	var shards []feature.Shard
	t.drop(func(shard feature.Shard, p hlc.Position) bool {
		seal, ended := m.Sealed(p.Origin)
		if !ended || p.At <= seal.Final[shard] || seal.Salvage[shard].Has(p.At) || brought.names(shard, p) || !c.peers.IsWhole(shard) {
			return false
		}
		shards = append(shards, shard)
		return true
	})
	for _, shard := range shards {
		brought.Positions(shard, func(p hlc.Position) bool {
			t.Note(shard, p)
			return true
		})
		// Not progress: should an origin end, its seal lies at its last entry, and
		// not where its log was known to be complete.
		for o, at := range c.cfg.Store.Heads(shard) {
			if limit, _ := m.Limit(shard, o); limit < at {
				at = limit
			}
			t.Note(shard, hlc.Position{Origin: o, At: at})
		}
	}
}

// names reports whether t has a position that p says no more than.
func (t *Token) names(shard feature.Shard, p hlc.Position) bool {
	named := false
	t.Positions(shard, func(q hlc.Position) bool {
		named = q.Origin == p.Origin && q.At >= p.At
		return !named
	})
	return named
}
