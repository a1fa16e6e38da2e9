package peer

import (
	"errors"
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication"
	"featurestore/replication/oplog"
	"featurestore/replication/peer/wire"
)

// errMalformed reports bytes that are no message of this format. The
// conversation in which they came ends.
var errMalformed = errors.New("malformed message")

// Numbers of the bodies that are read by hand, so that what they hold aliases
// the bytes that came instead of being copied; and of those that are no message.
const (
	bodyGreeting = protowire.Number(1)
	bodyProof    = protowire.Number(2)
	bodyZstd     = protowire.Number(3)
	bodyInterval = protowire.Number(11)
	bodyChunk    = protowire.Number(20)
	bodyRelog    = protowire.Number(22)
	bodyAudited  = protowire.Number(25)
)

// decodeMessage is the inverse of appendMessage. Entries, keys and rows of the
// message alias b, which must not change afterwards. Errors match errMalformed.
func decodeMessage(b []byte) (replication.Message, error) {
	body, content, err := splitFrame(b)
	if err != nil {
		return nil, err
	}
	var m replication.Message
	switch body {
	case bodyInterval:
		m, err = decodeInterval(content)
	case bodyChunk:
		m, err = decodeChunk(content)
	case bodyRelog:
		m, err = decodeRelog(content)
	case bodyAudited:
		m, err = decodeAudited(content)
	case bodyGreeting, bodyProof, bodyZstd:
		err = fmt.Errorf("body %d has no place here", body)
	default:
		m, err = decodeSmall(b)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return m, nil
}

// splitFrame returns the number and the content of a frame's only body.
func splitFrame(b []byte) (body protowire.Number, content []byte, err error) {
	body, kind, n := protowire.ConsumeTag(b)
	if n < 0 || kind != protowire.BytesType {
		return 0, nil, fmt.Errorf("%w: a frame begins with no body", errMalformed)
	}
	content, m := protowire.ConsumeBytes(b[n:])
	switch {
	case m < 0:
		return 0, nil, fmt.Errorf("%w: body %d breaks off", errMalformed, body)
	case n+m != len(b):
		return 0, nil, fmt.Errorf("%w: %d bytes after body %d", errMalformed, len(b)-n-m, body)
	}
	return body, content, nil
}

// decodeSmall reads the messages that copying does not hurt.
func decodeSmall(b []byte) (replication.Message, error) {
	f := new(wire.Frame)
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, f); err != nil {
		return nil, err
	}
	switch x := f.Body.(type) {
	case *wire.Frame_Hello:
		return helloOf(x.Hello)
	case *wire.Frame_Follow:
		after, err := positionsOf(x.Follow.Shard, x.Follow.After)
		return replication.Follow{Origin: hlc.Origin(x.Follow.Origin), After: after}, err
	case *wire.Frame_Unfollow:
		return replication.Unfollow{Origin: hlc.Origin(x.Unfollow.Origin)}, nil
	case *wire.Frame_Closed:
		after, err := positionsOf(x.Closed.Shard, x.Closed.After)
		return replication.Closed{Origin: hlc.Origin(x.Closed.Origin), Through: hlc.Timestamp(x.Closed.Through), After: after}, err
	case *wire.Frame_Truncated:
		t := x.Truncated
		return replication.Truncated{Shard: unpackShard(t.Shard), Origin: hlc.Origin(t.Origin), Floor: hlc.Timestamp(t.Floor)}, nil
	case *wire.Frame_Status:
		return statusOf(x.Status)
	case *wire.Frame_Fresh:
		return freshOf(x.Fresh)
	case *wire.Frame_Membership:
		m, err := meta.DecodeMembership(x.Membership.Membership)
		return replication.MembershipNews{Membership: m}, err
	case *wire.Frame_Registry:
		return replication.RegistryNews{Version: versionOf(x.Registry.Epoch, x.Registry.Home, x.Registry.Revision), Encoded: bytesOf(x.Registry.Encoded)}, nil
	case *wire.Frame_Ping:
		return replication.Ping{ID: x.Ping.Id}, nil
	case *wire.Frame_Pong:
		return replication.Pong{ID: x.Pong.Id, Wall: ofNanos(x.Pong.Wall)}, nil
	case *wire.Frame_Fetch:
		return replication.Fetch{Shard: unpackShard(x.Fetch.Shard), After: bytesOf(x.Fetch.After)}, nil
	case *wire.Frame_Refused:
		return replication.Refused{Shard: unpackShard(x.Refused.Shard), Origin: hlc.Origin(x.Refused.Origin)}, nil
	case *wire.Frame_Relogged:
		r := x.Relogged
		return replication.Relogged{
			Shard: unpackShard(r.Shard), After: hlc.Timestamp(r.After), UpTo: hlc.Timestamp(r.UpTo),
			As: hlc.Position{Origin: hlc.Origin(r.Origin), At: hlc.Timestamp(r.At)},
		}, nil
	case *wire.Frame_Audit:
		return auditOf(x.Audit)
	case *wire.Frame_ReadRows:
		return readRowsOf(x.ReadRows)
	case *wire.Frame_RowsRead:
		return rowsReadOf(x.RowsRead)
	}
	return nil, errors.New("a body that this version does not know")
}

func helloOf(w *wire.Hello) (replication.Hello, error) {
	m := w.GetMember()
	if m.GetState() > 0xff {
		return replication.Hello{}, fmt.Errorf("state of a member is %d, at most 255 can be", m.GetState())
	}
	return replication.Hello{Deployment: w.GetDeployment(), Incarnation: w.GetIncarnation(), Member: meta.Member{
		Store: meta.StoreID(m.GetStore()), Region: meta.Region(m.GetRegion()), State: meta.State(m.GetState()),
		Origin: hlc.Origin(m.GetOrigin()), Address: m.GetAddress(), URL: m.GetUrl(), Since: m.GetSince(),
	}}, nil
}

func versionOf(epoch uint64, home string, revision uint64) feature.RegistryVersion {
	return feature.RegistryVersion{Line: feature.Line{Epoch: epoch, Home: home}, Revision: revision}
}

func statusOf(w *wire.Status) (s replication.Status, err error) {
	s = replication.Status{
		Membership: meta.Version{Epoch: w.Epoch, Home: meta.StoreID(w.Home), Revision: w.Revision},
		Registry:   versionOf(w.RegistryEpoch, w.RegistryHome, w.Registry), Whole: w.Whole, ID: w.Id,
	}
	if s.Progress, err = vectorsOf(w.Progress); err != nil {
		return s, fmt.Errorf("progress: %w", err)
	}
	if s.Heads, err = vectorsOf(w.Heads); err != nil {
		return s, fmt.Errorf("heads: %w", err)
	}
	return s, nil
}

func freshOf(w *wire.Fresh) (replication.Fresh, error) {
	m := replication.Fresh{Echo: w.Echo}
	if len(w.Origin) != len(w.Through) || len(w.Origin) != len(w.Age) {
		return m, fmt.Errorf("%d origins, %d timestamps and %d ages are no facts", len(w.Origin), len(w.Through), len(w.Age))
	}
	for i, o := range w.Origin {
		if w.Age[i] > math.MaxInt64 {
			return m, fmt.Errorf("age of a fact is %d nanoseconds, at most %d can be", w.Age[i], int64(math.MaxInt64))
		}
		m.Facts = append(m.Facts, replication.Fact{Origin: hlc.Origin(o), Through: hlc.Timestamp(w.Through[i]), Age: time.Duration(w.Age[i])})
	}
	return m, nil
}

// vectorsOf joins the columns of vectors by shard; no columns are nil.
func vectorsOf(w *wire.Vectors) (map[feature.Shard]hlc.Vector, error) {
	shards, positions, origins, at := w.GetShard(), w.GetPositions(), w.GetOrigin(), w.GetAt()
	if len(shards) != len(positions) {
		return nil, fmt.Errorf("%d shards have %d numbers of positions", len(shards), len(positions))
	}
	var out map[feature.Shard]hlc.Vector
	if len(shards) > 0 {
		out = make(map[feature.Shard]hlc.Vector, len(shards))
	}
	for i, shard := range shards {
		n := uint64(positions[i])
		if n > uint64(len(origins)) || n > uint64(len(at)) {
			return nil, fmt.Errorf("shard %v breaks off", unpackShard(shard))
		}
		v, err := vectorOf(origins[:n], at[:n])
		if err != nil {
			return nil, err
		}
		origins, at = origins[n:], at[n:]
		out[unpackShard(shard)] = v
	}
	if len(origins)+len(at) > 0 || len(out) != len(shards) {
		return nil, errors.New("a shard is named twice, or positions are of none")
	}
	return out, nil
}

func auditOf(w *wire.Audit) (replication.Audit, error) {
	if w.GetBucket() > replication.AuditBuckets {
		return replication.Audit{}, fmt.Errorf("bucket is %d, at most %d can be", w.GetBucket(), replication.AuditBuckets)
	}
	return replication.Audit{
		Shard: unpackShard(w.GetShard()), Cut: hlc.Timestamp(w.GetCut()), Horizon: hlc.Timestamp(w.GetHorizon()),
		Bucket: replication.Bucket(w.GetBucket()),
	}, nil
}

// vectorOf joins two columns; no columns are nil, the empty vector.
func vectorOf(origins []uint32, at []uint64) (hlc.Vector, error) {
	switch {
	case len(origins) != len(at):
		return nil, fmt.Errorf("a vector has %d origins and %d timestamps", len(origins), len(at))
	case len(origins) == 0:
		return nil, nil
	}
	v := make(hlc.Vector, len(origins))
	for i, o := range origins {
		v[hlc.Origin(o)] = hlc.Timestamp(at[i])
	}
	if len(v) != len(origins) {
		return nil, errors.New("a vector names an origin twice")
	}
	return v, nil
}

// positionsOf joins two columns; no columns are nil.
func positionsOf(shards []uint32, at []uint64) (map[feature.Shard]hlc.Timestamp, error) {
	switch {
	case len(shards) != len(at):
		return nil, fmt.Errorf("%d shards have %d positions", len(shards), len(at))
	case len(shards) == 0:
		return nil, nil
	}
	m := make(map[feature.Shard]hlc.Timestamp, len(shards))
	for i, s := range shards {
		m[unpackShard(s)] = hlc.Timestamp(at[i])
	}
	if len(m) != len(shards) {
		return nil, errors.New("a shard is named twice")
	}
	return m, nil
}

// bytesOf returns nil for no bytes.
func bytesOf(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// entriesOf reads encoded entries, which the result aliases.
func entriesOf(raw [][]byte) ([]oplog.Logged, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	out := make([]oplog.Logged, len(raw))
	for i, b := range raw {
		var err error
		if out[i], err = oplog.DecodeLogged(b); err != nil {
			return nil, fmt.Errorf("entries[%d]: %w", i, err)
		}
	}
	return out, nil
}
