package consistency

import (
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// Stamp readies a token for the way to its session: a floor that was made here
// gets the revision of the membership whose origins it spans.
func (c *Coordinator) Stamp(t *Token) {
	if t.folded {
		t.folded, t.Revision = false, max(t.Revision, c.Membership().Revision)
	}
}

// Trim is Stamp, and of more than a few positions those go that every member
// has: no read waits for them. What a session had seen (Seen) is less then.
func (c *Coordinator) Trim(t *Token) {
	c.Stamp(t)
	if c.isAlone || len(t.positions) <= keptPositions {
		return
	}
	at := c.world()
	old := hlc.FromTime(time.Unix(0, c.cfg.Now()).Add(-pruneAge))
	t.drop(func(shard feature.Shard, p hlc.Position) bool {
		return p.At < old && c.isEverywhere(at, shard, p)
	})
}

// keptPositions is how many positions a token carries without a look at which
// of them it needs. Only positions older than pruneAge are dropped: a store that
// began to join meanwhile, and that this one has not heard of, has them from
// whom it joins.
const (
	keptPositions = 8
	pruneAge      = time.Minute
)

// isEverywhere reports whether every member that may answer reads, now or once
// it has joined, has a position.
func (c *Coordinator) isEverywhere(w world, shard feature.Shard, p hlc.Position) bool {
	have := c.cfg.Store.Replica(shard)
	have.Origins.Membership = w.membership
	if covered, _ := CoveredPosition(have.Progress, have.Origins, shard, p); covered != Covered {
		return false
	}
	g := w.group(shard.Group)
	for _, m := range w.membership.Members {
		if m.State != meta.Removed && m.Store != w.self.Store && holds(g, m.Region) && !w.acked(m.Store, shard, p) {
			return false
		}
	}
	return true
}
