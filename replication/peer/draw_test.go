package peer

import (
	"time"

	"pgregory.net/rapid"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication"
	"featurestore/replication/oplog"
)

var (
	shards = rapid.Custom(func(t *rapid.T) feature.Shard {
		return feature.Shard{
			Group:     feature.GroupID(rapid.Uint16().Draw(t, "group")),
			Partition: rapid.Uint16().Draw(t, "partition"),
		}
	})
	origins    = rapid.Map(rapid.Uint32Min(1), func(v uint32) hlc.Origin { return hlc.Origin(v) })
	timestamps = rapid.Map(rapid.Uint64(), func(v uint64) hlc.Timestamp { return hlc.Timestamp(v) })
	someBytes  = rapid.SliceOfN(rapid.Byte(), 1, 50)
	times      = rapid.Map(rapid.Int64Range(1, 1<<61), func(n int64) time.Time { return time.Unix(0, n).UTC() })
)

// draws draw messages that a store may send, one each kind.
var draws = []func(*rapid.T) replication.Message{
	drawHello, drawInterval, drawChunk, drawStatus, drawFresh, drawMembership, drawRelog, drawAudited, drawReadRows, drawRowsRead,
	func(t *rapid.T) replication.Message { return drawAudit(t) },
	func(t *rapid.T) replication.Message {
		return replication.Follow{Origin: origins.Draw(t, "origin"), After: drawPositions(t)}
	},
	func(t *rapid.T) replication.Message { return replication.Unfollow{Origin: origins.Draw(t, "origin")} },
	func(t *rapid.T) replication.Message {
		return replication.Closed{Origin: origins.Draw(t, "origin"), Through: timestamps.Draw(t, "through"), After: drawPositions(t)}
	},
	func(t *rapid.T) replication.Message {
		return replication.Truncated{Shard: shards.Draw(t, "shard"), Origin: origins.Draw(t, "origin"), Floor: timestamps.Draw(t, "floor")}
	},
	func(t *rapid.T) replication.Message {
		return replication.RegistryNews{Version: drawVersion(t), Encoded: drawBytes(t, "encoded")}
	},
	func(t *rapid.T) replication.Message { return replication.Ping{ID: rapid.Uint64().Draw(t, "id")} },
	func(t *rapid.T) replication.Message {
		return replication.Pong{ID: rapid.Uint64().Draw(t, "id"), Wall: drawTime(t, "wall")}
	},
	func(t *rapid.T) replication.Message {
		return replication.Fetch{Shard: shards.Draw(t, "shard"), After: drawBytes(t, "after")}
	},
	func(t *rapid.T) replication.Message {
		return replication.Refused{Shard: shards.Draw(t, "shard"), Origin: origins.Draw(t, "origin")}
	},
	func(t *rapid.T) replication.Message {
		return replication.Relogged{
			Shard: shards.Draw(t, "shard"), Origin: origins.Draw(t, "of"), After: timestamps.Draw(t, "after"), UpTo: timestamps.Draw(t, "up to"),
			As: hlc.Position{Origin: origins.Draw(t, "origin"), At: timestamps.Draw(t, "at")},
		}
	},
}

// drawMessage draws a message of any kind.
func drawMessage(t *rapid.T) replication.Message { return rapid.SampledFrom(draws).Draw(t, "kind")(t) }

func drawHello(t *rapid.T) replication.Message {
	text := rapid.String()
	return replication.Hello{
		Deployment: text.Draw(t, "deployment"), Incarnation: rapid.Uint32().Draw(t, "incarnation"),
		Member: meta.Member{
			Store: meta.StoreID(text.Draw(t, "store")), Region: meta.Region(text.Draw(t, "region")),
			State: meta.State(rapid.Uint8().Draw(t, "state")), Origin: origins.Draw(t, "origin"),
			Address: text.Draw(t, "address"), URL: text.Draw(t, "url"), Since: rapid.Uint64().Draw(t, "since"),
		},
	}
}

func drawInterval(t *rapid.T) replication.Message {
	iv := oplog.Interval{Shard: shards.Draw(t, "shard"), Origin: origins.Draw(t, "origin")}
	iv.After = hlc.Timestamp(rapid.Uint64Range(0, 1<<60).Draw(t, "after"))
	iv.Entries, iv.Through = drawEntries(t, iv.Origin, iv.After)
	iv.Through += hlc.Timestamp(rapid.Uint64Range(1, 9).Draw(t, "beyond the last"))
	return replication.Interval{Interval: iv}
}

func drawRelog(t *rapid.T) replication.Message {
	entries, _ := drawEntries(t, origins.Draw(t, "origin"), 5)
	return replication.Relog{Shard: shards.Draw(t, "shard"), Entries: entries}
}

// drawEntries draws a stretch of a log, nil for an empty one, and its end.
func drawEntries(t *rapid.T, origin hlc.Origin, after hlc.Timestamp) ([]oplog.Logged, hlc.Timestamp) {
	var out []oplog.Logged
	for range rapid.IntRange(0, 4).Draw(t, "entries") {
		at := after + hlc.Timestamp(rapid.Uint64Range(1, 9).Draw(t, "step"))
		e := oplog.Entry{Kind: oplog.Noop, Origin: origin, At: at, Prev: after}
		if rapid.Bool().Draw(t, "has rows") {
			e.Kind, e.Rows = oplog.Delta, []oplog.Row{logRow(t, e.Position(), "driver", rapid.Float64().Draw(t, "value"))}
		}
		out = append(out, logged(t, e))
		after = at
	}
	return out, after
}

func drawChunk(t *rapid.T) replication.Message {
	c := oplog.Chunk{
		Shard: shards.Draw(t, "shard"), After: drawBytes(t, "after"), Next: drawBytes(t, "next"),
		Progress: drawVector(t), Barrier: drawVector(t), Horizon: timestamps.Draw(t, "horizon"),
	}
	for range rapid.IntRange(0, 4).Draw(t, "rows") {
		c.Rows = append(c.Rows, oplog.ChunkRow{
			View: feature.ViewID(rapid.Uint32Min(1).Draw(t, "view")), Key: someBytes.Draw(t, "key"), Row: someBytes.Draw(t, "row"),
		})
	}
	return replication.Chunk{Chunk: c}
}

func drawVersion(t *rapid.T) feature.RegistryVersion {
	return feature.RegistryVersion{
		Line:     feature.Line{Epoch: rapid.Uint64().Draw(t, "line"), Home: rapid.StringMatching(`[a-z0-9-]{0,8}`).Draw(t, "its home")},
		Revision: rapid.Uint64().Draw(t, "registry"),
	}
}

func drawStatus(t *rapid.T) replication.Message {
	s := replication.Status{
		Membership: drawMetaVersion(t),
		Registry:   drawVersion(t), Whole: rapid.Bool().Draw(t, "whole"), ID: rapid.Uint64().Draw(t, "id"),
	}
	s.Progress, s.Heads = drawVectors(t), drawVectors(t)
	return s
}

func drawMetaVersion(t *rapid.T) meta.Version {
	return meta.Version{Epoch: rapid.Uint64().Draw(t, "epoch"), Home: meta.StoreID(rapid.StringMatching(`[a-z0-9-]{0,8}`).Draw(t, "home")), Revision: rapid.Uint64().Draw(t, "revision")}
}

func drawFresh(t *rapid.T) replication.Message {
	m := replication.Fresh{Echo: rapid.Uint64().Draw(t, "echo"), Membership: drawMetaVersion(t)}
	for range rapid.IntRange(0, 4).Draw(t, "facts") {
		m.Facts = append(m.Facts, replication.Fact{
			Origin: origins.Draw(t, "origin"), Through: timestamps.Draw(t, "through"), Age: time.Duration(rapid.Int64Min(0).Draw(t, "age")),
		})
	}
	return m
}

func drawVectors(t *rapid.T) map[feature.Shard]hlc.Vector {
	var out map[feature.Shard]hlc.Vector
	for _, shard := range rapid.SliceOfNDistinct(shards, 0, 4, rapid.ID).Draw(t, "shards") {
		if out == nil {
			out = map[feature.Shard]hlc.Vector{}
		}
		out[shard] = drawVector(t)
	}
	return out
}

func drawAudit(t *rapid.T) replication.Audit {
	return replication.Audit{
		Shard: shards.Draw(t, "shard"), Cut: timestamps.Draw(t, "cut"), Horizon: timestamps.Draw(t, "horizon"),
		Bucket: replication.Bucket(rapid.IntRange(0, replication.AuditBuckets).Draw(t, "bucket")),
	}
}

func drawAudited(t *rapid.T) replication.Message {
	a := replication.Audited{Audit: drawAudit(t), Progress: drawVector(t), Collected: timestamps.Draw(t, "collected")}
	if rapid.Bool().Draw(t, "has sums") {
		a.Sums = make([]uint64, replication.AuditBuckets)
		a.Sums[7] = rapid.Uint64().Draw(t, "sum")
	}
	for range rapid.IntRange(0, 4).Draw(t, "rows") {
		a.Rows = append(a.Rows, replication.AuditedRow{
			View: feature.ViewID(rapid.Uint32Min(1).Draw(t, "view")), Key: someBytes.Draw(t, "key"),
			Hash: rapid.Uint64().Draw(t, "hash"), Newest: timestamps.Draw(t, "newest"),
		})
	}
	return a
}

func drawReadRows(t *rapid.T) replication.Message {
	m := replication.ReadRows{ID: rapid.Uint64().Draw(t, "id"), Within: time.Duration(rapid.Int64Min(0).Draw(t, "within")), Leader: rapid.Bool().Draw(t, "leader")}
	for range rapid.IntRange(1, 4).Draw(t, "keys") {
		m.Keys = append(m.Keys, feature.RowKey{
			Shard: shards.Draw(t, "shard"), View: feature.ViewID(rapid.Uint32Min(1).Draw(t, "view")), Key: someBytes.Draw(t, "key"),
		})
	}
	return m
}

func drawRowsRead(t *rapid.T) replication.Message {
	m := replication.RowsRead{ID: rapid.Uint64().Draw(t, "id"), Progress: drawVectors(t), Refused: rapid.StringN(0, 20, -1).Draw(t, "refused")}
	for range rapid.IntRange(0, 4).Draw(t, "rows") {
		var row []byte
		if rapid.Bool().Draw(t, "found") {
			row = someBytes.Draw(t, "row")
		}
		m.Rows = append(m.Rows, row)
	}
	return m
}

func drawMembership(t *rapid.T) replication.Message {
	m := &meta.Membership{Epoch: rapid.Uint64().Draw(t, "epoch"), Revision: rapid.Uint64().Draw(t, "revision"), Home: "eu-1"}
	for _, id := range []meta.StoreID{"eu-1", "us-1"} {
		m.Members = append(m.Members, meta.Member{Store: id, Region: meta.Region(id[:2]), State: meta.Active, Origin: origins.Draw(t, "origin")})
	}
	return replication.MembershipNews{Membership: m}
}

func drawPositions(t *rapid.T) map[feature.Shard]hlc.Timestamp {
	m := rapid.MapOfN(shards, timestamps, 0, 4).Draw(t, "positions")
	if len(m) == 0 {
		return nil
	}
	return m
}

// drawVector draws a vector without zeros, which are the same as none.
func drawVector(t *rapid.T) hlc.Vector {
	v := rapid.MapOfN(origins, rapid.Map(rapid.Uint64Min(1), func(v uint64) hlc.Timestamp { return hlc.Timestamp(v) }), 0, 4).Draw(t, "vector")
	if len(v) == 0 {
		return nil
	}
	return v
}

func drawBytes(t *rapid.T, label string) []byte {
	if rapid.Bool().Draw(t, "no "+label) {
		return nil
	}
	return someBytes.Draw(t, label)
}

func drawTime(t *rapid.T, label string) time.Time {
	if rapid.Bool().Draw(t, "no "+label) {
		return time.Time{}
	}
	return times.Draw(t, label)
}

// fataler is what the helpers need of a testing.TB and of a rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// logRow is a row of view 1 with one number, as a write at a position logs it.
func logRow(t fataler, at hlc.Position, key string, value float64) oplog.Row {
	t.Helper()
	c := feature.Change{EventTime: 1000, Assignments: []feature.Assignment{
		{Feature: 1, Type: feature.ScalarOf(feature.Float64), Value: feature.OfFloat64(value)},
	}}
	row, err := c.Delta(feature.Row{}, at.At, at.Origin)
	if err != nil {
		t.Fatalf("make a delta: %v", err)
	}
	return oplog.Row{View: 1, Key: feature.Key(key), Delta: row}
}

// logged encodes an entry and reads it again.
func logged(t fataler, e oplog.Entry) oplog.Logged {
	t.Helper()
	l, err := oplog.DecodeLogged(oplog.Append(nil, e))
	if err != nil {
		t.Fatalf("make an entry: %v", err)
	}
	return l
}
