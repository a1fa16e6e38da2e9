package replication

import (
	"errors"
	"fmt"
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// ErrNotHome reports a change of the membership that was asked of a store that
// is not its home. Nothing changed.
var ErrNotHome = errors.New("this store is not the home of the membership")

// NotHomeError names the home. It matches ErrNotHome.
type NotHomeError struct{ Home meta.StoreID }

// Error implements error.
func (e *NotHomeError) Error() string { return fmt.Sprintf("%v: ask store %q", ErrNotHome, e.Home) }

// Is matches ErrNotHome.
func (e *NotHomeError) Is(target error) bool { return target == ErrNotHome }

// ErrBusy reports a change of the membership while another is on its way to the
// disk. Nothing changed; repeating it is safe.
var ErrBusy = errors.New("another change of the membership is under way")

// Propose changes the membership, at its home. The document that change returns
// holds once a Keep with it was answered by Kept.
func (c *Core) Propose(change func(*meta.Membership, meta.Rules) (*meta.Membership, error)) (*meta.Membership, []Output, error) {
	switch {
	case c.membership == nil:
		return nil, nil, &NotHomeError{}
	case !c.isHome():
		return nil, nil, &NotHomeError{Home: c.membership.Home}
	case c.keeping != nil:
		return nil, nil, ErrBusy
	}
	next, err := change(c.membership, c.rules())
	if err != nil || next == c.membership {
		return next, nil, err
	}
	c.keep(next)
	return next, c.take(), nil
}

// ProposeHome makes this store the home, on an operator's word.
func (c *Core) ProposeHome() (*meta.Membership, []Output, error) {
	if c.membership == nil || c.keeping != nil {
		return nil, nil, ErrBusy
	}
	next, err := c.membership.TakeOver(c.cfg.Self.Store)
	if err != nil {
		return nil, nil, err
	}
	c.keep(next)
	return next, c.take(), nil
}

func (c *Core) keep(m *meta.Membership) {
	c.keeping = m
	c.emit(Keep{Membership: m})
}

// found makes the first document. A deployment begins when all its stores are
// up: one that could not see the others might begin a second.
func (c *Core) found() {
	if c.membership != nil || c.keeping != nil || !c.cfg.Founder || c.now.Mono < c.nextKeep {
		return
	}
	for _, region := range c.cfg.Founding {
		if !c.isUnfounded(region) {
			return
		}
	}
	c.keep(meta.Found(c.cfg.Self))
}

// isUnfounded reports whether a store of a region has told that it knows of no
// membership.
func (c *Core) isUnfounded(region meta.Region) bool {
	for _, p := range c.peers {
		if p.hello.Member.Region == region && p.statusSeen && p.membership.Epoch == 0 {
			return true
		}
	}
	return false
}

// hear takes a document of another store.
func (c *Core) hear(m *meta.Membership) {
	if c.membership != nil && m.Compare(c.membership) <= 0 || c.keeping != nil && m.Compare(c.keeping) <= 0 {
		return
	}
	c.keep(m)
}

// lineOf is the line of definitions that a store makes: that of the membership
// whose home it is; zero when it is none.
func lineOf(self meta.StoreID, m *meta.Membership) feature.Line {
	if m.Home != self {
		return feature.Line{}
	}
	return feature.Line{Epoch: m.Epoch, Home: string(m.Home)}
}

// deposed says what became of a store that was the home when it takes another
// document, "" when nothing did.
func deposed(self meta.StoreID, old, next *meta.Membership) string {
	switch {
	case old == nil || old.Home != self || next.Home == self:
		return ""
	case old.Epoch == next.Epoch:
		return "another store took over as the home at the same time, and its membership holds; what this one changed since it took over is void"
	}
	return "another store has taken over as the home; what this one changed and the other had not seen is void"
}

// kept puts a document into force.
func (c *Core) kept(in Kept) {
	if c.keeping == in.Membership {
		c.keeping = nil
	}
	if in.Err != nil {
		c.nextKeep = c.now.Mono + c.cfg.Stall // a disk that is full is still full
		return
	}
	if c.membership != nil && in.Membership.Compare(c.membership) <= 0 {
		return
	}
	before := c.membership
	c.membership = in.Membership
	c.bind(before)
	for _, p := range c.peers {
		p.introduced = false
	}
}

// lead is what the home does: it takes in who has said hello, and takes the
// steps that what it heard allows.
func (c *Core) lead() {
	if !c.isHome() || c.keeping != nil || c.now.Mono < c.nextKeep {
		return
	}
	// It may have moved since the document was written.
	if next, err := c.membership.Introduce(c.cfg.Self, false); err == nil && next != c.membership {
		c.keep(next)
		return
	}
	for _, p := range c.peers {
		if next := c.membership.Outrun(p.membership); next != c.membership {
			c.keep(next)
			return
		}
		if p.introduced || p.hello.Member.Origin == 0 {
			continue
		}
		x := p.hello.Member
		next, err := c.membership.Introduce(x, c.cfg.Invited != nil && c.cfg.Invited(x))
		if err == nil && next != c.membership {
			c.keep(next)
			return
		}
		p.introduced = true
	}
	shards := func(x meta.Member) []feature.Shard { return c.cfg.Local.Shards(x.Region) }
	next := c.membership.Advance(c.heardOf, shards, c.rules())
	if next == c.membership {
		next = c.firstLeaders()
	}
	if next != c.membership {
		c.keep(next)
	}
}

// heardOf is what a member told of itself last; of this store, what is so.
func (c *Core) heardOf(id meta.StoreID) (meta.Heard, bool) {
	if id == c.cfg.Self.Store {
		return meta.Heard{
			Version: c.told, Whole: c.isWhole(),
			Head:   func(s feature.Shard, o hlc.Origin) hlc.Timestamp { return c.cfg.Local.Heads(s)[o] },
			Covers: func(s feature.Shard, p hlc.Position) bool { return c.cfg.Local.Progress(s).CoversPosition(p) },
		}, true
	}
	p := c.peers[id]
	if p == nil || !p.statusSeen {
		return meta.Heard{}, false
	}
	whole := p.whole
	if x, ok := c.membership.Member(id); ok && x.State == meta.Joining {
		whole = whole && c.admits(x, p)
	}
	return meta.Heard{
		Version: p.membership, Whole: whole,
		Head:   func(s feature.Shard, o hlc.Origin) hlc.Timestamp { return p.heads[s][o] },
		Covers: func(s feature.Shard, q hlc.Position) bool { return p.progress[s].CoversPosition(q) },
	}, true
}

// obey brings the store in line with the document in force, and lets others
// rely on its revision once that is done.
func (c *Core) obey() {
	if c.membership == nil {
		return
	}
	x := c.self()
	allowed := c.isMember() && x.State == meta.Active && !c.fencedClock && c.outdated == ""
	c.setLeading()
	c.setWriting(allowed)
	if !c.obeysTerms() || c.writing.pending || c.writing.allowed != allowed {
		return
	}
	for _, y := range c.membership.Members {
		if y.State == meta.Fenced && c.isLanding(y) { // what was taken before the fence lands first
			return
		}
	}
	c.told = c.membership.Version()
}

// isLanding reports whether something is on its way into the store that is not
// taken any more of a fenced member: its own log, what it passed on of logs that
// have ended, and rows.
func (c *Core) isLanding(fenced meta.Member) bool {
	for _, id := range c.order {
		s := c.shards[id]
		if s.flight[fenced.Origin] > 0 || s.rebuild != nil && s.rebuild.joining && s.rebuild.sender == fenced.Store {
			return true
		}
		for _, seal := range c.membership.Seals {
			if s.flight[seal.Origin] > 0 {
				return true
			}
		}
		if t, led := c.membership.Term(id); led && slices.ContainsFunc(t.Ended, func(e meta.TermEnd) bool { return s.flight[e.Origin] > 0 }) {
			return true
		}
	}
	return false
}

// recall looks at how far another store has this one's own log. A time after
// all that the directory knew of when this life began, and before anything of
// this life, was told by a life that the directory has not seen: it is an older
// copy, and lacks what others have under its origin (I10).
func (c *Core) recall(at hlc.Timestamp) {
	if c.outdated != "" || c.cfg.Begun == 0 || at <= c.cfg.Begun || c.first > 0 && at >= c.first {
		return
	}
	id := c.cfg.Self.Store
	c.outdated = fmt.Sprintf("others have the log of store %s up to %v, and its directory ends at %v: it is an older copy; evict the store, so that it is built anew: featurestore members evict %s --yes", id, at, c.cfg.Begun, id)
}

func (c *Core) setWriting(allowed bool) {
	if c.writing.pending || c.writing.allowed == allowed {
		return
	}
	c.writing.allowed, c.writing.pending = allowed, true
	c.emit(SetWriting{Allowed: allowed})
}
