package consistency

import (
	"bytes"
	"context"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// Rows reads rows by key, here and at other members: what a read at level quorum
// joins. replication.Node has it.
type Rows interface {
	// ReadRows returns rows of this store, each nil or as package feature encodes
	// it, and the progress of their shards, taken before they were read (C2).
	ReadRows(ctx context.Context, keys []feature.RowKey) (map[feature.Shard]hlc.Vector, [][]byte, error)
	// AskRows begins the same at another member, and returns at once. Answer is
	// called once, and must not wait, unless ctx ends before.
	AskRows(ctx context.Context, store meta.StoreID, keys []feature.RowKey, answer func(map[feature.Shard]hlc.Vector, [][]byte, error))
	// AskLeader is AskRows of one that leads all of the rows' shards, and answers
	// only with what stands at level leader.
	AskLeader(ctx context.Context, store meta.StoreID, keys []feature.RowKey, answer func(map[feature.Shard]hlc.Vector, [][]byte, error))
}

// joinEncoded joins two encoded rows, either nil for none.
func joinEncoded(a, b []byte) ([]byte, error) {
	switch {
	case b == nil || bytes.Equal(a, b):
		return a, nil
	case a == nil:
		return b, nil
	}
	x, err := feature.DecodeRow(a)
	if err != nil {
		return nil, err
	}
	y, err := feature.DecodeRow(b)
	if err != nil {
		return nil, err
	}
	return feature.AppendRow(nil, feature.JoinRow(x, y)), nil
}

// dotsOf are the writes that made up an encoded row, the latest of each origin:
// who has that has those before it.
func dotsOf(encoded []byte) ([]hlc.Position, error) {
	if encoded == nil {
		return nil, nil
	}
	row, err := feature.DecodeRow(encoded)
	if err != nil {
		return nil, err
	}
	latest := hlc.Vector{}
	for p := range row.Positions() {
		if p.At > latest[p.Origin] {
			latest[p.Origin] = p.At
		}
	}
	return latest.Positions(), nil
}
