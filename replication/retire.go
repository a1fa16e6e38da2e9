package replication

import "featurestore/meta"

// A store whose log has ended begins anew, under another origin. Before that it
// hands over what it wrote beyond its seal: that is not of the deployment any
// more, though clients may have been told "local".

// isRetiring reports whether this life ends, and whether the store left in order.
func (c *Core) isRetiring() (retiring, drained bool) {
	x, ok := c.membership.Member(c.cfg.Self.Store)
	_, sealed := c.membership.Sealed(c.cfg.Self.Origin)
	if !ok || !sealed || x.State != meta.Removed && x.Origin == c.cfg.Self.Origin || c.writing.allowed || c.writing.pending {
		return false, false
	}
	return true, x.Drained
}

// retire hands over what lies beyond the ends of logs, and then ends this life if
// it is over.
func (c *Core) retire() {
	if c.membership == nil || c.retired {
		return
	}
	retiring, drained := c.isRetiring()
	if !retiring {
		c.orphaned = nil // what sealed it is void
	}
	c.findTails(retiring, drained)
	if len(c.leading.terms) > 0 {
		c.openTerms()
	}
	if open := c.handOver(retiring); retiring && !open {
		c.retired = true
		c.emit(Retired{Drained: drained, Kept: c.orphaned})
	}
}
