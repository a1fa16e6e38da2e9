package replication

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication/oplog"
)

// rebuild is a shard on its way to be whole: its rows are copied in chunks from
// members that are whole, then the logs are followed from what every chunk held
// until what any of them held is here.
//
// Chunks come from different moments. The rows they bring hold at least Low,
// the least of their vectors, so that following from there misses nothing; and
// at most High, the greatest, so that before it the rows are no prefix of the
// logs. (The last chunk's vector instead of Low loses entries of the earlier
// ones; Low without High takes a torn copy for whole.)
type rebuild struct {
	After     []byte // where the next chunk begins; nil for the first
	Begun     bool   // a chunk was joined
	Copied    bool   // all were
	Low, High hlc.Vector

	// Of this life only.
	need    hlc.Vector // what the source must have: what no log brings any more
	source  meta.StoreID
	asked   time.Duration // when a chunk was asked for; 0: it was not
	refused bool          // and the source said that it cannot
	joining bool          // a chunk is on its way into the store
	sender  meta.StoreID  // who sent it
	relog   bool          // what lies beyond seals is being logged again
	last    bool          // it is the last
}

// maxCopies bounds the shards of which a chunk is on its way here: chunks that
// come faster than they are joined wait in memory.
const maxCopies = 16

func (s *shard) isCopying() bool { return s.rebuild != nil && !s.rebuild.Copied }

// add takes a chunk's vector into account, purely.
func (r *rebuild) add(progress, barrier hlc.Vector) {
	if r.Begun {
		r.Low = r.Low.Floor(progress)
	} else {
		r.Low, r.Begun = progress.Clone(), true
	}
	r.High = r.High.Merge(progress).Merge(barrier)
}

// joined is the rebuild as it is once the chunk that is on its way has arrived.
func (r *rebuild) joined() *rebuild {
	after := *r
	after.Copied = r.last
	return &after
}

// begin starts to rebuild a shard, unless that is under way. Need is what the log
// that was asked for last does not bring; whoever said so has it.
func (c *Core) begin(id feature.Shard, need hlc.Vector) {
	s := c.shards[id]
	switch {
	case s.rebuild == nil:
		s.rebuild = &rebuild{}
		c.counts.Rebuilds++
		c.emit(SetNote{Shard: id, Note: encodeRebuild(s.rebuild)})
	case s.rebuild.Copied:
		// The logs were cut again before they brought what the copy lacks. Its
		// rows stay, and so does what they hold beyond progress.
		s.rebuild = &rebuild{High: s.rebuild.High}
		c.emit(SetNote{Shard: id, Note: encodeRebuild(s.rebuild)})
	}
	s.rebuild.need = need
}

// diverged has a shard copied whose rows differ from another member's: whatever
// the cause, the join of both is at least what the log says. The other one finds
// the same, and copies too.
func (c *Core) diverged(in Diverged) {
	c.counts.Diverged += uint64(in.Rows)
	if c.shards[in.Shard] != nil {
		c.begin(in.Shard, nil)
	}
}

// copyAll begins with every shard that a joining store has nothing of yet.
func (c *Core) copyAll() {
	for _, id := range c.order {
		s := c.shards[id]
		if !s.begun {
			s.begun = true
			c.begin(id, nil)
		}
	}
}

// copyShards asks for the next chunk of every shard that is being copied, and
// ends what has passed its barrier.
func (c *Core) copyShards() {
	if !c.isMember() {
		return
	}
	room := maxCopies
	for _, id := range c.order {
		if s := c.shards[id]; s.isCopying() && c.isOnItsWay(s.rebuild) {
			room--
		}
	}
	for _, id := range c.order {
		switch s := c.shards[id]; {
		case s.rebuild == nil:
		case s.isCopying() && c.self().State == meta.Joining && !s.rebuild.joining && c.knowsDefinitions() && !c.isElsewhere(id, meta.Active, meta.Leaving, meta.Fenced):
			// There is nobody to copy from, and will not be: it has what there is.
			s.rebuild.Copied = true
		case !s.isCopying():
			c.passBarrier(id, s)
		case room > 0 && c.fetch(id, s.rebuild):
			room--
		}
	}
}

// isOnItsWay reports whether the next chunk of a copy may still come.
func (c *Core) isOnItsWay(r *rebuild) bool {
	return r.joining || !r.refused && c.isAsked(r)
}

// isAsked reports whether it is too early to ask for the next chunk again.
func (c *Core) isAsked(r *rebuild) bool {
	return r.asked > 0 && c.now.Mono-r.asked < 4*c.cfg.Stall
}

// fetch asks for the next chunk, or returns false when that is not due or nobody
// can be asked.
func (c *Core) fetch(id feature.Shard, r *rebuild) bool {
	if r.joining || c.isAsked(r) {
		return false
	}
	if r.asked > 0 || r.source == "" {
		r.source = c.chunkSource(id, r.source)
	}
	if r.source == "" {
		return false
	}
	r.asked, r.refused = max(c.now.Mono, 1), false
	c.emit(Send{To: r.source, Message: Fetch{Shard: id, After: r.After}})
	return true
}

// chunkSource picks a member in reach that has what is needed: a whole one, and
// another than the last, as far as there is one. One that is rebuilding what it
// missed will do: two members that have both truncated what the other lacks have
// nobody else.
func (c *Core) chunkSource(id feature.Shard, last meta.StoreID) meta.StoreID {
	need := c.stillNeeded(id)
	best, bestRank := meta.StoreID(""), 0
	for _, x := range c.membership.Members {
		p := c.peers[x.Store]
		if x.State != meta.Active || p == nil || !p.dialed || !p.isLive(c.now.Mono, c.cfg.Stall) || !c.holds(id)(x) || !p.progress[id].Covers(need) {
			continue
		}
		rank := 1
		if p.whole {
			rank += 2
		}
		if x.Store != last {
			rank++
		}
		if rank > bestRank {
			best, bestRank = x.Store, rank
		}
	}
	return best
}

// stillNeeded is what a copy must bring. Of an origin that has ended since, or
// that is ending, nobody has to have more than counts.
func (c *Core) stillNeeded(id feature.Shard) hlc.Vector {
	need := hlc.Vector{}
	for o, at := range c.shards[id].rebuild.need {
		if limit, fenced := c.membership.Limit(id, o); !fenced {
			need[o] = min(at, limit)
		}
	}
	return need
}

// passBarrier ends a rebuilding once progress covers its barrier. Beyond the
// seal of an origin there is nothing to wait for, but the copy may have brought
// rows from there: the store that they came from was evicted before others had
// the log of them. They are logged again first, so that they reach every member.
func (c *Core) passBarrier(id feature.Shard, s *shard) {
	r := s.rebuild
	high, beyond := c.upToSeals(id, r.High)
	switch {
	case r.relog || !c.withOwnHead(id).Covers(high):
	case len(beyond) > 0:
		r.relog = true
		c.emit(RelogBeyond{Shard: id, Finals: beyond})
	default:
		s.rebuild = nil
		c.emit(SetNote{Shard: id})
	}
}

// upToSeals is a vector as far as it counts: of an origin that has ended, up to
// its seal. Beyond are the seals that it went past.
func (c *Core) upToSeals(id feature.Shard, v hlc.Vector) (counted, beyond hlc.Vector) {
	counted, beyond = v.Clone(), hlc.Vector{}
	for o, at := range v {
		if seal, ok := c.membership.Sealed(o); ok && at > seal.Final[id] {
			counted[o], beyond[o] = seal.Final[id], seal.Final[id]
		}
	}
	return counted, beyond
}

// beyondRelogged takes that what a copy brought from beyond seals is in this
// store's own log now, or that it has to be tried again.
func (c *Core) beyondRelogged(in BeyondRelogged) {
	s := c.shards[in.Shard]
	if s == nil || s.rebuild == nil || !s.rebuild.relog {
		return
	}
	s.rebuild.relog = false
	if in.Err == nil {
		for o, final := range in.Finals {
			s.rebuild.High[o] = min(s.rebuild.High[o], final)
		}
	}
}

// withOwnHead is the progress of a shard; the own origin's is never behind.
func (c *Core) withOwnHead(id feature.Shard) hlc.Vector {
	v := c.cfg.Local.Progress(id).Clone()
	v[c.cfg.Self.Origin] = ^hlc.Timestamp(0)
	return v
}

// receiveChunk takes the chunk that is next, whoever was asked for it last: one
// that comes late counts, or on a slow way none would. Of a store that is being
// put out, rows may lie beyond where its log will have ended (I8).
func (c *Core) receiveChunk(from *peer, m oplog.Chunk) {
	s := c.shards[m.Shard]
	x, _ := c.membership.Member(from.id)
	if s == nil || !s.isCopying() || s.rebuild.joining || x.State != meta.Active && x.State != meta.Leaving || string(m.After) != string(s.rebuild.After) {
		return
	}
	r := s.rebuild
	// Who is whole has nothing from beyond a seal, though its progress may lie there:
	// the log was known to be complete up to a time after its last entry.
	m.Progress, _ = c.upToSeals(m.Shard, m.Progress)
	out := JoinChunk{Chunk: m}
	if high := r.High.Merge(m.Progress).Merge(m.Barrier); !r.High.Covers(high) {
		before := *r
		before.High = high
		out.Before = encodeRebuild(&before)
	}
	r.add(m.Progress, m.Barrier)
	if c.cfg.Faults.Has(fault.LastVectorWins) {
		r.Low, r.High, out.Before = m.Progress.Clone(), m.Progress.Clone(), nil
	}
	r.After, r.joining, r.last, r.sender = m.Next, true, m.Next == nil, from.id
	out.Note = encodeRebuild(r.joined())
	if r.last {
		out.Start = r.Low.Clone()
		delete(out.Start, c.cfg.Self.Origin)
	}
	c.emit(out)
}

// chunkJoined goes on with the next.
func (c *Core) chunkJoined(in ChunkJoined) {
	s := c.shards[in.Shard]
	r := s.rebuild
	if r == nil {
		return
	}
	r.joining, r.asked, r.Copied = false, 0, r.last && in.Err == nil
	if in.Err != nil {
		// From the start, after a while: what was joined is joined again.
		*r = rebuild{High: r.High, need: r.need, source: r.source, asked: max(1, c.now.Mono)}
		return
	}
	if r.Copied {
		for o, at := range c.cfg.Local.Progress(in.Shard) {
			s.pending[o] = max(s.pending[o], at)
		}
		for _, f := range c.following {
			f.gap = true
		}
	}
}

// barrier is up to where rows of a shard may go beyond its progress; nil when
// they do not. Who gets it may keep it.
func (c *Core) barrier(id feature.Shard) hlc.Vector {
	if s := c.shards[id]; s != nil && s.rebuild != nil {
		return s.rebuild.High.Clone()
	}
	return nil
}

// receiveFetch serves a chunk to a member that is being rebuilt. One that asks
// again before it was sent is waiting for it.
func (c *Core) receiveFetch(p *peer, m Fetch) {
	x, ok := c.membership.Member(p.id)
	if !ok || x.State == meta.Removed || c.shards[m.Shard] == nil || !c.holds(m.Shard)(x) || c.self().State != meta.Active {
		c.emit(Send{To: p.id, Serving: true, Message: Refused{Shard: m.Shard}})
		return
	}
	if !p.chunks[m.Shard] {
		p.chunks[m.Shard] = true
		c.emit(ServeChunk{To: p.id, Fetch: m})
	}
}

// refused asks another member.
func (c *Core) refused(from *peer, id feature.Shard) {
	if s := c.shards[id]; s != nil && s.isCopying() && s.rebuild.source == from.id && !s.rebuild.joining {
		s.rebuild.refused = true
		s.rebuild.asked = max(1, c.now.Mono-4*c.cfg.Stall+c.cfg.Heartbeat)
	}
}

// Encoding of a rebuild, the note that a store keeps for a shard:
//
//	u8 format | u8 flags (begun, copied) | uvarint length, after | vector | vector
//	vector: uvarint n x { u32 origin | u64 at }, by rising origin
const rebuildFormat = 1

var errNote = errors.New("corrupt note of a rebuilding")

func encodeRebuild(r *rebuild) []byte {
	flags := byte(0)
	if r.Begun {
		flags |= 1
	}
	if r.Copied {
		flags |= 2
	}
	if r.After != nil {
		flags |= 4
	}
	b := append(binary.AppendUvarint([]byte{rebuildFormat, flags}, uint64(len(r.After))), r.After...)
	for _, v := range []hlc.Vector{r.Low, r.High} {
		b = binary.AppendUvarint(b, uint64(len(v)))
		for _, o := range slices.Sorted(maps.Keys(v)) {
			b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, uint32(o)), uint64(v[o]))
		}
	}
	return b
}

func decodeRebuild(b []byte) (*rebuild, error) {
	if len(b) < 3 || b[0] != rebuildFormat || b[1] > 7 {
		return nil, errNote
	}
	r := &rebuild{Begun: b[1]&1 != 0, Copied: b[1]&2 != 0}
	n, used := binary.Uvarint(b[2:])
	rest := b[2+max(used, 0):]
	if used <= 0 || n > uint64(len(rest)) {
		return nil, errNote
	}
	if b[1]&4 != 0 {
		r.After = append([]byte{}, rest[:n]...)
	}
	rest = rest[n:]
	for _, v := range []*hlc.Vector{&r.Low, &r.High} {
		n, used := binary.Uvarint(rest)
		if used <= 0 || n > uint64(len(rest))/12 {
			return nil, errNote
		}
		rest = rest[used:]
		*v = hlc.Vector{}
		for range n {
			(*v)[hlc.Origin(binary.BigEndian.Uint32(rest))] = hlc.Timestamp(binary.BigEndian.Uint64(rest[4:]))
			rest = rest[12:]
		}
	}
	if len(rest) > 0 {
		return nil, errNote
	}
	return r, nil
}
