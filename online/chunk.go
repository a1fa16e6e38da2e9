package online

import (
	"bytes"
	"context"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// ReadChunk returns the rows of all views of a shard after a key (see
// oplog.Chunk), of about maxBytes at most, but one at the least when there are
// any; together with the durable progress of the shard and its horizon, all
// from one moment. The chunk owns its memory. Errors are ctx's, ErrClosed and
// ErrCorrupt.
func (s *Store) ReadChunk(ctx context.Context, shard feature.Shard, after []byte, maxBytes int) (c oplog.Chunk, err error) {
	if err := ctx.Err(); err != nil {
		return oplog.Chunk{}, err
	}
	if err := s.reading(); err != nil {
		return oplog.Chunk{}, err
	}
	defer s.done(&err)
	at := s.snapshots.pin()
	defer s.snapshots.unpin(at)
	txn := s.db.NewTransactionAt(at, false)
	defer txn.Discard()
	c = oplog.Chunk{Shard: shard, After: after}
	if err := s.chunkRows(txn, &c, min(maxBytes, s.disk.maxBytes/2)); err != nil {
		return oplog.Chunk{}, fmt.Errorf("chunk of shard %d/%d: %w", shard.Group, shard.Partition, err)
	}
	if c.Progress, c.Horizon, err = shardState(txn, shard); err != nil {
		return oplog.Chunk{}, fmt.Errorf("chunk of shard %d/%d: %w", shard.Group, shard.Partition, err)
	}
	return c, nil
}

// chunkRows fills the chunk's rows and Next. What follows the shard in a row's
// key is what After and Next hold.
func (s *Store) chunkRows(txn *badger.Txn, c *oplog.Chunk, maxBytes int) error {
	prefix := appendShard(nil, kindRow, c.Shard)
	it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
	defer it.Close()
	from := append(bytes.Clone(prefix), c.After...)
	if len(c.After) > 0 {
		from = append(from, 0)
	}
	size := 0
	for it.Seek(from); it.Valid(); it.Next() {
		key := it.Item().KeyCopy(nil)
		if size += len(key) + int(it.Item().ValueSize()); size > maxBytes && len(c.Rows) > 0 {
			last := c.Rows[len(c.Rows)-1]
			c.Next = appendRowKey(nil, c.Shard, last.View, last.Key)[len(prefix):]
			return nil
		}
		k, err := decodeKey(key)
		if err != nil {
			return &CorruptError{Key: key, Err: err}
		}
		value, err := it.Item().ValueCopy(nil)
		if err != nil {
			return fmt.Errorf("read %s: %w", describeKey(key), err)
		}
		row, err := unseal(key, value)
		if err != nil {
			return err
		}
		c.Rows = append(c.Rows, oplog.ChunkRow{View: k.view, Key: k.entity, Row: row})
	}
	return nil
}

// shardState reads the durable progress of a shard and its horizon.
func shardState(txn *badger.Txn, shard feature.Shard) (hlc.Vector, hlc.Timestamp, error) {
	progress := hlc.Vector{}
	it := txn.NewIterator(badger.IteratorOptions{Prefix: appendShard(nil, kindProgress, shard)})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		err := it.Item().Value(func(value []byte) error {
			k, at, _, err := decodeProgress(it.Item().Key(), value)
			progress[k.origin] = at
			return err
		})
		if err != nil {
			return nil, 0, err
		}
	}
	key := appendShardKey(nil, shard)
	value, err := getCopy(txn, key)
	if value == nil || err != nil {
		return progress, 0, err
	}
	r, err := decodeShardRecord(key, value)
	return progress, r.horizon, err
}

// JoinChunk joins a chunk's rows into those that are here, and returns when
// they are durable and readable; a large chunk takes several commits. The last
// one keeps the note (see SetNote). When start is not nil it also raises
// progress to it, durably, and the log of each origin that it raises begins
// there. The shard's horizon rises to the chunk's before any of its rows are
// joined. C must not change meanwhile.
//
// Errors are those of Append that concern queue, disk and size, and ErrCorrupt
// for a row that cannot be read. Some rows may be joined then, which harms
// nothing: joining the chunk again is right.
func (s *Store) JoinChunk(ctx context.Context, c oplog.Chunk, note []byte, start hlc.Vector) error {
	if err := checkNote(note); err != nil {
		return err
	}
	if own := s.Origin(); start[own] > s.Progress(c.Shard)[own] {
		return fmt.Errorf("%w: it starts the store's own log at %v, beyond its end", ErrInvalidWrite, start[own])
	}
	note = bytes.Clone(note)
	for rows := c.Rows; ; {
		n, size := 0, 0
		for ; n < len(rows) && (n == 0 || size+len(rows[n].Row) <= s.disk.maxBytes/4); n++ {
			size += entryBytes(len(rows[n].Key), len(rows[n].Row))
		}
		some := rows[:n]
		rows = rows[n:]
		last := len(rows) == 0
		err := s.queue.run(ctx, size, func(ctx context.Context, cm *committer) error {
			return cm.joinChunk(ctx, &c, some, last, note, start)
		})
		if err != nil {
			return fmt.Errorf("join a chunk of shard %d/%d: %w", c.Shard.Group, c.Shard.Partition, err)
		}
		if last {
			return nil
		}
	}
}

// joinChunk joins some rows of a chunk, and with the last of them what is to
// hold afterwards. Rows that are larger together with what is here than a
// transaction may be are committed in several.
func (c *committer) joinChunk(ctx context.Context, chunk *oplog.Chunk, rows []oplog.ChunkRow, last bool, note []byte, start hlc.Vector) error {
	record := c.store.shards.get(chunk.Shard)
	if record.horizon < chunk.Horizon {
		record.horizon = chunk.Horizon
		err := c.alone(ctx, func(st *stage) error {
			st.shardRecord(chunk.Shard, record)
			return nil
		})
		if err != nil {
			return err
		}
	}
	for len(rows) > 0 {
		err := c.alone(ctx, func(st *stage) (err error) {
			rows, err = st.chunkRows(chunk.Shard, rows)
			return err
		})
		if err != nil {
			return err
		}
	}
	if !last {
		return nil
	}
	return c.alone(ctx, func(st *stage) error {
		record.note = note
		st.shardRecord(chunk.Shard, record)
		return st.startLogs(chunk.Shard, start)
	})
}

// chunkRows stages what fits of rows and returns the rest.
func (st *stage) chunkRows(shard feature.Shard, rows []oplog.ChunkRow) ([]oplog.ChunkRow, error) {
	for i := range rows {
		r, m := &rows[i], st.mark()
		delta, err := feature.DecodeRow(r.Row)
		if err != nil {
			return nil, fmt.Errorf("%w: row of view %d, key %x: %w", ErrCorrupt, r.View, []byte(r.Key), err)
		}
		if _, _, err := st.joinRow(shard, r.View, r.Key, delta); err != nil {
			return nil, err
		}
		if st.sizeBytes > st.store.disk.maxBytes && i > 0 {
			st.rollback(m)
			return rows[i:], nil
		}
	}
	return nil, nil
}

// startLogs stages logs that begin at a vector, as far as it is beyond them.
func (st *stage) startLogs(shard feature.Shard, start hlc.Vector) error {
	for _, p := range start.Positions() {
		log := logID{shard: shard, origin: p.Origin}
		if st.head(log).through >= p.At {
			continue
		}
		// Up to there may have been entries that are not here: whoever asks for
		// them is to ask, and told the floor.
		st.setHead(log, head{through: p.At, entry: p.At, durable: true})
		if err := st.raiseFloor(log, p.At); err != nil {
			return err
		}
	}
	return nil
}
