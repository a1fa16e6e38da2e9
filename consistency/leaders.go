package consistency

import (
	"context"
	"errors"
	"fmt"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// isSpread reports whether a read at level leader concerns shards that several
// stores lead: then each of them is asked for its rows.
func (c *Coordinator) isSpread(a Alternative, targets []Target) bool {
	if a.Level != Leader || c.isAlone || len(targets) < 2 {
		return false
	}
	m := c.Membership()
	var first meta.StoreID
	for _, target := range targets {
		t, led := m.Term(target.Shard)
		switch {
		case !led || target.Placement != feature.Leader:
		case first == "":
			first = t.Leader
		case t.Leader != first:
			return true
		}
	}
	return false
}

// Stands returns nil when what is readable here of a shard may be told at level
// leader. It is asked after rows were read for another store.
func (c *Coordinator) Stands(shard feature.Shard) error {
	return c.leaderUnmet(Target{Shard: shard, Placement: feature.Leader})
}

// readLeaders reads rows that several stores lead, each at its leader, until all
// of them answer or the time is up. The rows are in r.Joined then.
func (c *Coordinator) readLeaders(ctx context.Context, a Alternative, r *Read, targets []Target) error {
	budget := a.Within
	if budget == 0 {
		budget = max(r.Fallback.Wait, DefaultQuorumTimeout)
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	for {
		err := c.askLeaders(ctx, a, r, targets)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrLevelNotOffered) || errors.Is(err, ErrSessionLost) {
			return err
		}
		pause(ctx, safeTimeInterval)
	}
}

// askLeaders asks each leader once.
func (c *Coordinator) askLeaders(ctx context.Context, a Alternative, r *Read, targets []Target) error {
	byLeader := map[meta.StoreID][]int{} // "" is this store; indexes of keys
	leaderOf := map[feature.Shard]meta.StoreID{}
	for _, target := range targets {
		if !c.isLed(target) {
			return fmt.Errorf("%w: leader needs a group with placement leader, this one is %s", ErrLevelNotOffered, target.Placement)
		}
		var not *NotLeaderError
		switch err := c.leads(target); {
		case err == nil:
			leaderOf[target.Shard] = ""
		case errors.As(err, &not):
			leaderOf[target.Shard] = not.Leader.Store
		default:
			return err
		}
	}
	for i, k := range r.Keys {
		leader := leaderOf[k.Shard]
		byLeader[leader] = append(byLeader[leader], i)
	}
	type part struct {
		at       []int
		progress map[feature.Shard]hlc.Vector
		rows     [][]byte
		err      error
	}
	answers := make(chan part, len(byLeader))
	asked := 0
	for leader, at := range byLeader {
		if leader == "" {
			continue
		}
		asked++
		c.cfg.Rows.AskLeader(ctx, leader, pick(r.Keys, at), func(progress map[feature.Shard]hlc.Vector, rows [][]byte, err error) {
			if err != nil {
				err = &NoLeaderError{Group: "of these rows", Why: fmt.Sprintf("store %s, which leads, did not answer: %v", leader, err)}
			}
			answers <- part{at, progress, rows, err} // there is room for each
		})
	}
	joined, vectors := make([][]byte, len(r.Keys)), map[feature.Shard]hlc.Vector{}
	take := func(p part) error {
		for i, at := range p.at {
			if p.err == nil {
				joined[at] = p.rows[i]
			}
		}
		for shard, v := range p.progress {
			vectors[shard] = v
		}
		return p.err
	}
	own := byLeader[""]
	if len(own) > 0 {
		progress, rows, err := c.cfg.Rows.ReadRows(ctx, pick(r.Keys, own))
		if err := take(part{own, progress, rows, err}); err != nil {
			return err
		}
	}
	for range asked {
		select {
		case p := <-answers:
			if err := take(p); err != nil {
				return err
			}
		case <-ctx.Done():
			return &NoLeaderError{Group: "of these rows", Why: "not all of the stores that lead answered in time"}
		}
	}
	for _, target := range targets {
		if leaderOf[target.Shard] == "" {
			if err := c.leaderUnmet(target); err != nil {
				return err
			}
		}
		origins := c.cfg.Store.Replica(target.Shard).Origins
		origins.Membership = c.Membership()
		if err := a.unmet(c.tokenOf(r), target, Replica{Progress: vectors[target.Shard], Origins: origins}); err != nil {
			return err
		}
	}
	r.Joined, r.vectors = joined, vectors
	return nil
}

// pick returns the elements at some indexes.
func pick(keys []feature.RowKey, at []int) []feature.RowKey {
	out := make([]feature.RowKey, len(at))
	for i, n := range at {
		out[i] = keys[n]
	}
	return out
}
