package replication

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"featurestore/meta"
)

// dialing is whom an address is dialed for, and how to stop.
type dialing struct {
	peer   meta.Member
	cancel context.CancelFunc
}

// accept takes conversations that peers begin.
func (n *Node) accept(ctx context.Context) error {
	for {
		c, err := n.cfg.Transport.Accept(ctx, n.hello)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		n.wg.Go(func() { n.links.converse(ctx, c, true) })
	}
}

// hello is how this store introduces itself.
func (n *Node) hello() Hello {
	x := n.cfg.Self
	if y, ok := n.membership.Load().Member(x.Store); ok && y.Origin == x.Origin {
		x.State = y.State
	}
	return Hello{Member: x, Deployment: n.cfg.Deployment, Incarnation: n.cfg.Incarnation}
}

// dialMembers begins to dial every member, and every seed whose region has no
// member yet, and stops dialing those that are gone. Where a store was put in
// the place of another, its address is dialed for the new one.
func (k *links) dialMembers(ctx context.Context) {
	want := k.node.addresses()
	k.mu.Lock()
	defer k.mu.Unlock()
	for address, d := range k.mu.dialing {
		if x, ok := want[address]; !ok || d.peer.Store != "" && d.peer.Store != x.Store {
			d.cancel()
			delete(k.mu.dialing, address)
		}
	}
	for _, address := range slices.Sorted(maps.Keys(want)) {
		if k.mu.dialing[address].cancel != nil {
			continue
		}
		peer := want[address]
		ctx, cancel := context.WithCancel(ctx)
		k.mu.dialing[address] = dialing{peer, cancel}
		k.node.wg.Go(func() { k.dial(ctx, peer) })
	}
}

// addresses are the peers to dial.
func (n *Node) addresses() map[string]meta.Member {
	out := map[string]meta.Member{}
	known := map[meta.Region]bool{}
	for _, x := range n.membership.Load().Members {
		if x.Store == n.cfg.Self.Store || x.State == meta.Removed {
			continue
		}
		known[x.Region] = true
		if x.Address = n.addressOf(x); x.Address != "" {
			out[x.Address] = x
		}
	}
	for _, s := range n.cfg.Seeds {
		if !known[s.Region] && s.Region != n.cfg.Self.Region {
			out[s.Address] = s
		}
	}
	return out
}

func (n *Node) addressOf(x meta.Member) string {
	for _, s := range n.cfg.Seeds {
		if s.Region == x.Region && (s.Store == "" || s.Store == x.Store) {
			return s.Address
		}
	}
	return x.Address
}

// dial keeps up a conversation with one peer until ctx ends.
func (k *links) dial(ctx context.Context, peer meta.Member) {
	n := k.node
	wait := n.cfg.Reconnect
	for ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, max(n.cfg.ReconnectMax, 4*n.cfg.Stall))
		c, err := n.cfg.Transport.Dial(attempt, peer, n.hello())
		cancel()
		if err == nil {
			wait = n.cfg.Reconnect
			k.converse(ctx, c, false)
		} else if !errors.Is(err, context.Canceled) {
			n.cfg.Logger.Debug("peer is not reached", "peer", peer.Store, "region", peer.Region, "address", peer.Address, "error", err)
		}
		timer := time.NewTimer(wait/2 + rand.N(wait/2+1))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		wait = min(2*wait, n.cfg.ReconnectMax)
	}
}
