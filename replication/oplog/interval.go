package oplog

import (
	"fmt"

	"featurestore/feature"
	"featurestore/hlc"
)

// Logged is an entry together with its encoding, which it aliases: a store that
// relays an entry keeps and sends the bytes that the origin wrote.
type Logged struct {
	Entry
	Raw []byte
}

// DecodeLogged is Decode that keeps the encoding.
func DecodeLogged(raw []byte) (Logged, error) {
	e, err := Decode(raw)
	return Logged{Entry: e, Raw: raw}, err
}

// Interval is a stretch of one origin's log in one shard: these are all entries
// after After up to and including Through. With no entries it says that there
// are none.
type Interval struct {
	Shard   feature.Shard
	Origin  hlc.Origin
	After   hlc.Timestamp
	Through hlc.Timestamp
	// Entries rise, each naming the one before it; the first names one at or
	// before After.
	Entries []Logged
}

// Position is the end of the interval.
func (iv Interval) Position() hlc.Position { return hlc.Position{Origin: iv.Origin, At: iv.Through} }

// SizeBytes is the encoded size of the entries.
func (iv Interval) SizeBytes() int {
	n := 0
	for i := range iv.Entries {
		n += len(iv.Entries[i].Raw)
	}
	return n
}

// Validate returns what an interval breaks of what it claims, nil for nothing.
// Errors match ErrInvalid.
func (iv Interval) Validate() error {
	if iv.Origin == 0 || iv.After >= iv.Through {
		return fmt.Errorf("%w: interval of %v after %v through %v", ErrInvalid, iv.Origin, iv.After, iv.Through)
	}
	last, linked := iv.After, false
	for i := range iv.Entries {
		e := &iv.Entries[i]
		switch {
		case e.Origin != iv.Origin:
			return fmt.Errorf("%w: entries[%d] is of %v, the interval of %v", ErrInvalid, i, e.Origin, iv.Origin)
		case e.At <= iv.After || e.At > iv.Through:
			return fmt.Errorf("%w: entries[%d] at %v lies outside (%v, %v]", ErrInvalid, i, e.At, iv.After, iv.Through)
		case linked && e.Prev != last, !linked && e.Prev > last:
			return fmt.Errorf("%w: entries[%d] follows %v, found %v", ErrInvalid, i, e.Prev, last)
		}
		last, linked = e.At, true
	}
	return nil
}

// Trim returns the interval without what lies at or before a timestamp, which
// is at least After and at most Through.
func (iv Interval) Trim(after hlc.Timestamp) Interval {
	for len(iv.Entries) > 0 && iv.Entries[0].At <= after {
		iv.Entries = iv.Entries[1:]
	}
	iv.After = max(iv.After, after)
	return iv
}

// Cut returns the part of the interval up to and including a timestamp.
func (iv Interval) Cut(through hlc.Timestamp) Interval {
	for len(iv.Entries) > 0 && iv.Entries[len(iv.Entries)-1].At > through {
		iv.Entries = iv.Entries[:len(iv.Entries)-1]
	}
	iv.Through = min(iv.Through, through)
	return iv
}

// Chunk is a part of a shard's rows, by rising key, as they stood in one
// snapshot: what a store is rebuilt from.
type Chunk struct {
	Shard feature.Shard
	// After is the key that the chunk begins after, nil for the first; Next is
	// the key that the following one begins after, nil when this is the last.
	// Both are opaque: only the store that cut the chunk reads them, and any
	// other store of the deployment can go on from them.
	After, Next []byte
	Rows        []ChunkRow
	// Progress is durable in the snapshot: the rows are the join of exactly this
	// much of every origin's log.
	Progress hlc.Vector
	// Barrier is nil for a store that was whole; else the rows may hold more than
	// Progress, up to there.
	Barrier hlc.Vector
	// Horizon is below what tombstones may have been collected.
	Horizon hlc.Timestamp
}

// ChunkRow is one row of a chunk.
type ChunkRow struct {
	View feature.ViewID
	Key  feature.Key
	Row  []byte // in the encoding of feature.AppendRow
}
