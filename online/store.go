package online

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
)

// Store holds the rows and the log of one store in one directory. Its methods
// are safe for concurrent use.
type Store struct {
	cfg      Config // defaults filled in; immutable
	db       *badger.DB
	clock    *hlc.Clock
	identity Identity
	metrics  *instruments

	hot       *hotTier // nil when off
	queue     *queue
	progress  *progress
	snapshots *snapshots
	registry  atomic.Pointer[feature.Registry]
	line      atomic.Pointer[feature.Line]
	shards    shardRecords

	logSizes   *logSizes
	truncation *truncation

	membership atomic.Pointer[[]byte]
	setting    sync.Mutex // held by SetMembership

	// published is the Badger timestamp that lookups read at.
	published atomic.Uint64

	disk *disk

	// assigning is locked by the committer from the first timestamp of a batch
	// until the batch is published or given up, and read-locked by Closed.
	assigning sync.RWMutex

	// open is read-locked while Badger is read, and locked to close it.
	open struct {
		sync.RWMutex
		closed bool
	}
	running, closing atomic.Bool
	// refusing says that clients' writes are refused (SetWriting).
	refusing   atomic.Bool
	shardLists atomic.Pointer[shardList]
	// closed gets the end of Close, also after Close gave up waiting for it.
	closed chan error
}

// Open opens the directory of cfg, and makes it when it is not there. It reads
// no rows. The caller runs Run, and calls Close after Run has returned. Errors
// to act on are ErrInUse, ErrForeign, ErrFormat, ErrCorrupt and ErrDiskFull.
func Open(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("store configuration: %w", err)
	}
	cfg = cfg.withDefaults()
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the store's directory: %w", err)
	}
	dir := newDirectory(cfg)
	if err := dir.room(dir.leastFree); err != nil {
		return nil, fmt.Errorf("open %s: %w", cfg.Dir, err)
	}
	db, err := openBadger(cfg)
	if err != nil {
		return nil, err
	}
	err = dir.taken()
	s := &Store{
		cfg:    cfg,
		db:     db,
		queue:  newQueue(cfg.QueuedWrites, cfg.QueuedBytes),
		hot:    newHotTier(cfg.HotBytes),
		disk:   newDisk(db, dir, cfg),
		closed: make(chan error, 1),

		logSizes:   newLogSizes(),
		truncation: newTruncation(),
	}
	s.snapshots = newSnapshots(&s.published, db.SetDiscardTs)
	if err == nil {
		err = s.load()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", cfg.Dir, err), db.Close())
	}
	return s, nil
}

// load reads what a store knows of itself: record, progress and registry.
func (s *Store) load() error {
	last := s.db.MaxVersion()
	s.disk.mu.last = last
	s.published.Store(last)
	record, err := s.loadRecord(last)
	if err != nil {
		return err
	}
	s.identity = record.Identity
	limit := record.limit
	if s.cfg.Faults.Has(fault.ForgetClockLimit) {
		limit = 0
	}
	s.clock, err = hlc.NewClock(hlc.Config{Wall: s.cfg.Wall, Limit: limit, Persist: s.disk.persistLimit})
	if err != nil {
		return err
	}
	// From here on the directory is not clean until Close says so.
	s.disk.mu.record = record
	if err := s.disk.writeRecord(false); err != nil {
		return err
	}
	s.published.Store(s.disk.lastCommit())
	if s.progress, err = s.loadProgress(); err != nil {
		return err
	}
	registry, err := s.loadRegistry()
	if err != nil {
		return err
	}
	s.registry.Store(registry)
	if err := errors.Join(s.loadMembership(), s.loadShards()); err != nil {
		return err
	}
	s.metrics, err = newInstruments(s)
	return err
}

// loadRecord reads the store record, or makes one for an empty directory.
func (s *Store) loadRecord(last uint64) (storeRecord, error) {
	txn := s.db.NewTransactionAt(last, false)
	defer txn.Discard()
	value, err := getCopy(txn, storeKey())
	switch {
	case err != nil:
		return storeRecord{}, err
	case value == nil && last > 0:
		return storeRecord{}, fmt.Errorf("%w: there is a Badger database without a store record", ErrForeign)
	case value == nil:
		return newStoreRecord(s.cfg)
	}
	record, err := decodeStoreRecord(value)
	if err != nil {
		return storeRecord{}, err
	}
	if !record.clean {
		s.cfg.Logger.Info("store was not closed in order; recovered from its log", "dir", s.cfg.Dir)
	}
	return record, record.check(s.cfg.Dir, s.cfg)
}

func newStoreRecord(cfg Config) (storeRecord, error) {
	var random [20]byte
	if _, err := rand.Read(random[:]); err != nil {
		return storeRecord{}, err
	}
	r := storeRecord{Identity: Identity{
		Deployment:  or(cfg.Deployment, hex.EncodeToString(random[4:])),
		Store:       cfg.Store,
		Region:      cfg.Region,
		Incarnation: 1,
		Origin:      hlc.Origin(max(1, binary.BigEndian.Uint32(random[:]))),
	}}
	return r, nil
}

// getCopy returns a copy of the value of key, nil when there is none.
func getCopy(txn *badger.Txn, key []byte) ([]byte, error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", describeKey(key), err)
	}
	return item.ValueCopy(nil)
}

// Identity returns who the store is.
func (s *Store) Identity() Identity { return s.identity }

// Origin names the log that this store writes.
func (s *Store) Origin() hlc.Origin { return s.identity.Origin }

// Witness raises the clock to a timestamp of another store, so that what is
// written from now on is later. It fails, with hlc.ErrAhead, when that is too
// far in the future; the clock is as it was then.
func (s *Store) Witness(t hlc.Timestamp) error { return s.clock.Witness(t) }

// Clock returns the store's clock. Timestamps taken from it may be persisted
// for, about once a second, which waits for the disk.
func (s *Store) Clock() *hlc.Clock { return s.clock }

// Now returns the physical time, as Config.Wall has it.
func (s *Store) Now() time.Time { return s.cfg.Wall() }

// Health returns nil while the store accepts writes, and otherwise why it does
// not: ErrClosed, ErrReadOnly or ErrDiskFull, wrapped with the cause.
func (s *Store) Health() error {
	s.open.RLock()
	defer s.open.RUnlock()
	if s.open.closed {
		return ErrClosed
	}
	return s.disk.health()
}

// reading returns ErrClosed, or nil and holds the store open until done.
func (s *Store) reading() error {
	s.open.RLock()
	if s.open.closed {
		s.open.RUnlock()
		return ErrClosed
	}
	return nil
}
