package consistency

import (
	"context"

	"featurestore/feature"
	"featurestore/hlc"
)

// OwnStore is the store of this process as a Store. It holds no state.
type OwnStore struct{ Log Log }

// Log is what OwnStore needs of the store; online.Store has it.
type Log interface {
	Origin() hlc.Origin
	Clock() *hlc.Clock
	Progress(shard feature.Shard) hlc.Vector
	Heads(shard feature.Shard) hlc.Vector
	Closed() (hlc.Timestamp, error)
	Wait(ctx context.Context, shard feature.Shard, v hlc.Vector) error
}

// Replica implements Store. Progress is read after the clock: a position that
// this store gave is never taken for one that it did not.
func (s OwnStore) Replica(shard feature.Shard) Replica {
	origins := Origins{Self: s.Log.Origin(), SelfAt: s.Log.Clock().Last()}
	return Replica{Progress: s.Log.Progress(shard), Origins: origins}
}

// Heads implements Store.
func (s OwnStore) Heads(shard feature.Shard) hlc.Vector { return s.Log.Heads(shard) }

// Closed implements Store. When the disk fails, nothing more is promised than
// what is written.
func (s OwnStore) Closed() hlc.Timestamp {
	closed, _ := s.Log.Closed()
	return closed
}

// Wait implements Store.
func (s OwnStore) Wait(ctx context.Context, shard feature.Shard, v hlc.Vector) error {
	return s.Log.Wait(ctx, shard, v)
}
