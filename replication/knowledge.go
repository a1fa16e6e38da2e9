package replication

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// What a node knows, for those who decide about reads and writes. Vectors and
// documents that are returned are shared and must not be modified.

// Membership returns the document in force here; an empty one, of revision
// zero, before any is known.
func (n *Node) Membership() *meta.Membership { return n.membership.Load() }

// Acked returns how far a member has told to have come in a shard, durably;
// nil when it was not heard of. For an entry that it covers, that member has
// acknowledged it.
func (n *Node) Acked(store meta.StoreID, shard feature.Shard) hlc.Vector {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if p := n.mu.core.peers[store]; p != nil {
		return p.progress[shard]
	}
	return nil
}

// Changed returns a channel that is closed at the next change of what Acked or
// Membership tells.
func (n *Node) Changed() <-chan struct{} {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.mu.changed
}

// Reach returns how long a round trip to a member takes, and whether it was
// heard lately.
func (n *Node) Reach(store meta.StoreID) (roundTrip time.Duration, live bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	p := n.mu.core.peers[store]
	if p == nil || !p.dialed {
		return 0, false
	}
	return p.clock.roundTrip, p.isReached(time.Since(n.began), n.cfg.Stall)
}

// AsOf returns for how long it is certain that everything which an origin's
// store accepted longer ago is stamped at or before a timestamp; false when
// nothing was heard that says so. It compares no clocks (see Fresh).
func (n *Node) AsOf(o hlc.Origin, at hlc.Timestamp) (ago time.Duration, ok bool) {
	facts := n.facts.Load()
	if facts == nil {
		return 0, false
	}
	since, ok := asOf((*facts)[o], at)
	return time.Since(n.began) - since, ok
}

// Leads returns from which position on this store leads a shard, under the origin
// of its term; false when it does not.
func (n *Node) Leads(shard feature.Shard) (from hlc.Position, leads bool) {
	terms := n.leading.Load()
	if terms == nil {
		return hlc.Position{}, false
	}
	from, leads = (*terms)[shard]
	return from, leads
}

// HasLease reports whether nobody else can lead a shard that this store leads.
func (n *Node) HasLease(shard feature.Shard) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.mu.core.hasLease(shard, time.Since(n.began))
}

// Writable returns nil while clients' writes are taken, else why they are not:
// an error that matches ErrNotWriting, and ErrClockOff where that is why.
func (n *Node) Writable() error {
	if n.writing.Load() {
		return nil
	}
	return *n.refusal.Load()
}

// NotWriting returns why clients' writes are not taken now, "" while they are.
func (n *Node) NotWriting() string {
	if err := n.Writable(); err != nil {
		return err.Error()
	}
	return ""
}

// Active returns nil once this store takes writes, or ctx's error.
func (n *Node) Active(ctx context.Context) error {
	for n.NotWriting() != "" {
		n.mu.RLock()
		writing := n.mu.writing
		n.mu.RUnlock()
		if n.NotWriting() == "" {
			return nil
		}
		select {
		case <-writing:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Change changes the membership, at its home, and returns it once it is kept.
// Errors: meta.ErrRefused, ErrNotHome, or ctx's.
func (n *Node) Change(ctx context.Context, change func(*meta.Membership, meta.Rules) (*meta.Membership, error)) (*meta.Membership, error) {
	return n.propose(ctx, func(c *Core) (*meta.Membership, []Output, error) { return c.Propose(change) })
}

// TakeHome makes this store the home of the membership and the definitions. It
// is for an operator whose home is gone for good.
func (n *Node) TakeHome(ctx context.Context) (*meta.Membership, error) {
	return n.propose(ctx, (*Core).ProposeHome)
}

func (n *Node) propose(ctx context.Context, propose func(*Core) (*meta.Membership, []Output, error)) (*meta.Membership, error) {
	for {
		n.mu.Lock()
		next, out, err := propose(n.mu.core)
		kept := n.mu.kept
		n.mu.Unlock()
		if err != nil && !errors.Is(err, ErrBusy) {
			return nil, err
		}
		if err == nil {
			n.do(ctx, out, 0)
			if m := n.membership.Load(); next.Compare(m) <= 0 {
				return m, nil
			}
		}
		select {
		case <-kept:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if err == nil {
			return n.membership.Load(), nil
		}
	}
}

// View returns what is known now, for people to look at.
func (n *Node) View() View {
	n.mu.RLock()
	defer n.mu.RUnlock()
	c := n.mu.core
	v := View{Membership: c.membership, Registry: c.cfg.Local.RegistryVersion().Revision, LogBytes: map[feature.Shard]int64{}}
	for _, id := range c.order {
		v.LogBytes[id] = n.cfg.Store.LogBytes(id)
	}
	now := n.instant()
	for _, id := range slices.Sorted(maps.Keys(c.peers)) {
		p := c.peers[id]
		out := PeerView{
			Member: p.hello.Member, Live: p.isReached(now.Mono, n.cfg.Stall),
			RoundTrip: p.clock.roundTrip, ClockOffset: p.clock.offset, ClockAhead: p.clock.ahead(n.cfg.MaxSkew),
			Progress: maps.Clone(p.progress), Membership: p.membership, Registry: p.registry.Revision,
		}
		if c.membership != nil {
			if x, ok := c.membership.Member(id); ok {
				out.Member = x
			}
		}
		if p.ever {
			out.Heard = now.Wall.Add(p.heard - now.Mono)
		}
		for _, o := range slices.Sorted(maps.Keys(c.following)) {
			if c.following[o].peer == id {
				out.Following = append(out.Following, o)
			}
		}
		v.Peers = append(v.Peers, out)
	}
	return v
}

// IsRebuilding reports whether anything is being rebuilt here.
func (n *Node) IsRebuilding() bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return !n.mu.core.isWhole()
}

// IsWhole reports whether a shard is not being rebuilt here: then its rows are no
// more than the join of the logs here.
func (n *Node) IsWhole(shard feature.Shard) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	s := n.mu.core.shards[shard]
	return s != nil && s.rebuild == nil && !n.mu.core.hasTail(shard)
}
