package replication

import (
	"context"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication/oplog"
)

// Store is the store in this process, as replication sees it.
type Store interface {
	// Origin is the log that this store writes.
	Origin() hlc.Origin
	// Shards are those that stores of a region hold, by the definitions in force.
	Shards(region meta.Region) []feature.Shard
	// Progress is published: durable, readable, without gaps (I2). It is shared.
	Progress(shard feature.Shard) hlc.Vector
	// Heads are the last entries of each origin's log that are here, by origin,
	// at or below Progress. It is shared.
	Heads(shard feature.Shard) hlc.Vector
	// Changed returns a channel that receives after progress was published.
	Changed() <-chan struct{}
	// Closed is up to when the own log is complete in every shard (I5).
	Closed() (hlc.Timestamp, error)
	// Join hands the next stretch of another origin's log to the committer and
	// returns at once; intervals of one shard and origin follow one another
	// without a gap. Done is called once, from the committer: after the interval
	// is durable and published, or with why it is not.
	Join(iv oplog.Interval, done func(error))
	// Claim publishes that nothing of an origin lies between its progress and
	// at. It is not durable.
	Claim(shard feature.Shard, at hlc.Position)
	// ReadLog returns entries of an origin after a position, of about so many
	// bytes at most but at least one, and through its last; none when there are
	// none. A floor above after says that entries were truncated.
	ReadLog(ctx context.Context, shard feature.Shard, origin hlc.Origin, after hlc.Timestamp, maxBytes int) (iv oplog.Interval, floor hlc.Timestamp, err error)

	// ReadRows returns rows, each nil or as package feature encodes it: those of
	// all keys, or of the first as far as maxBytes hold, of one at least. They are
	// at least as new as Progress said before.
	ReadRows(ctx context.Context, keys []feature.RowKey, maxBytes int) ([][]byte, error)
	// ReadChunk returns the rows after a key (oplog.Chunk), of about so many
	// bytes at most.
	ReadChunk(ctx context.Context, shard feature.Shard, after []byte, maxBytes int) (oplog.Chunk, error)
	// JoinChunk joins a chunk's rows into those that are here, together with a
	// note on how far a rebuilding has come. When start is not nil, progress
	// rises to it, and the log of each origin that it raises begins there.
	JoinChunk(ctx context.Context, c oplog.Chunk, note []byte, start hlc.Vector) error
	// Note returns the note kept last for a shard, nil for none; SetNote keeps
	// another, nil for none.
	Note(shard feature.Shard) []byte
	SetNote(ctx context.Context, shard feature.Shard, note []byte) error

	// Relog logs rows of another store's tail again under this store's origin,
	// with the versions they had, and returns the last position.
	Relog(ctx context.Context, shard feature.Shard, entries []oplog.Logged) (hlc.Position, error)

	// Truncate removes entries of an origin up to and including a position,
	// those alone that are older than minAge. LogBytes is about what the logs of
	// a shard take.
	Truncate(ctx context.Context, shard feature.Shard, through hlc.Position, minAge time.Duration) error
	LogBytes(shard feature.Shard) int64
	// TruncateTo removes the oldest entries of a shard, of whatever origin,
	// until its logs take at most so many bytes and none is older than maxAge.
	TruncateTo(ctx context.Context, shard feature.Shard, maxBytes int64, maxAge time.Duration) error
	// Collect removes tombstones below a horizon.
	Collect(ctx context.Context, shard feature.Shard, horizon hlc.Timestamp) error

	// Membership returns the document kept last, nil for none; SetMembership
	// keeps another and returns when it is durable.
	Membership() []byte
	SetMembership(ctx context.Context, encoded []byte) error
	// Registry returns the definitions in force; AdoptRegistry takes those of
	// another store when their version is greater. SetLine says under which home
	// definitions are applied here from now on; zero: this store is not it.
	Registry() *feature.Registry
	EncodedRegistry() (version feature.RegistryVersion, encoded []byte, err error)
	AdoptRegistry(ctx context.Context, encoded []byte) error
	SetLine(line feature.Line)

	// SetWriting allows or refuses writes of clients. It returns after the last
	// write that was begun before is published, so that the own head stands.
	SetWriting(ctx context.Context, allowed bool) error
	// SetLeading says which shards of leader groups this store leads, each under an
	// origin of its own. It returns after the last write that was begun before is
	// published, and after each new term has a first entry that waits for the
	// positions given.
	SetLeading(ctx context.Context, leads map[feature.Shard]hlc.Origin, after map[feature.Shard][]hlc.Position) error
	// Cut removes entries of a log that has ended beyond its end.
	Cut(ctx context.Context, shard feature.Shard, end hlc.Position) error
	// Digest visits every row of a shard in one snapshot, by rising key, as it
	// would be with tombstones below a horizon collected: with a hash of its
	// contents and the youngest timestamp in it, until visit returns false.
	Digest(ctx context.Context, shard feature.Shard, horizon hlc.Timestamp, visit func(view feature.ViewID, key feature.Key, hash uint64, newest hlc.Timestamp) bool) (progress hlc.Vector, collected hlc.Timestamp, err error)

	// Witness raises the clock to a timestamp of another store; it fails when
	// that is too far ahead.
	Witness(t hlc.Timestamp) error
	// Now is the wall clock, Clock the one that orders writes.
	Now() time.Time
	Clock() *hlc.Clock
}
