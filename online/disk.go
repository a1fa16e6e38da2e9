package online

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"featurestore/hlc"
)

// disk is the one way to Badger for writes: it gives out commit timestamps and
// stops for good when a commit fails (S9).
type disk struct {
	db       *badger.DB
	dir      directory
	log      *slog.Logger
	maxBytes int
	// commit is Txn.CommitAt but in tests of failing disks.
	commit func(txn *badger.Txn, at uint64) error
	// failed is why there are no more commits. It can be read while one is
	// stuck, and is set for good.
	failed atomic.Pointer[error]

	// mu is held during a commit.
	mu struct {
		sync.Mutex
		last   uint64 // timestamp of the latest commit
		record storeRecord
	}
}

// entryBytes is what an entry takes of a transaction. Badger bounds the bytes
// of its entries, adding a few to each, and their number, to one for each 96
// bytes: no entry counts less than that here.
func entryBytes(key, value int) int { return max(key+value+20, 100) }

func newDisk(db *badger.DB, dir directory, cfg Config) *disk {
	return &disk{
		db: db, dir: dir, log: cfg.Logger,
		// What is left is for Badger's mark at the end of a transaction.
		maxBytes: int(db.MaxBatchSize()) - 4<<10,
		commit:   func(txn *badger.Txn, at uint64) error { return txn.CommitAt(at, nil) },
	}
}

// put writes entries, and removes the keys of drop, in one synced transaction
// and returns its timestamp. When it fails nothing was written, or, with
// ErrReadOnly, nobody can tell until the store is opened anew. Keys and values
// must not change before it returns.
func (d *disk) put(entries []*badger.Entry, drop ...[]byte) (at uint64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.putLocked(entries, drop)
}

func (d *disk) putLocked(entries []*badger.Entry, drop [][]byte) (at uint64, err error) {
	if failed := d.failed.Load(); failed != nil {
		return 0, *failed
	}
	at = d.mu.last + 1
	txn := d.db.NewTransactionAt(d.mu.last, true)
	defer txn.Discard()
	for _, e := range entries {
		if err := txn.SetEntry(e); err != nil {
			return 0, fmt.Errorf("put %s: %w", describeKey(e.Key), err)
		}
	}
	for _, key := range drop {
		if err := txn.Delete(key); err != nil {
			return 0, fmt.Errorf("drop %s: %w", describeKey(key), err)
		}
	}
	if err := d.commit(txn, at); err != nil {
		// Badger may have written a part: a later commit would show it.
		return 0, d.fail(fmt.Errorf("commit %d: %w", at, err))
	}
	// Badger syncs files that were unlinked as if they were there.
	if err := d.dir.isThere(); err != nil {
		return 0, d.fail(fmt.Errorf("commit %d: %w", at, err))
	}
	d.mu.last = at
	return at, nil
}

func (d *disk) lastCommit() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.last
}

// fail stops writes for good and returns why, which is what failed first.
func (d *disk) fail(cause error) error {
	err := fmt.Errorf("%w: %w", ErrReadOnly, cause)
	if d.failed.CompareAndSwap(nil, &err) {
		d.log.Error("no more writes until the store is opened anew", "error", err)
	}
	return *d.failed.Load()
}

// health returns why writes are refused, or nil. It waits for no commit.
func (d *disk) health() error {
	if failed := d.failed.Load(); failed != nil {
		return *failed
	}
	err := d.dir.isThere()
	if err == nil {
		err = d.dir.room(d.leastForWrites())
	}
	if errors.Is(err, errGone) {
		return d.fail(err)
	}
	return err
}

// leastForWrites is the free space that writes need: what Config asks for, but
// at least what Badger may take by itself while they go on. Negative for any.
func (d *disk) leastForWrites() int64 {
	if d.dir.minFree < 0 {
		return d.dir.minFree
	}
	// The memtables become files, which are compacted in turn.
	need := d.dir.leastFree + 3*d.db.Opts().MemTableSize + otherCompactionBytes
	for _, level := range d.db.Levels() {
		// These two are compacted whole, and removed when the copy is complete.
		if level.Level == 0 || level.IsBaseLevel {
			need += level.Size
		}
	}
	return max(need, d.dir.minFree)
}

// otherCompactionBytes is for compactions below the base level: a table with
// what it overlaps, twice as much as with tables that are evenly spread.
const otherCompactionBytes = 64 << 20

// settled returns why there are no more commits, nil when there are, as it is
// after the commit under way.
func (d *disk) settled() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if failed := d.failed.Load(); failed != nil {
		return *failed
	}
	return nil
}

// readOnly returns 1 after a commit failed, else 0.
func (d *disk) readOnly() int64 {
	if d.failed.Load() != nil {
		return 1
	}
	return 0
}

// persistLimit is the clock's hlc.Config.Persist. It is called with the
// clock's lock held, by the committer among others, and takes only this one.
func (d *disk) persistLimit(limit hlc.Timestamp) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.mu.record
	next.limit = limit
	return d.writeRecordLocked(next)
}

// writeRecord writes the store record with its flag of an orderly end.
func (d *disk) writeRecord(clean bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.mu.record
	next.clean = clean
	return d.writeRecordLocked(next)
}

func (d *disk) writeRecordLocked(next storeRecord) error {
	if err := d.dir.room(d.dir.leastFree); err != nil {
		return err
	}
	_, err := d.putLocked([]*badger.Entry{badger.NewEntry(storeKey(), appendStoreRecord(nil, next))}, nil)
	if err == nil {
		d.mu.record = next
	}
	return err
}
