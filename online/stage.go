package online

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// stage gathers writes that will be committed together: the rows as they will
// be, the log entries, the progress. Nothing of it is visible to anyone but the
// committer. A write that fails is taken out again without a trace (S7).
type stage struct {
	store *Store
	txn   *badger.Txn // reads current rows; opened when one is needed

	rows     map[string]*stagedRow
	heads    map[logID]head
	entries  []stagedEntry
	requests []stagedRequest
	// requestAt finds what is known last of a request among requests.
	requestAt map[RequestID]int
	// What only batches of their own hold; see committer.alone.
	records []stagedRecord
	shards  []stagedShard
	drops   []stagedDrop
	// conflicts are what the writes and joins of the batch met.
	conflicts []stagedConflict
	// sizeBytes is what all this will take of a transaction.
	sizeBytes int

	// ahead are entries from further in the future than the clock follows since
	// the committer asked, and the latest of them ever.
	ahead  int
	latest hlc.Timestamp

	memory  arena
	scratch []byte
	undo    []undo
	draft   draft
}

// logID names the log of one origin in one shard.
type logID struct {
	shard  feature.Shard
	origin hlc.Origin
}

// head is how far a batch takes a log.
type head struct {
	// through is the progress, entry the last entry at or before it.
	through, entry hlc.Timestamp
	// durable says that through is written: the batch holds entries of the log.
	durable bool
}

// stagedRow is a row as the batch leaves it. It never changes: the next change
// of the row stages another.
type stagedRow struct {
	key   []byte
	value []byte // sealed; nil for a row to remove
	row   feature.Row
}

type stagedEntry struct {
	key, value []byte
	log        logID
}

type stagedRecord struct{ key, value []byte }

type stagedShard struct {
	shard  feature.Shard
	record shardRecord
}

// stagedDrop is a key to remove, and what an entry under it takes.
type stagedDrop struct {
	key       []byte
	shard     feature.Shard
	sizeBytes int
}

// undo is one step back. Exactly one of its halves is used.
type undo struct {
	key string // row to put back; "" for none
	row *stagedRow

	log    logID
	head   head
	staged bool // there was a head
}

// mark is a point to roll back to.
type mark struct{ entries, requests, conflicts, undo, sizeBytes int }

// begin forgets what could be undone, and returns the point to come back to.
func (st *stage) begin() mark {
	st.undo = st.undo[:0]
	return st.mark()
}

func (st *stage) mark() mark {
	return mark{
		entries: len(st.entries), requests: len(st.requests), conflicts: len(st.conflicts),
		undo: len(st.undo), sizeBytes: st.sizeBytes,
	}
}

func newStage(s *Store) *stage {
	st := &stage{store: s}
	st.reset()
	return st
}

// reset makes the stage empty and gives its snapshot back.
func (st *stage) reset() {
	if st.txn != nil {
		st.txn.Discard()
		st.txn = nil
	}
	if st.rows == nil || len(st.rows) > maxKeptRows {
		st.rows = map[string]*stagedRow{}
		st.heads = map[logID]head{}
		st.requestAt = map[RequestID]int{}
	}
	clear(st.rows)
	clear(st.heads)
	clear(st.entries)
	st.entries, st.undo = st.entries[:0], st.undo[:0]
	clear(st.requests)
	clear(st.requestAt)
	st.requests = st.requests[:0]
	st.conflicts = st.conflicts[:0]
	st.records, st.shards, st.drops = nil, nil, nil
	st.sizeBytes = 0
	st.memory.reset()
}

// maxKeptRows bounds the map that is kept from batch to batch: clearing a map
// costs what it once held.
const maxKeptRows = 1 << 14

// isEmpty reports that there is nothing to write. There may be progress to
// publish all the same.
func (st *stage) isEmpty() bool { return st.sizeBytes == 0 }

// write stages all of w but what is known to be done of its request, and returns
// the receipt of all, or stages nothing and says why.
func (st *stage) write(w *Write, known *requestRecord) (Receipt, error) {
	m := st.begin()
	receipt, err := st.changes(w, known)
	if err == nil && w.Idempotency != nil {
		err = st.wrote(w, known, receipt)
	}
	if err == nil && st.sizeBytes > st.store.disk.maxBytes {
		err = errFull
		if m.sizeBytes == 0 {
			err = &TooLargeError{What: "write", Bytes: st.sizeBytes, Limit: st.store.disk.maxBytes}
		}
	}
	if err != nil {
		st.rollback(m)
		return Receipt{}, err
	}
	return receipt, nil
}

// errFull says that a write does not fit beside the others of the stage.
var errFull = errors.New("stage is full")

func (st *stage) rollback(m mark) {
	for i := len(st.undo) - 1; i >= m.undo; i-- {
		switch u := st.undo[i]; {
		case u.key == "" && !u.staged:
			delete(st.heads, u.log)
		case u.key == "":
			st.heads[u.log] = u.head
		case u.row == nil:
			delete(st.rows, u.key)
		default:
			st.rows[u.key] = u.row
		}
	}
	clear(st.entries[m.entries:])
	st.dropRequests(m.requests)
	st.entries, st.undo, st.sizeBytes = st.entries[:m.entries], st.undo[:m.undo], m.sizeBytes
	st.conflicts = st.conflicts[:m.conflicts]
}

// head returns how far the batch has come with a log so far.
func (st *stage) head(log logID) head {
	if h, staged := st.heads[log]; staged {
		return h
	}
	p := st.store.progress.shard(log.shard)
	return head{through: p.vector[log.origin], entry: p.heads[log.origin]}
}

// setHead stages how far a log has come.
func (st *stage) setHead(log logID, h head) {
	before, staged := st.heads[log]
	st.undo = append(st.undo, undo{log: log, head: before, staged: staged})
	st.heads[log] = h
	if h.durable && !before.durable {
		st.sizeBytes += entryBytes(9, progressBytes+sumBytes)
	}
}

// changes joins the changes of w one after the other.
func (st *stage) changes(w *Write, known *requestRecord) (Receipt, error) {
	var receipt Receipt
	st.draft.reset(w)
	for i := range w.Changes {
		if p, done := known.in(w.Changes[i].Shard); done {
			receipt.noteDone(w, i, known, p)
			continue
		}
		superseded, err := st.change(&w.Changes[i], w.LogOnly)
		if err != nil {
			if errors.Is(err, badger.ErrDBClosed) { // a commit hung so long that Close gave up
				return Receipt{}, fmt.Errorf("%w: %w", ErrClosed, err)
			}
			// What is wrong with the store is not the change's fault.
			if errors.Is(err, ErrReadOnly) || errors.Is(err, ErrDiskFull) || errors.Is(err, ErrNotLeading) {
				return Receipt{}, err
			}
			return Receipt{}, &ChangeError{Index: i, Err: err}
		}
		receipt.noteChange(w, i, superseded)
	}
	receipt.Positions = slices.Grow(receipt.Positions, len(st.draft.open))
	request := w.request()
	for _, e := range st.draft.open {
		e.entry.Request = request
		if err := st.seal(e); err != nil {
			return Receipt{}, err
		}
		receipt.Positions = append(receipt.Positions, ShardPosition{Shard: e.shard, Position: e.entry.Position()})
	}
	return receipt, nil
}

// change stages one change and reports whether nothing of it is left.
func (st *stage) change(c *Placed, logOnly bool) (superseded bool, err error) {
	key := string(appendRowKey(st.scratch[:0], c.Shard, c.View, c.Key))
	e, err := st.entryFor(c.Shard, key)
	if err != nil {
		return false, err
	}
	current, err := st.current(key)
	if err != nil {
		return false, err
	}
	delta, err := c.DeltaAfter(current, e.entry.At, e.origin, e.seen)
	if err != nil {
		return false, err
	}
	st.scratch = feature.AppendRow(st.scratch[:0], delta)
	if len(st.scratch) > MaxRowBytes {
		return false, &TooLargeError{What: "row", Bytes: len(st.scratch), Limit: MaxRowBytes}
	}
	e.add(key, oplog.Row{View: c.View, Key: c.Key, Delta: delta}, len(st.scratch))
	if logOnly || delta.IsEmpty() {
		return false, nil
	}
	joined := feature.JoinRow(current, delta)
	if err := st.setRow(key, joined, MaxRowBytes); err != nil {
		return false, err
	}
	st.noteConflicts(c.View, current, delta, joined, e.seen, true)
	return joined.Supersedes(delta), nil
}

// setRow stages a row of at most limit bytes over what was there.
func (st *stage) setRow(key string, row feature.Row, limit int) error {
	st.scratch = feature.AppendRow(st.scratch[:0], row)
	if len(st.scratch) > limit {
		return &TooLargeError{What: "row", Bytes: len(st.scratch), Limit: limit}
	}
	before := st.rows[key]
	next := &stagedRow{row: row}
	if before != nil {
		next.key = before.key
		st.sizeBytes -= entryBytes(len(before.key), len(before.value))
	} else {
		next.key = []byte(key)
	}
	st.scratch = seal(st.scratch, 0, next.key)
	next.value = st.memory.copy(st.scratch)
	st.undo = append(st.undo, undo{key: key, row: before})
	st.rows[key] = next
	st.sizeBytes += entryBytes(len(next.key), len(next.value))
	return nil
}

// removeRow stages the removal of a row that is empty.
func (st *stage) removeRow(key string) {
	before := st.rows[key]
	if before != nil {
		st.sizeBytes -= entryBytes(len(before.key), len(before.value))
	}
	st.undo = append(st.undo, undo{key: key, row: before})
	st.rows[key] = &stagedRow{key: []byte(key)}
	st.sizeBytes += entryBytes(len(key), 0)
}

// current returns the row as the batch has it so far: staged, hot, or stored.
func (st *stage) current(key string) (feature.Row, error) {
	if r := st.rows[key]; r != nil {
		return r.row, nil
	}
	k := []byte(key)
	encoded, found := st.store.hot.get(st.scratch[:0], k)
	if !found {
		var err error
		if encoded, err = appendRow(encoded[:0], st.snapshot(), k); err != nil {
			return feature.Row{}, err
		}
	}
	st.scratch = encoded
	if len(encoded) == 0 {
		return feature.Row{}, nil
	}
	// The row aliases its bytes and lives as long as the batch.
	row, err := feature.DecodeRow(st.memory.copy(encoded))
	if err != nil {
		return feature.Row{}, &CorruptError{Key: k, Err: err}
	}
	return row, nil
}

// snapshot opens a transaction for reading. Nobody else writes what it reads,
// so the latest is what there is.
func (st *stage) snapshot() *badger.Txn {
	if st.txn == nil {
		st.txn = st.store.db.NewTransactionAt(math.MaxUint64, false)
	}
	return st.txn
}

// record stages a value of the store's own.
func (st *stage) record(key, value []byte) {
	st.records = append(st.records, stagedRecord{key: key, value: value})
	st.sizeBytes += entryBytes(len(key), len(value))
}

// put writes the stage in one transaction.
func (st *stage) put() (at uint64, err error) {
	all := make([]badger.Entry, 0, len(st.rows)+len(st.entries)+len(st.heads)+len(st.requests))
	var drops [][]byte
	for _, r := range st.rows {
		if r.value == nil {
			drops = append(drops, r.key)
			continue
		}
		all = append(all, badger.Entry{Key: r.key, Value: r.value})
	}
	for _, e := range st.entries {
		all = append(all, badger.Entry{Key: e.key, Value: e.value})
	}
	for log, h := range st.heads {
		if h.durable {
			key := appendProgressKey(nil, log.shard, log.origin)
			all = append(all, badger.Entry{Key: key, Value: appendProgress(nil, key, h.through, h.entry)})
		}
	}
	for i, r := range st.requests {
		if st.requestAt[r.id] != i {
			continue // more is known since
		}
		e := badger.NewEntry(r.key, r.value).WithTTL(st.store.cfg.RequestTTL)
		all = append(all, badger.Entry{Key: e.Key, Value: e.Value, ExpiresAt: e.ExpiresAt})
	}
	for _, r := range st.records {
		all = append(all, badger.Entry{Key: r.key, Value: r.value})
	}
	for i := range st.drops {
		drops = append(drops, st.drops[i].key)
	}
	entries := make([]*badger.Entry, len(all))
	for i := range all {
		entries[i] = &all[i]
	}
	if at, err = st.store.disk.put(entries, drops...); err != nil {
		return 0, fmt.Errorf("commit %d rows in %d log entries: %w", len(st.rows), len(st.entries), err)
	}
	return at, nil
}
