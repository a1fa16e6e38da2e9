package online

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// directory looks from outside at the place where Badger keeps its files.
// Badger maps them into memory: it does not notice when they are unlinked, and
// a page that a full file system has no block for kills the process.
type directory struct {
	path string
	// mark is the file that Badger makes when it takes the directory. Another
	// in its place, or none, is another directory.
	mark os.FileInfo
	// leastFree are the bytes that must be free to open and to close, minFree
	// those for writes, as far as they do not depend on what there is to compact.
	// Negative for any.
	leastFree, minFree int64
}

// markFile is the name of Badger's file of its process id.
const markFile = "LOCK"

// newDirectory is for a directory that Badger may not have taken yet.
func newDirectory(cfg Config) directory {
	d := directory{path: cfg.Dir, leastFree: -1, minFree: -1}
	if cfg.MinFreeBytes >= 0 {
		// Three memtables may have to become files, and a fourth gets its log.
		d.leastFree = 4 * cfg.MemTableBytes
		d.minFree = max(d.leastFree, cfg.MinFreeBytes)
	}
	return d
}

// taken remembers the directory that Badger has just taken.
func (d *directory) taken() (err error) {
	if d.mark, err = os.Stat(filepath.Join(d.path, markFile)); err != nil {
		return fmt.Errorf("the directory was taken away while it was opened: %w", err)
	}
	return nil
}

// isThere returns nil while the directory is the one that was opened.
func (d *directory) isThere() error {
	now, err := os.Stat(filepath.Join(d.path, markFile))
	if err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	if !os.SameFile(now, d.mark) {
		return fmt.Errorf("%w: there is another under %s", errGone, d.path)
	}
	return nil
}

// errGone reports a directory that was removed, replaced or unmounted, or that
// cannot be looked at.
var errGone = errors.New("the data directory is gone")

// room returns ErrDiskFull when fewer bytes are free than must be.
func (d *directory) room(least int64) error {
	if least < 0 {
		return nil
	}
	free, err := freeBytes(d.path)
	if err != nil {
		return fmt.Errorf("%w: measure its free space: %w", errGone, err)
	}
	if free < least {
		return fmt.Errorf("%w: %d bytes are free under %s, %d are needed", ErrDiskFull, free, d.path, least)
	}
	return nil
}
