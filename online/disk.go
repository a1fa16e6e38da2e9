package online

import (
	"fmt"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"featurestore/hlc"
)

// disk is the one way to Badger for writes: it gives out commit timestamps and
// stops for good when a commit fails (S9).
type disk struct {
	db       *badger.DB
	dir      string
	minFree  int64
	maxBytes int
	// commit is Txn.CommitAt but in tests of failing disks.
	commit func(txn *badger.Txn, at uint64) error

	mu struct {
		sync.Mutex
		last   uint64 // timestamp of the latest commit
		failed error  // why there are no more commits
		record storeRecord
	}
}

// entryBytes is what an entry takes of a transaction. Badger bounds the bytes
// of its entries, adding a few to each, and their number, to one for each 96
// bytes: no entry counts less than that here.
func entryBytes(key, value int) int { return max(key+value+20, 100) }

func newDisk(db *badger.DB, cfg Config) *disk {
	return &disk{
		db: db, dir: cfg.Dir, minFree: cfg.MinFreeBytes,
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
	if d.mu.failed != nil {
		return 0, d.mu.failed
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
		d.mu.failed = fmt.Errorf("%w: commit %d: %w", ErrReadOnly, at, err)
		return 0, d.mu.failed
	}
	d.mu.last = at
	return at, nil
}

func (d *disk) lastCommit() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.last
}

// health returns why writes are refused, or nil.
func (d *disk) health() error {
	d.mu.Lock()
	failed := d.mu.failed
	d.mu.Unlock()
	if failed != nil {
		return failed
	}
	if d.minFree < 0 {
		return nil
	}
	free, err := freeBytes(d.dir)
	if err != nil {
		return fmt.Errorf("measure free space of %s: %w", d.dir, err)
	}
	if free < d.minFree {
		return fmt.Errorf("%w: %d bytes are free under %s, writes need %d", ErrDiskFull, free, d.dir, d.minFree)
	}
	return nil
}

// readOnly returns 1 after a commit failed, else 0.
func (d *disk) readOnly() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.failed != nil {
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
	_, err := d.putLocked([]*badger.Entry{badger.NewEntry(storeKey(), appendStoreRecord(nil, next))}, nil)
	if err == nil {
		d.mu.record = next
	}
	return err
}
