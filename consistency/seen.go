package consistency

import (
	"featurestore/feature"
	"featurestore/hlc"
)

// Seen returns what a session had seen, for the writes that it makes: what its
// token covers. Of the part of a log beyond its seal that no token can name (see
// Anchor), that is what is here once the token covers the seal. Nil says that
// the session is new. The function reads the token, which must not change
// meanwhile.
func (c *Coordinator) Seen(t *Token) func(feature.Shard, hlc.Position) bool {
	if t.IsEmpty() {
		return nil
	}
	held := *t // or a new session would pay for it too
	return func(shard feature.Shard, p hlc.Position) bool {
		if held.covers(shard, p) {
			return true
		}
		m := c.Membership()
		end, ended := m.End(shard, p.Origin)
		if !ended || p.At <= end.Final || end.Salvage.Has(p.At) {
			return false
		}
		return held.covers(shard, hlc.Position{Origin: p.Origin, At: end.Final})
	}
}

// covers reports whether a store that has what t names has p.
func (t *Token) covers(shard feature.Shard, p hlc.Position) bool {
	return p.At <= t.Floor(shard.Group) || t.names(shard, p)
}
