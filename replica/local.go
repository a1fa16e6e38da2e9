package replica

import (
	"context"

	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/online"
)

// local is the store of this process, as the consistency room sees it.
type local struct{ store *online.Store }

// Replica returns what is known of a shard. Progress is read after the clock:
// a position that this store gave is never taken for one that it did not.
func (l local) Replica(shard feature.Shard) consistency.Replica {
	origins := consistency.Origins{Self: l.store.Identity().Origin, SelfAt: l.store.Clock().Last()}
	return consistency.Replica{Progress: l.store.Progress(shard), Origins: origins}
}

// SafeTime is the store's clock: nobody else writes. When the disk fails,
// nothing more is promised than what is written.
func (l local) SafeTime(feature.Shard) hlc.Timestamp {
	safe, _ := l.store.Closed()
	return safe
}

// Wait waits for the store's progress.
func (l local) Wait(ctx context.Context, shard feature.Shard, v hlc.Vector) error {
	return l.store.Wait(ctx, shard, v)
}

// alone returns the members of every shard of a store that replicates to no
// other: itself.
func alone(self meta.Member) func(feature.Shard) meta.Members {
	members := meta.Members{self}
	return func(feature.Shard) meta.Members { return members }
}
