package peer

import (
	"errors"
	"fmt"

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
	case *wire.Frame_Membership:
		m, err := meta.DecodeMembership(x.Membership.Membership)
		return replication.MembershipNews{Membership: m}, err
	case *wire.Frame_Registry:
		return replication.RegistryNews{Revision: x.Registry.Revision, Encoded: bytesOf(x.Registry.Encoded)}, nil
	case *wire.Frame_Ping:
		return replication.Ping{ID: x.Ping.Id}, nil
	case *wire.Frame_Pong:
		return replication.Pong{ID: x.Pong.Id, Wall: ofNanos(x.Pong.Wall)}, nil
	case *wire.Frame_Fetch:
		return replication.Fetch{Shard: unpackShard(x.Fetch.Shard), After: bytesOf(x.Fetch.After)}, nil
	case *wire.Frame_Refused:
		return replication.Refused{Shard: unpackShard(x.Refused.Shard)}, nil
	case *wire.Frame_Relogged:
		r := x.Relogged
		return replication.Relogged{
			Shard: unpackShard(r.Shard), UpTo: hlc.Timestamp(r.UpTo),
			As: hlc.Position{Origin: hlc.Origin(r.Origin), At: hlc.Timestamp(r.At)},
		}, nil
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

func statusOf(w *wire.Status) (replication.Status, error) {
	s := replication.Status{
		Epoch: w.Epoch, Revision: w.Revision, Registry: w.Registry, Whole: w.Whole, Sent: ofNanos(w.Sent),
	}
	if len(w.Shard) != len(w.Positions) {
		return s, fmt.Errorf("progress names %d shards and %d numbers of positions", len(w.Shard), len(w.Positions))
	}
	if len(w.Shard) > 0 {
		s.Progress = make(map[feature.Shard]hlc.Vector, len(w.Shard))
	}
	origins, at := w.Origin, w.At
	for i, shard := range w.Shard {
		n := int(w.Positions[i])
		if n > len(origins) || n > len(at) {
			return s, fmt.Errorf("progress of shard %v breaks off", unpackShard(shard))
		}
		v, err := vectorOf(origins[:n], at[:n])
		if err != nil {
			return s, err
		}
		origins, at = origins[n:], at[n:]
		s.Progress[unpackShard(shard)] = v
	}
	if len(origins)+len(at) > 0 || len(s.Progress) != len(w.Shard) {
		return s, errors.New("progress names a shard twice, or positions of none")
	}
	return s, nil
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
