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
	case replication.Fresh:
		return &wire.Frame{Body: &wire.Frame_Fresh{Fresh: wireFresh(m)}}, nil
	case replication.MembershipNews:
		if m.Membership == nil {
			return nil, fmt.Errorf("%w: membership is nil", errUnsendable)
		}
		return &wire.Frame{Body: &wire.Frame_Membership{Membership: &wire.MembershipNews{
			Membership: meta.AppendMembership(nil, m.Membership),
		}}}, nil
	case replication.RegistryNews:
		return &wire.Frame{Body: &wire.Frame_Registry{Registry: &wire.RegistryNews{
			Epoch: m.Version.Epoch, Home: m.Version.Home, Revision: m.Version.Revision, Encoded: m.Encoded,
		}}}, nil
	case replication.Ping:
		return &wire.Frame{Body: &wire.Frame_Ping{Ping: &wire.Ping{Id: m.ID}}}, nil
	case replication.Pong:
		return &wire.Frame{Body: &wire.Frame_Pong{Pong: &wire.Pong{Id: m.ID, Wall: nanos(m.Wall)}}}, nil
	case replication.Fetch:
		return &wire.Frame{Body: &wire.Frame_Fetch{Fetch: &wire.Fetch{Shard: packShard(m.Shard), After: m.After}}}, nil
	case replication.Chunk:
		return &wire.Frame{Body: &wire.Frame_Chunk{Chunk: wireChunk(m.Chunk)}}, nil
	case replication.Refused:
		return &wire.Frame{Body: &wire.Frame_Refused{Refused: &wire.Refused{Shard: packShard(m.Shard), Origin: uint32(m.Origin)}}}, nil
	case replication.Relog:
		return &wire.Frame{Body: &wire.Frame_Relog{Relog: &wire.Relog{Shard: packShard(m.Shard), Entry: raws(m.Entries)}}}, nil
	case replication.Relogged:
		return &wire.Frame{Body: &wire.Frame_Relogged{Relogged: &wire.Relogged{
			Shard: packShard(m.Shard), Of: uint32(m.Origin), After: uint64(m.After), UpTo: uint64(m.UpTo), Origin: uint32(m.As.Origin), At: uint64(m.As.At),
		}}}, nil
	case replication.Audit:
		return &wire.Frame{Body: &wire.Frame_Audit{Audit: wireAudit(m)}}, nil
	case replication.Audited:
		return &wire.Frame{Body: &wire.Frame_Audited{Audited: wireAudited(m)}}, nil
	case replication.ReadRows:
		return &wire.Frame{Body: &wire.Frame_ReadRows{ReadRows: wireReadRows(m)}}, nil
	case replication.RowsRead:
		return &wire.Frame{Body: &wire.Frame_RowsRead{RowsRead: &wire.RowsRead{
			Id: m.ID, Progress: wireVectors(m.Progress), Row: m.Rows, Refused: m.Refused,
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
	return &wire.Status{
		Progress: wireVectors(m.Progress), Heads: wireVectors(m.Heads),
		Epoch: m.Membership.Epoch, Home: string(m.Membership.Home), Revision: m.Membership.Revision,
		RegistryEpoch: m.Registry.Epoch, RegistryHome: m.Registry.Home, Registry: m.Registry.Revision,
		Whole: m.Whole, Id: m.ID,
	}
}

func wireFresh(m replication.Fresh) *wire.Fresh {
	v := m.Membership
	w := &wire.Fresh{Echo: m.Echo, Epoch: v.Epoch, Home: string(v.Home), Revision: v.Revision}
	for _, f := range m.Facts {
		w.Origin, w.Through, w.Age = append(w.Origin, uint32(f.Origin)), append(w.Through, uint64(f.Through)), append(w.Age, uint64(max(0, f.Age)))
	}
	return w
}

func wireVectors(vectors map[feature.Shard]hlc.Vector) *wire.Vectors {
	w := new(wire.Vectors)
	for _, s := range sortedShards(vectors) {
		origins, at := vectorColumns(vectors[s])
		w.Shard, w.Positions = append(w.Shard, packShard(s)), append(w.Positions, uint32(len(at)))
		w.Origin, w.At = append(w.Origin, origins...), append(w.At, at...)
	}
	return w
}

// vectorColumns returns a vector as two lists, by rising origin.
func vectorColumns(v hlc.Vector) (origins []uint32, at []uint64) {
	for _, p := range v.Positions() {
		origins, at = append(origins, uint32(p.Origin)), append(at, uint64(p.At))
	}
	return origins, at
}

func wireChunk(c oplog.Chunk) *wire.Chunk {
	w := &wire.Chunk{Shard: packShard(c.Shard), After: c.After, Next: c.Next, Horizon: uint64(c.Horizon)}
	w.Origin, w.At = vectorColumns(c.Progress)
	w.BarrierOrigin, w.BarrierAt = vectorColumns(c.Barrier)
	rows := make([]wire.Row, len(c.Rows)) // one allocation for all
	w.Row = make([]*wire.Row, len(c.Rows))
	for i := range c.Rows {
		r := &rows[i]
		r.View, r.Key, r.Row = uint32(c.Rows[i].View), c.Rows[i].Key, c.Rows[i].Row
		w.Row[i] = r
	}
	return w
}

func wireAudit(a replication.Audit) *wire.Audit {
	return &wire.Audit{Shard: packShard(a.Shard), Cut: uint64(a.Cut), Horizon: uint64(a.Horizon), Bucket: uint32(a.Bucket)}
}

func wireAudited(a replication.Audited) *wire.Audited {
	w := &wire.Audited{Audit: wireAudit(a.Audit), Collected: uint64(a.Collected), Sum: a.Sums}
	w.Origin, w.At = vectorColumns(a.Progress)
	rows := make([]wire.AuditedRow, len(a.Rows))
	w.Row = make([]*wire.AuditedRow, len(a.Rows))
	for i := range a.Rows {
		r := &rows[i]
		r.View, r.Key, r.Hash, r.Newest = uint32(a.Rows[i].View), a.Rows[i].Key, a.Rows[i].Hash, uint64(a.Rows[i].Newest)
		w.Row[i] = r
	}
	return w
}

func wireReadRows(m replication.ReadRows) *wire.ReadRows {
	w := &wire.ReadRows{Id: m.ID, Leader: m.Leader, Within: uint64(max(0, m.Within)), Key: make([]*wire.RowKey, len(m.Keys))}
	keys := make([]wire.RowKey, len(m.Keys)) // one allocation for all
	for i := range m.Keys {
		k := &keys[i]
		k.Shard, k.View, k.Key = packShard(m.Keys[i].Shard), uint32(m.Keys[i].View), m.Keys[i].Key
		w.Key[i] = k
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
