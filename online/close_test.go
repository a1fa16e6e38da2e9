package online

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
)

// fromBadger makes every read one of Badger.
func fromBadger(c *Config) { c.HotBytes = -1 }

// bigNote is a change of about a twentieth of a memtable, log entry included.
func bigNote(id int64) Placed { return change(id, 1, setNote(strings.Repeat("x", 200<<10))) }

// wantNotes wants the big notes of the first n entities.
func (h *house) wantNotes(n int64) {
	h.Helper()
	for id := range n {
		if got := len(read(h.row(shardA, 1, entity(id)), note).Text()); got != 200<<10 {
			h.Errorf("note of entity %d has %d bytes, want %d", id, got, 200<<10)
		}
	}
}

// S9: what becomes of a store whose directory goes away under it.
func TestAVanishedDirectoryStopsWritesAndIsNotWaitedFor(t *testing.T) {
	for name, vanish := range map[string]func(dir string) error{
		"removed": os.RemoveAll,
		"emptied": func(dir string) error { return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)) },
		"replaced": func(dir string) error {
			return errors.Join(os.Rename(dir, dir+".away"), os.CopyFS(dir, os.DirFS(dir+".away")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := openHouse(t, fromBadger)
			h.append(write(change(1, 1, addTrips(1))))
			if err := vanish(h.cfg.Dir); err != nil {
				t.Fatal(err)
			}
			if err := h.Health(); !errors.Is(err, ErrReadOnly) || !errors.Is(err, errGone) {
				t.Errorf("Health: %v, want %v because %v", err, ErrReadOnly, errGone)
			}
			if err := h.fails(write(change(1, 1, addTrips(1)))); !errors.Is(err, ErrReadOnly) {
				t.Errorf("Append: %v, want %v", err, ErrReadOnly)
			}
			if got := read(h.row(shardA, 1, entity(1)), trips); got != feature.OfInt64(1) {
				t.Errorf("trips = %v, want the 1 that is in memory", got)
			}
			err := h.end()
			if !errors.Is(err, ErrAbandoned) || !errors.Is(err, errGone) || !strings.Contains(err.Error(), "went with it") {
				t.Errorf("Close: %v, want %v because %v", err, ErrAbandoned, errGone)
			}
			h.release()
		})
	}
}

// release ends Badger after Close gave it up, so that no goroutine is left.
func (h *house) release() {
	h.Helper()
	if err := os.MkdirAll(h.cfg.Dir, 0o700); err != nil {
		h.Fatal(err)
	}
	h.Logf("Badger closed with: %v", h.db.Close())
}

// A directory that goes during a commit: Badger syncs what it has mapped and
// notices nothing.
func TestACommitIntoAVanishedDirectoryIsNotAcknowledged(t *testing.T) {
	h := openHouse(t)
	h.disk.commit = func(txn *badger.Txn, at uint64) error {
		return errors.Join(os.RemoveAll(h.cfg.Dir), txn.CommitAt(at, nil))
	}
	if err := h.fails(write(change(1, 1, addTrips(1)))); !errors.Is(err, ErrReadOnly) || !errors.Is(err, errGone) {
		t.Errorf("Append: %v, want %v because %v", err, ErrReadOnly, errGone)
	}
	if err := h.end(); !errors.Is(err, ErrAbandoned) {
		t.Errorf("Close: %v, want %v", err, ErrAbandoned)
	}
	h.release()
}

// block puts folders where Badger wants to create its next n files.
func (h *house) block(n int, format string) (unblock func()) {
	h.Helper()
	var made []string
	for i := range n {
		path := filepath.Join(h.cfg.Dir, fmt.Sprintf(format, i))
		switch err := os.Mkdir(path, 0o700); {
		case err == nil:
			made = append(made, path)
		case !errors.Is(err, os.ErrExist):
			h.Fatal(err)
		}
	}
	return func() {
		h.Helper()
		for _, path := range made {
			if err := os.Remove(path); err != nil {
				h.Error(err)
			}
		}
	}
}

func TestCloseDoesNotWaitForAFlushThatFailsForEver(t *testing.T) {
	h := openHouse(t, func(c *Config) { c.CloseTimeout = 20 * time.Millisecond })
	h.append(write(bigNote(0)))
	unblock := h.block(100, "%06d.sst")
	err := h.end()
	if !errors.Is(err, ErrAbandoned) || !strings.Contains(err.Error(), "recovers it") {
		t.Errorf("Close: %v, want %v and what is true of the data", err, ErrAbandoned)
	}
	if err := h.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	unblock()
	if err := <-h.closed; err != nil { // Badger tries once a second
		t.Errorf("Close ended at last with %v", err)
	}
	h.cfg.CloseTimeout = 0
	h.start()
	h.wantNotes(1)
}

func TestACommitThatHangsHoldsUpNeitherTheEndNorHealth(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.CloseTimeout = 20 * time.Millisecond
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	begun, release := make(chan struct{}), make(chan struct{})
	hang := sync.OnceFunc(func() {
		close(begun)
		<-release
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended, answered := make(chan error, 1), make(chan error, 1)
	s.disk.commit = func(txn *badger.Txn, at uint64) error {
		hang()
		return txn.CommitAt(at, nil)
	}
	go func() { ended <- s.Run(ctx) }()
	go func() {
		_, err := s.Append(context.Background(), write(change(1, 1, addTrips(1))))
		answered <- err
	}()
	<-begun
	cancel()
	if err := <-ended; !errors.Is(err, ErrAbandoned) {
		t.Errorf("Run: %v, want %v", err, ErrAbandoned)
	}
	if err := s.Health(); err != nil {
		t.Errorf("Health: %v", err)
	}
	if err := s.Close(); !errors.Is(err, ErrAbandoned) {
		t.Errorf("Close: %v, want %v", err, ErrAbandoned)
	}
	close(release)
	late := <-answered // done, or refused because Badger was closed before
	if late != nil && !errors.Is(late, ErrReadOnly) && !errors.Is(late, ErrClosed) {
		t.Errorf("Append: %v, want none, %v or %v", late, ErrReadOnly, ErrClosed)
	}
	if err := <-s.closed; err != nil {
		t.Errorf("the disk came back, and Close ended with %v", err)
	}
	cfg.CloseTimeout = 0
	h := &house{TB: t, cfg: cfg}
	h.start()
	defer h.stop()
	if got := read(h.row(shardA, 1, entity(1)), trips); late == nil && got != feature.OfInt64(1) {
		t.Errorf("trips = %v, want the acknowledged 1", got)
	}
}

// S9: once Badger has no memtable its reads panic.
func TestReadsWithoutAMemtableAreErrors(t *testing.T) {
	h := openHouse(t, fromBadger)
	unblock := h.block(100, "%05d.mem")
	var acknowledged int64
	var err error
	for err == nil && acknowledged < 1000 {
		if _, err = h.Append(t.Context(), write(bigNote(acknowledged))); err == nil {
			acknowledged++
		}
	}
	if !errors.Is(err, ErrReadOnly) || !strings.Contains(err.Error(), ".mem") {
		t.Fatalf("Append: %v, want %v naming the file that could not be made", err, ErrReadOnly)
	}
	var b Batch
	b.Add(shardA, 1, entity(0))
	reads := map[string]error{"Read": h.Read(t.Context(), &b)}
	for _, err := range h.Scan(t.Context(), shardA, 1) {
		reads["Scan"] = err
	}
	for call, err := range reads {
		if err == nil || errors.Is(err, ErrReadOnly) || !strings.Contains(err.Error(), ".mem") {
			t.Errorf("%s: %v, want an error of its own with the cause", call, err)
		}
	}
	if err := h.end(); err != nil {
		t.Errorf("Close: %v", err)
	}
	unblock()
	h.start()
	h.wantNotes(acknowledged)
}
