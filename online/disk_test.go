package online

import (
	"errors"
	"math"
	"sync"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
)

var errDisk = errors.New("the disk is gone")

// S9: a disk that fails a commit, before Badger wrote it and after.
func TestAFailedCommitStopsWritesAndKeepsReads(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fails func(txn *badger.Txn, at uint64) error
		after int64 // what the counter may be after a restart
	}{
		{"nothing written", func(*badger.Txn, uint64) error { return errDisk }, 1},
		{"all written", func(txn *badger.Txn, at uint64) error { return errors.Join(txn.CommitAt(at, nil), errDisk) }, 11},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := openHouse(t)
			h.append(write(change(1, 1, addTrips(1))))
			before := h.own(shardA)
			h.disk.commit = tc.fails
			err := h.fails(write(change(1, 1, addTrips(10)), change(2, 1, addTrips(10))))
			if !errors.Is(err, ErrReadOnly) || !errors.Is(err, errDisk) {
				t.Fatalf("got %v, want %v and its cause", err, ErrReadOnly)
			}
			h.disk.commit = func(txn *badger.Txn, at uint64) error { return txn.CommitAt(at, nil) }
			if err := h.fails(write(change(3, 1, addTrips(1)))); !errors.Is(err, ErrReadOnly) {
				t.Errorf("the next write: %v, want %v: it could show half of the failed one", err, ErrReadOnly)
			}
			if err := h.Health(); !errors.Is(err, ErrReadOnly) {
				t.Errorf("Health: %v, want %v", err, ErrReadOnly)
			}
			for range 2 { // hot, then from Badger
				if got := read(h.row(shardA, 1, entity(1)), trips); got != feature.OfInt64(1) {
					t.Errorf("trips = %v, want the acknowledged 1", got)
				}
				if row := h.row(shardA, 1, entity(2)); !row.IsEmpty() {
					t.Errorf("row %+v, want none: its write failed", row)
				}
				h.hot.evict(appendRowKey(nil, shardA, 1, entity(1)))
				h.hot.evict(appendRowKey(nil, shardA, 1, entity(2)))
			}
			if got := h.own(shardA); got != before {
				t.Errorf("progress %v, want %v", got, before)
			}
			if n := len(h.entries(shardA)); n != 1 {
				t.Errorf("%d entries, want 1", n)
			}
			h.restart()
			if got := read(h.row(shardA, 1, entity(1)), trips); got != feature.OfInt64(tc.after) {
				t.Errorf("after opening anew trips = %v, want %d", got, tc.after)
			}
			h.append(write(change(1, 1, addTrips(1))))
			twin := plain{}
			twin.join(h, 0)
			compareWithTwin(t, h.Store, twin)
		})
	}
}

// The clock cannot promise what the disk does not keep.
func TestAFailedClockLimitFailsTheWrite(t *testing.T) {
	h := openHouse(t)
	h.disk.commit = func(*badger.Txn, uint64) error { return errDisk }
	if err := h.fails(write(change(1, 1, addTrips(1)))); !errors.Is(err, ErrReadOnly) || !errors.Is(err, errDisk) {
		t.Errorf("got %v, want %v", err, ErrReadOnly)
	}
	h.settles()
	if _, err := h.Closed(); !errors.Is(err, ErrReadOnly) {
		t.Errorf("Closed: %v, want %v", err, ErrReadOnly)
	}
}

// settles waits until the committer has done with a write that it has answered.
func (h *house) settles() {
	h.assigning.RLock()
	defer h.assigning.RUnlock()
}

func TestAFullDiskRefusesWritesUntilThereIsRoom(t *testing.T) {
	h := openHouse(t)
	h.append(write(change(1, 1, addTrips(1))))
	h.disk.dir.minFree = math.MaxInt64
	if err := h.fails(write(change(1, 1, addTrips(1)))); !errors.Is(err, ErrDiskFull) {
		t.Errorf("got %v, want %v", err, ErrDiskFull)
	}
	if err := h.Health(); !errors.Is(err, ErrDiskFull) {
		t.Errorf("Health: %v, want %v", err, ErrDiskFull)
	}
	if got := read(h.row(shardA, 1, entity(1)), trips); got != feature.OfInt64(1) {
		t.Errorf("trips = %v, want 1", got)
	}
	h.disk.dir.minFree = 1
	h.append(write(change(1, 1, addTrips(1))))
	if err := h.Health(); err != nil {
		t.Errorf("Health: %v", err)
	}
}

// S11.
func TestCorruptBytesAreAnErrorThatNamesTheKey(t *testing.T) {
	h := openHouse(t)
	var w Write
	for id := range int64(4) {
		w.Changes = append(w.Changes, change(id, 1, addTrips(1), setNote("x")))
	}
	h.append(w)
	h.append(write(change(1, 2, setRate(1))))
	at := h.own(shardA)
	h.stop()
	spoil := func(key []byte, edit func([]byte)) {
		raw(t, h.cfg, func(txn *badger.Txn) error {
			value, err := getCopy(txn, key)
			if err != nil || value == nil {
				return errors.Join(err, errors.New("nothing to spoil"))
			}
			edit(value)
			return txn.Set(key, value)
		})
	}
	rowKey := appendRowKey(nil, shardA, 1, entity(1))
	spoil(rowKey, func(v []byte) { v[len(v)/2] ^= 1 })
	spoil(appendEntryKey(nil, shardA, h.Identity().Origin, at), func(v []byte) { v[len(v)/2] ^= 1 })
	raw(t, h.cfg, func(txn *badger.Txn) error { // a row under another row's key
		value, err := getCopy(txn, appendRowKey(nil, shardA, 1, entity(2)))
		return errors.Join(err, txn.Set(appendRowKey(nil, shardA, 1, entity(3)), value))
	})
	h.start()
	var b Batch
	b.Add(shardA, 1, entity(0))
	b.Add(shardA, 1, entity(1))
	err := h.Read(t.Context(), &b)
	detail, ok := errors.AsType[*CorruptError](err)
	if !ok || !errors.Is(err, ErrCorrupt) || string(detail.Key) != string(rowKey) {
		t.Errorf("Read: %v, want the key of entity 1", err)
	}
	b.Reset()
	b.Add(shardA, 1, entity(3))
	if err := h.Read(t.Context(), &b); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Read of a row under another's key: %v, want %v", err, ErrCorrupt)
	}
	if err := h.fails(write(change(1, 3, setRate(2)))); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Append to a corrupt row: %v, want %v", err, ErrCorrupt)
	}
	h.append(write(change(0, 3, setRate(2))))
	var scanned, logged error
	for _, err := range h.Scan(t.Context(), shardA, 1) {
		scanned = err
	}
	for _, err := range h.Entries(t.Context(), shardA, h.Identity().Origin, 0) {
		logged = err
	}
	if !errors.Is(scanned, ErrCorrupt) || !errors.Is(logged, ErrCorrupt) {
		t.Errorf("Scan: %v, Entries: %v, want %v", scanned, logged, ErrCorrupt)
	}
	h.stop()
	faults := 0
	for r, err := range Inspect(t.Context(), h.cfg.Dir, InspectOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Err != nil {
			faults++
		}
	}
	if faults != 3 {
		t.Errorf("Inspect finds %d corrupt records, want 3", faults)
	}
	h.start()
}

func TestCorruptRecordsOfTheStoreFailOpen(t *testing.T) {
	for _, key := range [][]byte{storeKey(), appendProgressKey(nil, shardA, 1), {byte(kindProgress)}, appendRegistryKey(nil, 1, 0)} {
		h := openHouse(t)
		h.stop()
		value := []byte{storeFormat, 0, 0, 0, 0}
		raw(t, h.cfg, func(txn *badger.Txn) error { return txn.Set(key, value) })
		if _, err := Open(h.cfg); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, want %v", describeKey(key), err, ErrCorrupt)
		}
	}
}

// A limit asked for by other goroutines does not meet the committer's lock.
func TestClockAndCommitterDoNotMeet(t *testing.T) {
	h := openHouse(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if _, err := h.Clock().Reserve(60_000); err != nil { // soon past each limit
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 50 {
				h.append(write(change(1, 1, addTrips(1))))
			}
		})
	}
	wg.Wait()
	if n := len(h.entries(shardA)); n != 200 {
		t.Errorf("%d entries, want 200", n)
	}
}
