package replication

import (
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication/oplog"
)

// Message is what stores tell each other: one of the types below. Messages may
// be lost, repeated, delayed and reordered; each is harmless then. A Message is
// shared once it is sent and must not be modified.
type Message interface{ message() }

// Hello opens a conversation and introduces a store.
type Hello struct {
	Member meta.Member
	// Deployment is shared by stores that may talk to each other.
	Deployment  string
	Incarnation uint32
}

// Follow asks for an origin's log: everything after the positions given, and
// what comes later. It replaces what was asked of the origin before.
type Follow struct {
	Origin hlc.Origin
	After  map[feature.Shard]hlc.Timestamp
}

// Unfollow ends a Follow.
type Unfollow struct{ Origin hlc.Origin }

// Interval brings a stretch of a log.
type Interval struct{ oplog.Interval }

// Closed is an Interval without entries for many shards at once: in each shard
// named, nothing follows the position given up to Through.
type Closed struct {
	Origin  hlc.Origin
	Through hlc.Timestamp
	After   map[feature.Shard]hlc.Timestamp
}

// Truncated says that the log asked for does not begin where it was asked to
// begin: entries up to Floor are gone from this store.
type Truncated struct {
	Shard  feature.Shard
	Origin hlc.Origin
	Floor  hlc.Timestamp
}

// Status tells how far the sender has come, and what it knows of the whole.
type Status struct {
	// Progress is published and durable there, by shard. A shard that is absent
	// has not changed since the last Status.
	Progress map[feature.Shard]hlc.Vector
	// Heads are the last entries there of origins whose members leave or are
	// fenced, and while one is fenced of those that have ended: what a seal is
	// decided from.
	Heads map[feature.Shard]hlc.Vector
	// Membership is the version of the document that the sender keeps on disk and
	// obeys; zero when it knows none.
	Membership meta.Version
	// Registry is the version of the definitions in force there.
	Registry feature.RegistryVersion
	// Whole says that the sender is rebuilding nothing: it may be a source.
	Whole bool
	// ID numbers what the sender tells, rising; the answer is a Fresh.
	ID uint64
}

// Fresh tells how recent logs are, by the reader's own sense of time: whatever
// was accepted before the reader sent the Status that is echoed, minus Age, is
// stamped at or before Through. No two clocks are compared.
type Fresh struct {
	Echo  uint64 // ID of the last Status of the reader
	Facts []Fact
	// Membership is of the document in force at the sender. For a while it obeys
	// none in which the reader is deposed.
	Membership meta.Version
}

// Fact is what Fresh tells of one origin. Age is zero for the sender's own.
type Fact struct {
	Origin  hlc.Origin
	Through hlc.Timestamp
	Age     time.Duration
}

// MembershipNews brings a document to a store that holds an older one.
type MembershipNews struct{ Membership *meta.Membership }

// RegistryNews brings the definitions in force, as online.Store encodes them.
type RegistryNews struct {
	Version feature.RegistryVersion
	Encoded []byte
}

// Ping measures the round trip and the difference of clocks; Pong answers it.
type Ping struct{ ID uint64 }

// Pong answers a Ping with the wall clock of the store that answers.
type Pong struct {
	ID   uint64
	Wall time.Time
}

// Fetch asks for a chunk of a shard's rows.
type Fetch struct {
	Shard feature.Shard
	After []byte // see oplog.Chunk; nil for the first
}

// Chunk answers a Fetch; so does Refused.
type Chunk struct{ oplog.Chunk }

// Refused answers a Fetch of a store that cannot serve the shard now; with an
// Origin, a Follow of a log that it has and cannot read.
type Refused struct {
	Shard  feature.Shard
	Origin hlc.Origin
}

// Relog asks an active member to log entries again that the sender, which was
// evicted, has beyond the seal of its origin.
type Relog struct {
	Shard   feature.Shard
	Entries []oplog.Logged
}

// Relogged answers Relog: where all entries after After, up to and including
// UpTo, went. A zero position says that they were refused.
type Relogged struct {
	Shard       feature.Shard
	Origin      hlc.Origin
	After, UpTo hlc.Timestamp
	As          hlc.Position
}

// Audit asks what a store has of a shard, to compare (anti-entropy). Without a
// Bucket it asks for the sums of all, else for the rows of one.
type Audit struct {
	Shard feature.Shard
	// Cut leaves out rows with anything younger. Horizon leaves out rows that
	// are nothing but a tombstone below it.
	Cut, Horizon hlc.Timestamp
	Bucket       Bucket
}

// Bucket is one part of a shard's keys, by hash: 1 to AuditBuckets; 0 is none.
type Bucket uint16

// AuditBuckets is in how many parts a shard is compared.
const AuditBuckets = 256

// Audited answers an Audit.
type Audited struct {
	Audit
	// Progress is that of the snapshot; Collected its horizon.
	Progress  hlc.Vector
	Collected hlc.Timestamp
	// Sums has one element a bucket, unless a bucket was asked for.
	Sums []uint64
	// Rows are those of the bucket, at most MaxAuditedRows.
	Rows []AuditedRow
}

// MaxAuditedRows bounds an Audited.
const MaxAuditedRows = 10_000

// AuditedRow stands for a row in an Audited.
type AuditedRow struct {
	View   feature.ViewID
	Key    feature.Key
	Hash   uint64
	Newest hlc.Timestamp
}

// ReadRows asks for rows as they are now, for a read that joins those of several
// members. It asks for at least one, at most MaxReadKeys, and keys of
// MaxReadBytes together.
type ReadRows struct {
	// ID is what the answer carries.
	ID uint64
	// Within is how long who asks waits: nobody reads for one that has gone.
	Within time.Duration
	Keys   []feature.RowKey
	// Leader says that the rows must stand at level leader.
	Leader bool
}

// RowsRead answers ReadRows.
type RowsRead struct {
	ID uint64
	// Progress is that of the rows' shards, taken before the rows were read.
	Progress map[feature.Shard]hlc.Vector
	// Rows are those of the first keys, as package feature encodes them, nil where
	// there is none: all, or as many as MaxReadBytes hold, at least one.
	Rows [][]byte
	// Refused says why nothing was read; "" when it was.
	Refused string
}

// Bounds of ReadRows and RowsRead. A row that is larger comes alone.
const (
	MaxReadKeys  = 1024
	MaxReadBytes = 1 << 20
)

func (Hello) message()          {}
func (Follow) message()         {}
func (Unfollow) message()       {}
func (Interval) message()       {}
func (Closed) message()         {}
func (Truncated) message()      {}
func (Status) message()         {}
func (Fresh) message()          {}
func (MembershipNews) message() {}
func (RegistryNews) message()   {}
func (Ping) message()           {}
func (Pong) message()           {}
func (Fetch) message()          {}
func (Chunk) message()          {}
func (Refused) message()        {}
func (Relog) message()          {}
func (Relogged) message()       {}
func (Audit) message()          {}
func (Audited) message()        {}
func (ReadRows) message()       {}
func (RowsRead) message()       {}
