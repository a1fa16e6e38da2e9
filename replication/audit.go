package replication

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zeebo/xxh3"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// Anti-entropy is verification here: logs bring every row to every member, and
// a comparison that finds a difference has found a defect or a rotten bit. Both
// stores sum hashes of their rows by bucket, leaving out what is younger than a
// cut that both have passed; rows are compared one by one only in buckets that
// differ, and those that are younger than the cut on either side are left out.

// bucketOf is the part of a shard's keys that a row belongs to.
func bucketOf(view feature.ViewID, key feature.Key) Bucket {
	return Bucket(xxh3.HashSeed(key, uint64(view))%AuditBuckets) + 1
}

// audit sums or lists what this store has, as ask wants it.
func (n *Node) audit(ctx context.Context, ask Audit) (Audited, error) {
	out := Audited{Audit: ask}
	if ask.Bucket == 0 {
		out.Sums = make([]uint64, AuditBuckets)
	}
	var err error
	out.Progress, out.Collected, err = n.cfg.Store.Digest(ctx, ask.Shard, ask.Horizon,
		func(view feature.ViewID, key feature.Key, hash uint64, newest hlc.Timestamp) bool {
			b := bucketOf(view, key)
			switch {
			case ask.Bucket == 0 && newest <= ask.Cut:
				out.Sums[b-1] += xxh3.HashSeed(key, hash)
			case ask.Bucket == b && len(out.Rows) < MaxAuditedRows:
				out.Rows = append(out.Rows, AuditedRow{View: view, Key: append(feature.Key(nil), key...), Hash: hash, Newest: newest})
			}
			return true
		})
	return out, err
}

func (n *Node) serveAudit(ctx context.Context, c Conversation, ask Audit) error {
	out, err := n.audit(ctx, ask)
	if err != nil {
		n.complain("sum rows for a comparison", err)
		return nil
	}
	return c.Send(ctx, out)
}

// Verification is what a comparison of this store with its peers came to.
type Verification struct {
	Shards []ShardVerification
}

// Differing returns how many rows differ.
func (v Verification) Differing() int {
	n := 0
	for _, s := range v.Shards {
		n += s.Differing
	}
	return n
}

// ShardVerification compares one shard with one peer.
type ShardVerification struct {
	Shard feature.Shard
	Peer  meta.StoreID
	// Cut is what rows were compared up to.
	Cut hlc.Timestamp
	// Differing counts rows, at most MaxAuditedRows a bucket; Examples are some.
	Differing int
	Examples  []AuditedRow
	// Err says why there was no comparison; "" when there was one.
	Err string
}

// maxExamples bounds those of a ShardVerification.
const maxExamples = 5

// Verify compares every shard with every member in reach that holds it.
func (n *Node) Verify(ctx context.Context) (Verification, error) {
	var out Verification
	m := n.membership.Load()
	for _, shard := range (localStore{n.cfg.Store}).Shards(n.cfg.Self.Region) {
		for _, x := range m.Members {
			if x.Store == n.cfg.Self.Store || x.State != meta.Active || !n.holds(x, shard) {
				continue
			}
			v := ShardVerification{Shard: shard, Peer: x.Store}
			if err := n.compare(ctx, x.Store, &v); err != nil {
				if ctx.Err() != nil {
					return out, ctx.Err()
				}
				v.Err = err.Error()
			}
			out.Shards = append(out.Shards, v)
		}
	}
	return out, nil
}

func (n *Node) holds(x meta.Member, shard feature.Shard) bool {
	for _, s := range (localStore{n.cfg.Store}).Shards(x.Region) {
		if s == shard {
			return true
		}
	}
	return false
}

// watch compares now and then, without being asked. A difference is a defect, or
// a rotten bit: it is told, and the shard is copied anew.
func (n *Node) watch(ctx context.Context) error {
	tick := time.NewTicker(n.cfg.Verify)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		v, err := n.Verify(ctx)
		n.complain("compare rows with other stores'", err)
		for _, s := range v.Shards {
			if s.Differing > 0 {
				n.cfg.Logger.Error("rows differ from another store's; they are copied anew", "group", s.Shard.Group, "partition", s.Shard.Partition, "peer", s.Peer, "rows", s.Differing)
				n.offer(Diverged{Shard: s.Shard, Rows: s.Differing})
			}
		}
	}
}

// compare finds the rows of one shard that differ at a peer.
func (n *Node) compare(ctx context.Context, peer meta.StoreID, v *ShardVerification) error {
	cut, err := n.awaitCommonSafeTime(ctx, v.Shard, peer)
	if err != nil {
		return err
	}
	ask := Audit{Shard: v.Shard, Cut: cut}
	v.Cut = ask.Cut
	// Tombstones below what either has collected do not count. Either may
	// collect meanwhile.
	for range 3 {
		own, err := n.audit(ctx, ask)
		if err != nil {
			return err
		}
		theirs, err := n.ask(ctx, peer, ask)
		if err != nil {
			return err
		}
		if horizon := max(own.Collected, theirs.Collected); horizon > ask.Horizon {
			ask.Horizon = hlc.New(horizon.Millis()+collectMargin.Milliseconds(), 0)
			continue
		}
		for b := range own.Sums {
			if b < len(theirs.Sums) && own.Sums[b] != theirs.Sums[b] {
				if err := n.compareBucket(ctx, peer, ask, Bucket(b+1), v); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return errors.New("tombstones are being collected; try again")
}

func (n *Node) compareBucket(ctx context.Context, peer meta.StoreID, ask Audit, b Bucket, v *ShardVerification) error {
	ask.Bucket = b
	own, err := n.audit(ctx, ask)
	if err != nil {
		return err
	}
	theirs, err := n.ask(ctx, peer, ask)
	if err != nil {
		return err
	}
	for _, r := range differing(own.Rows, theirs.Rows, ask.Cut) {
		v.Differing++
		if len(v.Examples) < maxExamples {
			v.Examples = append(v.Examples, r)
		}
	}
	return nil
}

// differing returns the rows that only one side has, or both unlike, and that
// neither has anything younger than the cut of: a pure function.
func differing(a, b []AuditedRow, cut hlc.Timestamp) []AuditedRow {
	type name struct {
		view feature.ViewID
		key  string
	}
	other := map[name]AuditedRow{}
	for _, r := range b {
		other[name{r.View, string(r.Key)}] = r
	}
	var out []AuditedRow
	for _, r := range a {
		id := name{r.View, string(r.Key)}
		s, both := other[id]
		delete(other, id)
		if r.Newest > cut || both && (s.Newest > cut || s.Hash == r.Hash) {
			continue
		}
		out = append(out, r)
	}
	for _, r := range b {
		if _, left := other[name{r.View, string(r.Key)}]; left && r.Newest <= cut {
			out = append(out, r)
		}
	}
	return out
}

// cutPatience is how long a comparison waits for a moment that both stores have
// everything up to. Stores that have just started tell of one within a second
// or two.
const cutPatience = 5 * time.Second

// awaitCommonSafeTime returns the commonSafeTime of two stores that are in
// reach of each other.
func (n *Node) awaitCommonSafeTime(ctx context.Context, shard feature.Shard, peer meta.StoreID) (hlc.Timestamp, error) {
	ctx, cancel := context.WithTimeout(ctx, cutPatience)
	defer cancel()
	for {
		changed := n.Changed()
		if cut := n.commonSafeTime(shard, peer); cut > 0 {
			return cut, nil
		}
		if _, live := n.Reach(peer); !live {
			return 0, fmt.Errorf("store %s is not in reach", peer)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, fmt.Errorf("store %s and this one have not heard yet of all that may write: see featurestore lag --all", peer)
		}
	}
}

// commonSafeTime is up to when both stores have everything; zero when that is
// not known.
func (n *Node) commonSafeTime(shard feature.Shard, peer meta.StoreID) hlc.Timestamp {
	n.mu.RLock()
	defer n.mu.RUnlock()
	c := n.mu.core
	p := c.peers[peer]
	if p == nil || !p.statusSeen {
		return 0
	}
	return min(c.ownSafeTime(shard), c.safeTime(shard, p.progress[shard]))
}

// collectMargin is how far beyond what was collected a comparison passes over
// tombstones, so that it need not begin again when more is collected meanwhile.
const collectMargin = time.Minute

// auditPatience is how long an answer is waited for.
const auditPatience = 30 * time.Second

// ask sends an audit and waits for its answer.
func (n *Node) ask(ctx context.Context, peer meta.StoreID, ask Audit) (Audited, error) {
	ctx, cancel := context.WithTimeout(ctx, auditPatience)
	defer cancel()
	answer := make(chan Audited, 1)
	n.mu.Lock()
	key := auditKey{peer, ask}
	n.mu.audits[key] = answer
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		delete(n.mu.audits, key)
		n.mu.Unlock()
	}()
	if n.links.link(peer, false) == nil {
		return Audited{}, fmt.Errorf("store %s is not in reach", peer)
	}
	n.links.send(Send{To: peer, Message: ask})
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
		return Audited{}, fmt.Errorf("store %s did not answer: %w", peer, ctx.Err())
	}
}

type auditKey struct {
	peer meta.StoreID
	ask  Audit
}
