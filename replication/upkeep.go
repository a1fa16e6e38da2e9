package replication

import (
	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// truncate removes from the log what every member has, and bounds what is kept
// for those who have not. A member that is away cannot fill the disk: past the
// limits it misses entries, and is rebuilt when it is back.
func (c *Core) truncate() {
	for _, id := range c.order {
		if len(c.membership.Members) > 1 {
			for _, p := range c.everywhere(id).Positions() {
				c.emit(TruncateLog{Shard: id, Through: p})
			}
		}
		c.emit(LimitLog{Shard: id})
	}
}

// everywhere is what every member that holds a shard has told to have.
func (c *Core) everywhere(id feature.Shard) hlc.Vector {
	v := c.cfg.Local.Progress(id).Clone()
	for _, x := range c.membership.Members {
		if x.State == meta.Removed || x.Store == c.cfg.Self.Store || !c.holds(id)(x) {
			continue
		}
		p := c.peers[x.Store]
		if p == nil || !p.statusSeen {
			return nil
		}
		v = v.Floor(p.progress[id])
	}
	return v
}

// collect removes tombstones that no write anywhere can need any more (I7).
// That all members have applied a delete is not enough: one may hold an older
// put that it logged before it applied the delete, and that the others have
// not seen. Once all are past the delete by the grace, no entry can bring
// anything that old.
func (c *Core) collect() {
	for _, id := range c.order {
		stable, ok := c.stable(id)
		if !ok || !c.isWhole() {
			continue
		}
		grace := c.cfg.Grace
		if c.cfg.Faults.Has(fault.CollectOnceApplied) {
			grace = 0
		}
		horizon := hlc.New(stable.Millis()-grace.Milliseconds(), 0)
		if horizon > 0 {
			c.emit(Collect{Shard: id, Horizon: horizon})
		}
	}
}

// stable is the least safe time of any member that holds rows.
func (c *Core) stable(id feature.Shard) (hlc.Timestamp, bool) {
	if c.cfg.Faults.Has(fault.CollectOnceApplied) {
		stable := hlc.Timestamp(0)
		for _, at := range c.everywhere(id) {
			stable = max(stable, at)
		}
		return stable, stable > 0
	}
	at, _ := c.stableAt(id)
	return at, at > 0
}

// stableAt is stable, and which member has no more; zero while one was not
// heard of. A joining one counts: the logs may be cut before they bring it a
// delete, and a second copy, joined into the first, would not take the deleted
// row away once its tombstone is gone.
func (c *Core) stableAt(id feature.Shard) (at hlc.Timestamp, by meta.StoreID) {
	holds := c.holds(id)
	at, by = c.ownSafeTime(id), c.cfg.Self.Store
	for _, x := range c.membership.Members {
		if x.Origin == 0 || x.State == meta.Fenced || x.State == meta.Removed || x.Store == c.cfg.Self.Store || !holds(x) {
			continue
		}
		p := c.peers[x.Store]
		if p == nil || !p.statusSeen {
			return 0, x.Store
		}
		if theirs := c.safeTime(id, p.progress[id]); theirs < at {
			at, by = theirs, x.Store
		}
	}
	return at, by
}
