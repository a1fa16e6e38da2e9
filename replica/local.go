package replica

import (
	"context"

	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/hlc"
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

// Closed is the store's clock between commits. When the disk fails, nothing
// more is promised than what is written.
func (l local) Closed() hlc.Timestamp {
	closed, _ := l.store.Closed()
	return closed
}

// Wait waits for the store's progress.
func (l local) Wait(ctx context.Context, shard feature.Shard, v hlc.Vector) error {
	return l.store.Wait(ctx, shard, v)
}

// group returns a group of any project.
func (l local) group(id feature.GroupID) *feature.Group { return l.store.Registry().Group(id) }
