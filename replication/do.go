package replication

import (
	"context"
	"errors"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication/oplog"
)

// do carries out what the core said. Bytes are what the input's interval holds
// of the flight; they go back when it is joined, or at once when it is not.
func (n *Node) do(ctx context.Context, out []Output, bytes int64) {
	for _, o := range out {
		switch o := o.(type) {
		case Join:
			held := bytes
			bytes = 0
			n.cfg.Store.Join(o.Interval, func(err error) {
				if held > 0 {
					n.flight.Release(held)
				}
				n.offer(Joined{Shard: o.Interval.Shard, Position: o.Interval.Position(), Entries: len(o.Interval.Entries), Err: err})
			})
		case Claim:
			n.cfg.Store.Claim(o.Shard, o.Position)
		case Send:
			n.links.send(o)
		case Serve:
			n.links.serve(o)
		case ServeChunk:
			n.links.serveChunk(o)
		case ServeAudit:
			n.links.task(o.To, func(ctx context.Context, c Conversation) error { return n.serveAudit(ctx, c, o.Ask) })
		case TruncateLog:
			n.upkeep.offer(func(ctx context.Context) {
				n.complain("truncate the log", n.cfg.Store.Truncate(ctx, o.Shard, o.Through, n.cfg.LogMinAge))
			})
		case LimitLog:
			n.upkeep.offer(func(ctx context.Context) {
				n.complain("limit the log", n.cfg.Store.TruncateTo(ctx, o.Shard, n.cfg.LogMaxBytes, n.cfg.LogMaxAge))
			})
		case Collect:
			n.upkeep.offer(func(ctx context.Context) {
				n.complain("collect tombstones", n.cfg.Store.Collect(ctx, o.Shard, o.Horizon))
			})
		case Retired:
			if len(o.Kept) > 0 {
				n.cfg.Logger.Warn("this store was evicted, and no other one holds some of its groups: what it wrote there stays in its old directory", "shards", o.Kept)
			}
			n.ended <- map[bool]error{true: ErrDrained, false: ErrRetired}[o.Drained]
		default:
			n.tasks.add(func(ctx context.Context) { n.perform(ctx, o) })
		}
	}
	if bytes > 0 {
		n.flight.Release(bytes)
	}
}

// perform does what waits for the disk and has to be done in order.
func (n *Node) perform(ctx context.Context, o Output) {
	switch o := o.(type) {
	case Keep:
		err := n.keep(ctx, o.Membership)
		n.complain("keep the membership", err)
		n.offer(Kept{Membership: o.Membership, Err: err})
	case SetWriting:
		if !o.Allowed {
			n.writing.Store(false)
		}
		err := n.cfg.Store.SetWriting(ctx, o.Allowed)
		if err != nil {
			n.complain("change whether writes are taken", err)
			return
		}
		n.writing.Store(o.Allowed)
		n.offer(WritingSet(o))
	case SetLeading:
		after := make(map[feature.Shard][]hlc.Position, len(o.Origins))
		for shard := range o.Origins {
			after[shard] = n.heads(shard)
		}
		err := n.cfg.Store.SetLeading(ctx, o.Origins, after)
		n.complain("change what is led", err)
		n.offer(LeadingSet{Origins: o.Origins, Err: err})
	case Cut:
		n.complain("remove what lies beyond the end of a log", n.cfg.Store.Cut(ctx, o.Shard, o.End))
	case SetNote:
		n.complain("keep how far a rebuilding is", n.cfg.Store.SetNote(ctx, o.Shard, o.Note))
	case JoinChunk:
		var err error
		if o.Before != nil {
			err = n.cfg.Store.SetNote(ctx, o.Chunk.Shard, o.Before)
		}
		if err == nil {
			err = n.cfg.Store.JoinChunk(ctx, o.Chunk, o.Note, o.Start)
		}
		n.complain("join copied rows", err)
		n.offer(ChunkJoined{Shard: o.Chunk.Shard, Err: err})
	case AdoptRegistry:
		n.complain("take definitions of another store", n.cfg.Store.AdoptRegistry(ctx, o.Encoded))
		n.offer(Adopted{})
	case SendRegistry:
		version, encoded, err := n.cfg.Store.EncodedRegistry()
		if n.complain("encode definitions", err); err == nil {
			n.links.send(Send{To: o.To, Serving: o.Serving, Message: RegistryNews{Version: version, Encoded: encoded}})
		}
		n.offer(RegistrySent{To: o.To})
	case RelogFor:
		n.relogFor(ctx, o)
		n.offer(RelogEnded{To: o.To, Shard: o.Shard})
	case RelogBeyond:
		err := n.relogBeyond(ctx, o)
		n.complain("log rows from beyond a seal again", err)
		n.offer(BeyondRelogged{Shard: o.Shard, Finals: o.Finals, Err: err})
	case Salvage:
		n.salvage(ctx, o)
	}
}

// keep writes a document, unless a newer one was written: an operator's change
// and what another store tells may change places on the way here.
func (n *Node) keep(ctx context.Context, m *meta.Membership) error {
	if n.kept != nil && m.Compare(n.kept) <= 0 {
		return nil
	}
	err := n.cfg.Store.SetMembership(ctx, meta.AppendMembership(nil, m))
	if err == nil {
		n.kept = m
	}
	return err
}

func (n *Node) relogFor(ctx context.Context, o RelogFor) {
	p, err := n.cfg.Store.Relog(ctx, o.Shard, o.Entries)
	if n.complain("log another store's tail again", err); err != nil {
		return // it will ask again
	}
	n.links.send(Send{To: o.To, Serving: true, Message: o.answer(p)})
}

// salvage offers a piece of a tail.
func (n *Node) salvage(ctx context.Context, o Salvage) {
	iv, floor, err := n.cfg.Store.ReadLog(ctx, o.Shard, o.After.Origin, o.After.At, n.cfg.ReadBytes)
	if err == nil && floor > o.After.At {
		n.cfg.Logger.Warn("what this store wrote after it was cut off is in part too old to be handed over; it is kept with the old data",
			"group", o.Shard.Group, "partition", o.Shard.Partition, "up_to", floor)
		iv, _, err = n.cfg.Store.ReadLog(ctx, o.Shard, o.After.Origin, floor, n.cfg.ReadBytes)
	}
	n.complain("read what lies beyond the end of a log", err)
	switch {
	case err != nil || len(iv.Entries) == 0:
	case o.To == n.cfg.Self.Store:
		n.takeOwnTail(ctx, o.Shard, iv.Entries)
	default:
		n.links.send(Send{To: o.To, Message: Relog{Shard: o.Shard, Entries: iv.Entries}})
	}
	if floor <= o.After.At {
		floor = 0
	}
	n.offer(Salvaged{Shard: o.Shard, Origin: o.After.Origin, Floor: floor, Empty: err == nil && len(iv.Entries) == 0})
}

// takeOwnTail logs a piece of a tail that is here again, where this store leads
// the shard itself, if nothing in it is too old (I6).
func (n *Node) takeOwnTail(ctx context.Context, shard feature.Shard, entries []oplog.Logged) {
	takes := RelogFor{To: n.cfg.Self.Store, Shard: shard, Entries: entries}
	var as hlc.Position
	if oldest(entries) > hlc.New(n.cfg.Store.Now().UnixMilli()-n.cfg.Grace.Milliseconds(), 0) {
		var err error
		if as, err = n.cfg.Store.Relog(ctx, shard, entries); err != nil {
			n.complain("log what lies beyond the end of a log again", err)
			return // it is tried again
		}
	}
	n.offer(OwnTailTaken{takes.answer(as)})
}

// serveReads reads logs and sends them, one interval each. A log that cannot be
// read keeps no other back; a conversation that has ended does.
func (n *Node) serveReads(ctx context.Context, c Conversation, o Serve) error {
	var ended error
	for _, r := range o.Reads {
		if ended != nil {
			n.offer(Served{To: o.To, Read: r, Err: ended})
			continue
		}
		iv, floor, err := n.cfg.Store.ReadLog(ctx, r.Shard, r.Origin, r.After, n.cfg.ReadBytes)
		unreadable := err != nil && ctx.Err() == nil
		switch {
		case err != nil:
			n.complain("read a log for another store", err)
			ended = ctx.Err()
		case floor <= r.After && len(iv.Entries) > 0:
			ended = c.Send(ctx, Interval{iv})
			err = ended
		}
		through := iv.Through
		if len(iv.Entries) == 0 {
			through = r.After
		}
		n.offer(Served{To: o.To, Read: r, Through: through, Floor: floor, Err: err, Unreadable: unreadable})
	}
	return ended
}

func (n *Node) serveChunk(ctx context.Context, c Conversation, o ServeChunk) error {
	chunk, err := n.cfg.Store.ReadChunk(ctx, o.Fetch.Shard, o.Fetch.After, n.cfg.ChunkBytes)
	if err != nil {
		n.complain("read rows for a copy", err)
		return c.Send(ctx, Refused{Shard: o.Fetch.Shard})
	}
	// After the rows were read: what was joined meanwhile only adds to it.
	n.mu.RLock()
	chunk.Barrier = n.mu.core.barrier(o.Fetch.Shard)
	n.mu.RUnlock()
	return c.Send(ctx, Chunk{chunk})
}

// complain logs an error that nobody else is told of.
func (n *Node) complain(what string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		n.cfg.Logger.Warn(what, "error", err)
	}
}

// localStore is what the core reads of the store.
type localStore struct{ Store }

// RegistryVersion is that of the definitions in force, Groups are theirs.
func (l localStore) RegistryVersion() feature.RegistryVersion { return l.Registry().Version() }
func (l localStore) Group(id feature.GroupID) *feature.Group  { return l.Registry().Group(id) }
func (l localStore) Groups() []*feature.Group                 { return l.Registry().Groups() }
