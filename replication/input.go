package replication

import (
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication/oplog"
)

// Input is something that happened: one of the types below.
type Input interface{ input() }

// Opened says that a conversation with a peer has begun. Serving is one that
// the peer dialed; each peer has at most one of either kind, the latest.
type Opened struct {
	Hello   Hello
	Serving bool
}

// Ended says that a conversation is over.
type Ended struct {
	Store   meta.StoreID
	Serving bool
}

// Received brings a peer's message.
type Received struct {
	From    meta.StoreID
	Message Message
}

// Joined says what became of a Join.
type Joined struct {
	Shard    feature.Shard
	Position hlc.Position
	Entries  int
	Err      error
}

// Served says how far one read of a Serve was sent, and whether the log began
// only after Floor. Unreadable says that the store could not read it.
type Served struct {
	To      meta.StoreID
	Read    LogRead
	Through hlc.Timestamp
	Floor   hlc.Timestamp
	Err     error

	Unreadable bool
}

// ServeEnded says that all reads of a Serve were answered.
type ServeEnded struct{ To meta.StoreID }

// ChunkServed says that a ServeChunk was sent, or could not be.
type ChunkServed struct {
	To    meta.StoreID
	Shard feature.Shard
}

// Tick comes every heartbeat. Closed is up to when the own log is complete, zero
// when the store cannot say.
type Tick struct{ Closed hlc.Timestamp }

// Closing says up to when the own log is complete, between ticks, as Tick does.
type Closing struct{ Closed hlc.Timestamp }

// Adopted says that definitions of another store were taken, or refused.
type Adopted struct{}

// RegistrySent answers SendRegistry, sent or not.
type RegistrySent struct{ To meta.StoreID }

// RelogEnded answers RelogFor, logged or not.
type RelogEnded struct {
	To    meta.StoreID
	Shard feature.Shard
}

// Diverged says how many rows of a shard differ from another member's.
type Diverged struct {
	Shard feature.Shard
	Rows  int
}

// Kept says that a membership is on disk, or why not.
type Kept struct {
	Membership *meta.Membership
	Err        error
}

// WritingSet says that the store obeys SetWriting.
type WritingSet struct{ Allowed bool }

// ChunkJoined says what became of a JoinChunk.
type ChunkJoined struct {
	Shard feature.Shard
	Err   error
}

// BeyondRelogged answers RelogBeyond.
type BeyondRelogged struct {
	Shard  feature.Shard
	Finals hlc.Vector
	Err    error
}

// Salvaged says that a piece of the own tail of a shard was offered to a peer;
// Empty that there is none, and Floor, where it is not zero, that what lies
// before it is gone.
type Salvaged struct {
	Shard feature.Shard
	Floor hlc.Timestamp
	Empty bool
}

func (Opened) input()         {}
func (Ended) input()          {}
func (Received) input()       {}
func (Joined) input()         {}
func (Served) input()         {}
func (ServeEnded) input()     {}
func (ChunkServed) input()    {}
func (Tick) input()           {}
func (Closing) input()        {}
func (Adopted) input()        {}
func (RegistrySent) input()   {}
func (RelogEnded) input()     {}
func (Diverged) input()       {}
func (Kept) input()           {}
func (WritingSet) input()     {}
func (ChunkJoined) input()    {}
func (BeyondRelogged) input() {}
func (Salvaged) input()       {}

// Output is something to do: one of the types below. Outputs of one kind that
// concern one shard are done in the order in which they were given.
type Output interface{ output() }

// Send sends a message to a peer, on the conversation that the peer dialed
// where Serving is set. When there is none the message is dropped.
type Send struct {
	To      meta.StoreID
	Serving bool
	Message Message
}

// Join joins an interval; Joined answers.
type Join struct{ Interval oplog.Interval }

// Claim publishes that nothing of an origin lies before a position.
type Claim struct {
	Shard    feature.Shard
	Position hlc.Position
}

// LogRead asks for one origin's log in a shard.
type LogRead struct {
	Shard  feature.Shard
	Origin hlc.Origin
	After  hlc.Timestamp
}

// Serve reads logs and sends them to a peer as Intervals; a Served answers each
// read, and a ServeEnded all. There is one at a time for each peer.
type Serve struct {
	To    meta.StoreID
	Reads []LogRead
}

// ServeChunk reads a chunk and sends it to a peer; ChunkServed answers.
type ServeChunk struct {
	To    meta.StoreID
	Fetch Fetch
}

// JoinChunk joins a chunk; ChunkJoined answers. See Store.JoinChunk. Before, when
// not nil, is a note to keep before any of its rows is joined.
type JoinChunk struct {
	Chunk  oplog.Chunk
	Before []byte
	Note   []byte
	Start  hlc.Vector
}

// SetNote keeps a shard's note.
type SetNote struct {
	Shard feature.Shard
	Note  []byte
}

// Keep keeps a membership on disk; Kept answers.
type Keep struct{ Membership *meta.Membership }

// SetWriting allows or refuses writes of clients; WritingSet answers.
type SetWriting struct{ Allowed bool }

// AdoptRegistry takes the definitions of another store; Adopted answers.
type AdoptRegistry struct{ Encoded []byte }

// SendRegistry sends the definitions in force to a peer, as Send does;
// RegistrySent answers. There is one at a time for each peer.
type SendRegistry struct {
	To      meta.StoreID
	Serving bool
}

// TruncateLog removes entries that everyone has; LimitLog bounds what is kept
// in a shard for those who have not.
type TruncateLog struct {
	Shard   feature.Shard
	Through hlc.Position
}

// LimitLog bounds the bytes and the age of a shard's logs.
type LimitLog struct{ Shard feature.Shard }

// Collect removes tombstones below a horizon.
type Collect struct {
	Shard   feature.Shard
	Horizon hlc.Timestamp
}

// RelogFor logs another store's tail again and tells it so; RelogEnded answers.
// There is one at a time for each peer and shard, and maxOffers for each peer.
type RelogFor struct {
	To      meta.StoreID
	Shard   feature.Shard
	Entries []oplog.Logged
}

// answer says where the entries went.
func (o RelogFor) answer(as hlc.Position) Relogged {
	return Relogged{Shard: o.Shard, After: o.Entries[0].Prev, UpTo: o.Entries[len(o.Entries)-1].At, As: as}
}

// RelogBeyond logs again, under this store's origin, what rows hold of ended
// origins beyond their seals; BeyondRelogged answers.
type RelogBeyond struct {
	Shard  feature.Shard
	Finals hlc.Vector
}

// Salvage offers the own tail after a position to a peer; Salvaged answers.
type Salvage struct {
	To    meta.StoreID
	Shard feature.Shard
	After hlc.Timestamp
}

// ServeAudit answers an Audit of a peer.
type ServeAudit struct {
	To  meta.StoreID
	Ask Audit
}

// Retired says that this store was removed, and that its tail is taken care of:
// it has to begin anew, under another origin. Drained says that it had no tail,
// because it left in order. Kept are shards of which it has one that stays in its
// directory, for no other member holds them.
type Retired struct {
	Drained bool
	Kept    []feature.Shard
}

func (Send) output()          {}
func (Join) output()          {}
func (Claim) output()         {}
func (Serve) output()         {}
func (ServeChunk) output()    {}
func (JoinChunk) output()     {}
func (SetNote) output()       {}
func (Keep) output()          {}
func (SetWriting) output()    {}
func (AdoptRegistry) output() {}
func (SendRegistry) output()  {}
func (TruncateLog) output()   {}
func (LimitLog) output()      {}
func (Collect) output()       {}
func (RelogFor) output()      {}
func (RelogBeyond) output()   {}
func (Salvage) output()       {}
func (ServeAudit) output()    {}
func (Retired) output()       {}
