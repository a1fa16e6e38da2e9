package online

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"path/filepath"

	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// Record is one stored key with what it means. Exactly one of the pointers is
// set, or Err.
type Record struct {
	Key      []byte // as it lies in Badger
	Store    *StoreRecord
	Progress *ProgressRecord
	Row      *RowRecord
	Entry    *EntryRecord
	Request  *RequestRecord
	Registry *RegistryRecord
	// Shard, Membership and Floor are what replication keeps.
	Shard      *ShardRecord
	Membership *MembershipRecord
	Floor      *FloorRecord
	// Err says that the key or its value is corrupt; the walk goes on.
	Err error
}

// StoreRecord is who a store is and how it ended.
type StoreRecord struct {
	Identity Identity
	// ClockLimit is what no timestamp of the store has reached.
	ClockLimit hlc.Timestamp
	// Clean says that the store was closed in order.
	Clean bool
}

// ShardRecord is what a store keeps of a shard as a whole.
type ShardRecord struct {
	Shard feature.Shard
	// Horizon is below what tombstones may have been collected.
	Horizon hlc.Timestamp
	// Note is of a rebuilding under way, nil for none.
	Note []byte
}

// MembershipRecord is the membership document as package meta encodes it.
type MembershipRecord struct{ Encoded []byte }

// FloorRecord says where the log of an origin begins: after Position.
type FloorRecord struct {
	Shard    feature.Shard
	Position hlc.Position
}

// ProgressRecord is the durable progress of one origin in one shard.
type ProgressRecord struct {
	Shard    feature.Shard
	Position hlc.Position
	// Entry is the last entry at or before Position.
	Entry hlc.Timestamp
}

// RowRecord is one row.
type RowRecord struct {
	Shard feature.Shard
	View  feature.ViewID
	Key   feature.Key
	Row   feature.Row
}

// EntryRecord is one log entry.
type EntryRecord struct {
	Shard feature.Shard
	Entry oplog.Entry
}

// RequestRecord is what is remembered of one request.
type RequestRecord struct {
	ID     RequestID
	Digest [16]byte
	// Shards is in how many the request writes; Receipt has those that are done.
	Shards  int
	Receipt Receipt
}

// RegistryRecord is one revision of the registry; of one in several parts, it
// stands at the last.
type RegistryRecord struct {
	Revision uint64
	Registry *feature.Registry
}

// InspectOptions choose what Inspect yields.
type InspectOptions struct {
	// Prefix of the keys to visit; empty for all. The first byte is the kind,
	// as the package comment draws it.
	Prefix []byte
}

// Inspect yields the records of a directory that no store has open, by rising
// key. The directory is opened for reading and is not changed. Records are
// valid until the next one. It ends with an error, once: ErrInUse, ErrUnclean,
// or ctx's.
func Inspect(ctx context.Context, dir string, o InspectOptions) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if err := inspect(ctx, dir, o, yield); err != nil {
			yield(Record{}, err) // it names the operation and the directory
		}
	}
}

func inspect(ctx context.Context, dir string, o InspectOptions, yield func(Record, error) bool) (err error) {
	if err := checkClosed(dir); err != nil {
		return err
	}
	db, err := explainOpen(dir)(badgerOpenReadOnly(Config{Dir: dir}.withDefaults()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var c chunk
	var registry []byte
	for from := o.Prefix; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.read(db, math.MaxUint64, o.Prefix, from); err != nil {
			return fmt.Errorf("read %s: %w", dir, err)
		}
		for i := range c.len() {
			key, value := c.at(i)
			r := decodeRecord(key, value, &registry)
			if r.Registry != nil && r.Registry.Registry == nil {
				continue
			}
			if !yield(r, nil) {
				return nil
			}
		}
		if !c.full() {
			return nil
		}
		last, _ := c.at(c.len() - 1)
		from = append(append([]byte(nil), last...), 0)
	}
}

// checkClosed finds out what Badger would only after it started goroutines that
// it then forgets.
func checkClosed(dir string) error {
	held, err := locked(dir)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	if held {
		return fmt.Errorf("open %s: %w", dir, ErrInUse)
	}
	// An orderly end leaves no memtable's log.
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	if len(logs) > 0 {
		return fmt.Errorf("open %s: %w", dir, ErrUnclean)
	}
	return nil
}

// decodeRecord says what a key and its value mean. Registry gathers the parts
// of one revision.
func decodeRecord(key, value []byte, registry *[]byte) Record {
	r := Record{Key: key}
	k, err := decodeKey(key)
	if err != nil {
		r.Err = &CorruptError{Key: key, Err: err}
		return r
	}
	switch k.kind {
	case kindStore:
		var s storeRecord
		s, r.Err = decodeStoreRecord(value)
		r.Store = &StoreRecord{Identity: s.Identity, ClockLimit: s.limit, Clean: s.clean}
	case kindShard:
		var s shardRecord
		s, r.Err = decodeShardRecord(key, value)
		r.Shard = &ShardRecord{Shard: k.shard, Horizon: s.horizon, Note: s.note}
	case kindMembership:
		r.Membership = &MembershipRecord{}
		r.Membership.Encoded, r.Err = decodeMembership(key, value)
	case kindFloor:
		var at hlc.Timestamp
		at, r.Err = decodeFloor(key, value)
		r.Floor = &FloorRecord{Shard: k.shard, Position: hlc.Position{Origin: k.origin, At: at}}
	case kindProgress:
		var at, entry hlc.Timestamp
		_, at, entry, r.Err = decodeProgress(key, value)
		r.Progress = &ProgressRecord{Shard: k.shard, Position: hlc.Position{Origin: k.origin, At: at}, Entry: entry}
	case kindRow:
		var row feature.Row
		row, r.Err = decodeStoredRow(key, value)
		r.Row = &RowRecord{Shard: k.shard, View: k.view, Key: k.entity, Row: row}
	case kindEntry:
		var e oplog.Entry
		if e, err = oplog.Decode(value); err != nil {
			r.Err = &CorruptError{Key: key, Err: err}
		}
		r.Entry = &EntryRecord{Shard: k.shard, Entry: e}
	case kindRequest:
		var q requestRecord
		q, r.Err = decodeRequestRecord(key, value)
		r.Request = &RequestRecord{ID: k.request, Digest: q.digest, Shards: q.shards, Receipt: Receipt{Positions: q.positions, Superseded: q.superseded}}
	case kindRegistry:
		r.Registry, r.Err = decodeRegistryRecord(k, key, value, registry)
	}
	if r.Err != nil {
		return Record{Key: key, Err: r.Err}
	}
	return r
}

func decodeStoredRow(key, value []byte) (feature.Row, error) {
	encoded, err := unseal(key, value)
	if err != nil {
		return feature.Row{}, err
	}
	row, err := feature.DecodeRow(encoded)
	if err != nil {
		return feature.Row{}, &CorruptError{Key: key, Err: err}
	}
	return row, nil
}

// decodeRegistryRecord returns a record without a registry for a part that is
// not the last.
func decodeRegistryRecord(k storedKey, key, value []byte, parts *[]byte) (*RegistryRecord, error) {
	body, last, err := decodeRegistryPart(key, value)
	if err != nil {
		return nil, err
	}
	if k.part == 0 {
		*parts = nil
	}
	*parts = append(*parts, body...)
	out := &RegistryRecord{Revision: k.revision}
	if !last {
		return out, nil
	}
	if out.Registry, err = definition.DecodeRegistry(*parts); err != nil {
		return nil, &CorruptError{Key: key, Err: err}
	}
	return out, nil
}
