package online

import (
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// draft is the log entries of one write while it is staged: the open one of
// each shard, in the order in which the shards were first named.
type draft struct {
	write *Write
	open  []*draftEntry
	byID  map[feature.Shard]*draftEntry
	named map[string]hlc.Timestamp // row key to the entry that named it last
}

// draftEntry is one log entry that rows are still added to.
type draftEntry struct {
	shard     feature.Shard
	origin    hlc.Origin // who writes the shard
	entry     oplog.Entry
	sizeBytes int
	named     map[string]hlc.Timestamp // the draft's
	seen      feature.Seen             // what the write's session had seen of the shard
}

// cutBytes is the size at which an entry is closed and another begun. With
// the largest row on top it is still a value that Badger keeps with its keys.
const cutBytes = valueThreshold/2 - 128<<10

func (d *draft) reset(w *Write) {
	d.write = w
	clear(d.open)
	d.open = d.open[:0]
	if d.byID == nil || len(d.named) > maxKeptRows {
		d.byID, d.named = map[feature.Shard]*draftEntry{}, map[string]hlc.Timestamp{}
	}
	clear(d.byID)
	clear(d.named)
}

func (e *draftEntry) add(key string, r oplog.Row, deltaBytes int) {
	e.entry.Rows = append(e.entry.Rows, r)
	e.sizeBytes += deltaBytes + len(r.Key) + 16
	e.named[key] = e.entry.At
}

// entryFor returns the entry of shard that a change of the row under key goes
// to: the open one, or a following one when that is full or names the row
// already, for an entry names each row once (O6).
func (st *stage) entryFor(shard feature.Shard, key string) (*draftEntry, error) {
	d := &st.draft
	e := d.byID[shard]
	switch {
	case e == nil:
		origin, err := st.store.writes(shard)
		if err != nil {
			return nil, err
		}
		e = &draftEntry{shard: shard, origin: origin, named: d.named}
		e.entry.Deps = dependencies(d.write.Deps[shard], origin)
		if seen := d.write.Seen; seen != nil {
			e.seen = func(p hlc.Position) bool { return seen(shard, p) }
		}
	case e.sizeBytes >= cutBytes || d.named[key] == e.entry.At:
		if err := st.seal(e); err != nil {
			return nil, err
		}
		e.entry, e.sizeBytes = oplog.Entry{}, 0
	default:
		return e, nil
	}
	at, err := st.store.clock.Now()
	if err != nil {
		return nil, err
	}
	e.entry.Kind, e.entry.LogOnly = oplog.Delta, d.write.LogOnly
	e.entry.At, e.entry.Origin, e.entry.Prev = at, e.origin, st.advance(logID{shard: shard, origin: e.origin}, at)
	if d.byID[shard] == nil {
		d.byID[shard] = e
		d.open = append(d.open, e)
	}
	return e, nil
}

// advance makes at the head of an own log and returns the entry before.
func (st *stage) advance(log logID, at hlc.Timestamp) (prev hlc.Timestamp) {
	prev = st.head(log).entry
	st.setHead(log, head{through: at, entry: at, durable: true})
	return prev
}

// seal encodes an entry that gets no more rows.
func (st *stage) seal(e *draftEntry) error {
	oplog.SortRows(e.entry.Rows)
	if err := e.entry.Validate(); err != nil {
		return err
	}
	st.scratch = oplog.Append(st.scratch[:0], e.entry)
	if len(st.scratch) >= valueThreshold {
		return &TooLargeError{What: "log entry", Bytes: len(st.scratch), Limit: valueThreshold - 1}
	}
	staged := stagedEntry{
		key:   appendEntryKey(nil, e.shard, e.origin, e.entry.At),
		value: st.memory.copy(st.scratch),
		log:   logID{shard: e.shard, origin: e.origin},
	}
	st.entries = append(st.entries, staged)
	st.sizeBytes += entryBytes(len(staged.key), len(staged.value))
	return nil
}

// dependencies lists what an entry waits for. Of its own origin that is what
// came before it anyway.
func dependencies(v hlc.Vector, own hlc.Origin) []hlc.Position {
	return slices.DeleteFunc(v.Positions(), func(p hlc.Position) bool { return p.Origin == own })
}
