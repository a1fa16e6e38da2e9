package simulation

import (
	"context"
	"fmt"
	"time"

	"featurestore/feature"
	"featurestore/meta"
	"featurestore/replication/oplog"
)

// Settle waits until nothing moves any more: every store has every entry that any
// of them has, and nothing is being rebuilt. The caller has healed the links
// and started the stores. It fails when that takes too long: something is stuck.
func (c *Cluster) Settle(ctx context.Context) error {
	if err := c.until(ctx, "everything has come to rest", c.settled); err != nil {
		return fmt.Errorf("%w: %s", err, c.describe())
	}
	return nil
}

func (c *Cluster) settled() bool {
	running := c.running()
	for _, r := range running {
		x, ok := r.Node.Membership().Member(storeOf(r.Region))
		if !ok || x.State != meta.Active || r.Node.NotWriting() != "" || r.Node.IsRebuilding() {
			return false
		}
		if r.Node.Membership().Compare(running[0].Node.Membership()) != 0 || r.Store.Registry().Version() != running[0].Store.Registry().Version() {
			return false
		}
		for _, other := range running {
			if _, live := r.Node.Reach(storeOf(other.Region)); !live && other != r {
				return false
			}
			for _, shard := range r.Store.Shards(r.Region) {
				if !c.covers(r, other, shard) {
					return false
				}
			}
		}
	}
	return true
}

// covers reports whether a store has everything of a shard that another has
// and that counts.
func (c *Cluster) covers(r, other *Replica, shard feature.Shard) bool {
	have := r.Store.Progress(shard)
	for _, p := range other.Store.Heads(shard).Positions() {
		if seal, ok := r.Node.Membership().Sealed(p.Origin); ok {
			p.At = min(p.At, seal.Final[shard])
		}
		if !have.CoversPosition(p) {
			return false
		}
	}
	return true
}

// describe says where every store stands, for an error.
func (c *Cluster) describe() string {
	text := ""
	for _, r := range c.running() {
		m := r.Node.Membership()
		x, _ := m.Member(storeOf(r.Region))
		text += fmt.Sprintf("\n  %s: %v, membership %d.%d, not writing %q, rebuilding %v", r.Region, x.State, m.Epoch, m.Revision, r.Node.NotWriting(), r.Node.IsRebuilding())
		for _, shard := range r.Store.Shards(r.Region) {
			text += fmt.Sprintf("\n    %d/%d progress %v heads %v", shard.Group, shard.Partition, r.Store.Progress(shard), r.Store.Heads(shard))
		}
	}
	return text
}

// Gather puts together what checkers need, from a cluster at rest.
func (c *Cluster) Gather(ctx context.Context, h *History, drivers int64) (*Evidence, error) {
	e := &Evidence{
		Operations: h.Operations(), Deletes: map[int64][]feature.Row{}, Expected: map[int64]feature.Row{},
		Final: map[meta.Region]map[int64]feature.Row{},
	}
	running := c.running()
	e.Membership = running[0].Node.Membership()
	byKey := map[string]int64{}
	for d := range drivers {
		byKey[string(keyOf(d))] = d
	}
	for _, r := range running {
		for _, shard := range r.Store.Shards(r.Region) {
			if err := c.ledger.gather(ctx, r.Store, shard); err != nil {
				return nil, err
			}
		}
		if len(r.Store.Shards(r.Region)) == 0 {
			continue // its region may not hold the rows
		}
		rows := map[int64]feature.Row{}
		for d := range drivers {
			row, err := r.row(ctx, d)
			if err != nil {
				return nil, err
			}
			rows[d] = row
		}
		e.Final[r.Region] = rows
	}
	c.ledger.all(func(shard feature.Shard, entry oplog.Entry) {
		e.Join(shard, entry, func(k feature.Key) int64 { return byKey[string(k)] })
	})
	return e, c.compare(ctx, running, e)
}

// compare has every store compare its rows with the others', as operators do.
func (c *Cluster) compare(ctx context.Context, running []*Replica, e *Evidence) error {
	// What is compared lies before the safe time, which moves on by itself.
	if err := sleep(ctx, 2*time.Second); err != nil {
		return err
	}
	for _, r := range running {
		var err error
		for range 20 { // conversations may have to be opened again first
			if err = c.compareFrom(ctx, r, e); err == nil {
				break
			}
			if err := sleep(ctx, time.Second); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) compareFrom(ctx context.Context, r *Replica, e *Evidence) error {
	v, err := r.Node.Verify(ctx)
	if err != nil {
		return err
	}
	for _, s := range v.Shards {
		if s.Err != "" {
			return fmt.Errorf("%s could not compare with %s: %s", r.Region, s.Peer, s.Err)
		}
	}
	for _, s := range v.Shards {
		if s.Differing > 0 {
			e.Differing = append(e.Differing, fmt.Sprintf("%s and %s differ in %d rows", r.Region, s.Peer, s.Differing))
		}
	}
	return nil
}
