package online

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"featurestore/feature"
)

var diskMiB = flag.Int("disk.mib", 260, "size of the disk that a test fills, in memory")

// smallDisk mounts a file system of some MiB and returns its path and how to
// change its size.
func smallDisk(t *testing.T, mib int) (path string, resize func(mib int)) {
	t.Helper()
	path = t.TempDir()
	err := syscall.Mount("tmpfs", path, "tmpfs", 0, fmt.Sprintf("size=%dm", mib))
	if errors.Is(err, syscall.EPERM) {
		t.Skip("needs a file system of its own, and may not mount one")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(path, 0); err != nil {
			t.Error(err)
		}
	})
	return path, func(mib int) {
		t.Helper()
		if err := syscall.Mount("tmpfs", path, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%dm", mib)); err != nil {
			t.Fatal(err)
		}
	}
}

// A store that fills its disk: it stops in time, keeps what it acknowledged,
// and goes on when there is room. Levels grow with the disk, and compactions
// with them: run it larger with -disk.mib.
func TestAStoreThatFillsItsDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("writes some hundred MiB to memory")
	}
	const writers = 4
	dir, resize := smallDisk(t, *diskMiB)
	h := openHouseIn(t, dir, fromBadger, func(c *Config) { c.MinFreeBytes = 1 }) // as little as it accepts
	var wg sync.WaitGroup
	var acknowledged [writers]int64
	for w := range writers {
		wg.Go(func() {
			refused := 0
			for id := int64(w); refused < 50; {
				// It goes on for a while: compaction frees space, and takes it.
				switch _, err := h.Append(t.Context(), write(bigNote(id))); {
				case err == nil:
					acknowledged[w]++
					id += writers
				case errors.Is(err, ErrDiskFull):
					refused++
				default:
					t.Errorf("Append: %v, want %v", err, ErrDiskFull)
					return
				}
			}
		})
	}
	wg.Wait()
	wantAll := func() {
		t.Helper()
		for w, n := range acknowledged {
			if n == 0 {
				t.Errorf("writer %d wrote nothing", w)
			}
			for id := int64(w); id < n*writers; id += writers {
				if got := len(read(h.row(shardA, 1, entity(id)), note).Text()); got != 200<<10 {
					t.Fatalf("note of entity %d has %d bytes, want %d", id, got, 200<<10)
				}
			}
		}
	}
	wantAll()
	if err := h.end(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	h.start()
	wantAll()
	resize(*diskMiB + 400)
	h.append(write(change(1, 1, addTrips(1))))
	wantAll()
	if err := h.end(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// Another program takes the space: nothing is written any more, also not by
// Badger on its own, which would be killed for it.
func TestADiskThatOthersFill(t *testing.T) {
	dir, resize := smallDisk(t, 600)
	h := openHouseIn(t, dir, fromBadger)
	h.append(write(bigNote(0)))
	resize(4)
	if err := h.Health(); !errors.Is(err, ErrDiskFull) {
		t.Errorf("Health: %v, want %v", err, ErrDiskFull)
	}
	if err := h.fails(write(change(1, 1, addTrips(1)))); !errors.Is(err, ErrDiskFull) {
		t.Errorf("Append: %v, want %v", err, ErrDiskFull)
	}
	if _, err := h.Apply(t.Context(), feature.Definitions{Project: "rides"}, nil); err == nil {
		t.Error("Apply succeeded")
	}
	h.wantNotes(1)
	if err := h.end(); !errors.Is(err, ErrAbandoned) || !errors.Is(err, ErrDiskFull) || !strings.Contains(err.Error(), "recovers it") {
		t.Errorf("Close: %v, want %v because %v", err, ErrAbandoned, ErrDiskFull)
	}
	if _, err := Open(h.cfg); !errors.Is(err, ErrDiskFull) {
		t.Errorf("Open: %v, want %v", err, ErrDiskFull)
	}
	// What a process that ends here leaves, on a disk with room.
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	resize(600)
	h.release()
	h.cfg.Dir = copied
	h.start()
	h.wantNotes(1)
	h.append(write(change(1, 1, addTrips(1))))
}
