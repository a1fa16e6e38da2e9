package peer

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication"
	"featurestore/replication/oplog"
	"featurestore/replication/peer/wire"
)

// errUnsendable reports a message that no store could read. Nothing was sent;
// the fault is the caller's.
var errUnsendable = errors.New("message cannot be sent")

// frameOf returns m in the words of the wire, sharing its bytes.
func frameOf(m replication.Message) (*wire.Frame, error) {
	switch m := m.(type) {
	case replication.Hello:
		return &wire.Frame{Body: &wire.Frame_Hello{Hello: wireHello(m)}}, nil
	case replication.Follow:
		shards, after := columns(m.After)
		return &wire.Frame{Body: &wire.Frame_Follow{Follow: &wire.Follow{Origin: uint32(m.Origin), Shard: shards, After: after}}}, nil
	case replication.Unfollow:
		return &wire.Frame{Body: &wire.Frame_Unfollow{Unfollow: &wire.Unfollow{Origin: uint32(m.Origin)}}}, nil
	case replication.Interval:
		if err := m.Validate(); err != nil {
			return nil, fmt.Errorf("%w: %w", errUnsendable, err)
		}
		return &wire.Frame{Body: &wire.Frame_Interval{Interval: &wire.Interval{
			Shard: packShard(m.Shard), Origin: uint32(m.Origin),
			After: uint64(m.After), Through: uint64(m.Through), Entry: raws(m.Entries),
		}}}, nil
	case replication.Closed:
		shards, after := columns(m.After)
		return &wire.Frame{Body: &wire.Frame_Closed{Closed: &wire.Closed{
			Origin: uint32(m.Origin), Through: uint64(m.Through), Shard: shards, After: after,
		}}}, nil
	case replication.Truncated:
		return &wire.Frame{Body: &wire.Frame_Truncated{Truncated: &wire.Truncated{
			Shard: packShard(m.Shard), Origin: uint32(m.Origin), Floor: uint64(m.Floor),
		}}}, nil
	case replication.Status:
		return &wire.Frame{Body: &wire.Frame_Status{Status: wireStatus(m)}}, nil
	case replication.MembershipNews:
		if m.Membership == nil {
			return nil, fmt.Errorf("%w: membership is nil", errUnsendable)
		}
		return &wire.Frame{Body: &wire.Frame_Membership{Membership: &wire.MembershipNews{
			Membership: meta.AppendMembership(nil, m.Membership),
		}}}, nil
	case replication.RegistryNews:
		return &wire.Frame{Body: &wire.Frame_Registry{Registry: &wire.RegistryNews{Revision: m.Revision, Encoded: m.Encoded}}}, nil
	case replication.Ping:
		return &wire.Frame{Body: &wire.Frame_Ping{Ping: &wire.Ping{Id: m.ID}}}, nil
	case replication.Pong:
		return &wire.Frame{Body: &wire.Frame_Pong{Pong: &wire.Pong{Id: m.ID, Wall: nanos(m.Wall)}}}, nil
	case replication.Fetch:
		return &wire.Frame{Body: &wire.Frame_Fetch{Fetch: &wire.Fetch{Shard: packShard(m.Shard), After: m.After}}}, nil
	case replication.Chunk:
		return &wire.Frame{Body: &wire.Frame_Chunk{Chunk: wireChunk(m.Chunk)}}, nil
	case replication.Refused:
		return &wire.Frame{Body: &wire.Frame_Refused{Refused: &wire.Refused{Shard: packShard(m.Shard)}}}, nil
	case replication.Relog:
		return &wire.Frame{Body: &wire.Frame_Relog{Relog: &wire.Relog{Shard: packShard(m.Shard), Entry: raws(m.Entries)}}}, nil
	case replication.Relogged:
		return &wire.Frame{Body: &wire.Frame_Relogged{Relogged: &wire.Relogged{
			Shard: packShard(m.Shard), UpTo: uint64(m.UpTo), Origin: uint32(m.As.Origin), At: uint64(m.As.At),
		}}}, nil
	}
	return nil, fmt.Errorf("%w: it is a %T", errUnsendable, m)
}

func wireHello(h replication.Hello) *wire.Hello {
	return &wire.Hello{Deployment: h.Deployment, Incarnation: h.Incarnation, Member: &wire.Member{
		Store: string(h.Member.Store), Region: string(h.Member.Region), State: uint32(h.Member.State),
		Origin: uint32(h.Member.Origin), Address: h.Member.Address, Url: h.Member.URL, Since: h.Member.Since,
	}}
}

func wireStatus(m replication.Status) *wire.Status {
	w := &wire.Status{
		Epoch: m.Epoch, Revision: m.Revision, Registry: m.Registry, Whole: m.Whole, Sent: nanos(m.Sent),
	}
	for _, s := range sortedShards(m.Progress) {
		at := m.Progress[s].Positions()
		w.Shard, w.Positions = append(w.Shard, packShard(s)), append(w.Positions, uint32(len(at)))
		for _, p := range at {
			w.Origin, w.At = append(w.Origin, uint32(p.Origin)), append(w.At, uint64(p.At))
		}
	}
	return w
}

func wireChunk(c oplog.Chunk) *wire.Chunk {
	w := &wire.Chunk{Shard: packShard(c.Shard), After: c.After, Next: c.Next, Horizon: uint64(c.Horizon)}
	for _, p := range c.Progress.Positions() {
		w.Origin, w.At = append(w.Origin, uint32(p.Origin)), append(w.At, uint64(p.At))
	}
	rows := make([]wire.Row, len(c.Rows)) // one allocation for all
	w.Row = make([]*wire.Row, len(c.Rows))
	for i := range c.Rows {
		r := &rows[i]
		r.View, r.Key, r.Row = uint32(c.Rows[i].View), c.Rows[i].Key, c.Rows[i].Row
		w.Row[i] = r
	}
	return w
}

func raws(entries []oplog.Logged) [][]byte {
	out := make([][]byte, len(entries))
	for i := range entries {
		out[i] = entries[i].Raw
	}
	return out
}

// columns returns positions by shard as two lists, by rising shard, so that
// equal messages have equal frames.
func columns(m map[feature.Shard]hlc.Timestamp) (shards []uint32, at []uint64) {
	for _, s := range sortedShards(m) {
		shards, at = append(shards, packShard(s)), append(at, uint64(m[s]))
	}
	return shards, at
}

func sortedShards[V any](m map[feature.Shard]V) []feature.Shard {
	out := make([]feature.Shard, 0, len(m))
	for s := range m {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b feature.Shard) int { return cmp.Compare(packShard(a), packShard(b)) })
	return out
}

func packShard(s feature.Shard) uint32 { return uint32(s.Group)<<16 | uint32(s.Partition) }

func unpackShard(v uint32) feature.Shard {
	return feature.Shard{Group: feature.GroupID(v >> 16), Partition: uint16(v)}
}

// nanos is t on the wire, where 0 is no time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func ofNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
