package history

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
)

// Disk is a folder of one file system, which has hard links.
type Disk struct {
	root string
	// before is called before each step that changes something, by tests that
	// let it fail there.
	before func(step, name string) error
	// sync is (*os.File).Sync, but in tests that need no disk to be waited for.
	sync func(*os.File) error

	// folders is read-locked by who makes a file, and locked to remove an empty
	// folder or to note one that is durable.
	folders struct {
		sync.RWMutex
		durable map[string]bool
	}
}

// NewDisk returns the files below a folder, which need not be there yet.
func NewDisk(root string) *Disk {
	d := &Disk{root: root, before: func(string, string) error { return nil }, sync: (*os.File).Sync}
	d.folders.durable = map[string]bool{}
	return d
}

// partEnding ends the names of files that are being written. They are listed to
// nobody, and removed by who opens the history next.
const partEnding = ".part"

const (
	folderMode = 0o700
	fileMode   = 0o600
)

func (d *Disk) path(name string) string { return filepath.Join(d.root, filepath.FromSlash(name)) }

// Create writes beside, syncs, links under the name, which fails where it is
// taken, and syncs the folder, without which the name might not survive.
func (d *Disk) Create(ctx context.Context, name string, contents []byte) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("create %s: %w", d.path(name), err)
		}
	}()
	if err := d.makeFolder(path.Dir(name)); err != nil {
		return err
	}
	d.folders.RLock()
	defer d.folders.RUnlock()
	to := d.path(name)
	if _, err := os.Lstat(to); err == nil {
		return d.exists(name)
	}
	// Of its own: another process may make the same file at once.
	part := to + "." + rand.Text()[:8] + partEnding
	if err := d.write(part, name, contents); err != nil {
		return err
	}
	defer func() {
		if e := os.Remove(part); e != nil && err == nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}()
	if err := d.before("link", name); err != nil {
		return err
	}
	if err := os.Link(part, to); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return d.exists(name)
		}
		return err
	}
	if err := d.before("sync folder", name); err != nil {
		return err
	}
	return d.syncFolder(filepath.Dir(to))
}

// exists returns ErrExists once the name that is taken is durable: who took it may
// have failed to see to that.
func (d *Disk) exists(name string) error {
	if err := d.before("sync folder", name); err != nil {
		return err
	}
	if err := d.syncFolder(d.path(path.Dir(name))); err != nil {
		return err
	}
	return ErrExists
}

// write makes a file and syncs it.
func (d *Disk) write(part, name string, contents []byte) (err error) {
	if err := d.before("create", name); err != nil {
		return err
	}
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	half := len(contents) / 2
	if _, err := f.Write(contents[:half]); err != nil {
		return err
	}
	if err := d.before("write", name); err != nil {
		return err
	}
	if _, err := f.Write(contents[half:]); err != nil {
		return err
	}
	if err := d.before("sync", name); err != nil {
		return err
	}
	return d.sync(f)
}

// makeFolder makes a folder and those above it, each durable in the one above. One
// that is there may be of a life that died before it was durable.
func (d *Disk) makeFolder(name string) error {
	if d.isDurable(name) {
		return nil
	}
	if name == "." {
		if err := os.MkdirAll(d.root, folderMode); err != nil {
			return err
		}
		return d.noteDurable(name)
	}
	if err := d.makeFolder(path.Dir(name)); err != nil {
		return err
	}
	if err := d.before("make folder", name); err != nil {
		return err
	}
	if err := os.Mkdir(d.path(name), folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.noteDurable(name)
}

func (d *Disk) isDurable(name string) bool {
	d.folders.RLock()
	defer d.folders.RUnlock()
	return d.folders.durable[name]
}

// noteDurable syncs the folder above.
func (d *Disk) noteDurable(name string) error {
	if err := d.syncFolder(filepath.Dir(d.path(name))); err != nil {
		return err
	}
	d.folders.Lock()
	defer d.folders.Unlock()
	d.folders.durable[name] = true
	return nil
}

func (d *Disk) syncFolder(name string) error { return syncFolder(name, d.sync) }

// SyncFolder makes the names in a folder durable: what was made, renamed or removed there.
func SyncFolder(name string) error { return syncFolder(name, (*os.File).Sync) }

func syncFolder(name string, sync func(*os.File) error) (err error) {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return sync(f)
}

// Open opens a file.
func (d *Disk) Open(ctx context.Context, name string) (File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := os.Open(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open %s: %w", d.path(name), ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// List walks the folder of the prefix. Files that go meanwhile are left out.
func (d *Disk) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return d.walk(ctx, prefix, false)
}

// walk yields the files with a prefix: those that are being written, or the
// others.
func (d *Disk) walk(ctx context.Context, prefix string, parts bool) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		from := d.path(path.Dir(prefix + "x"))
		err := filepath.WalkDir(from, func(p string, e fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case err != nil:
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			case e.IsDir() || strings.HasSuffix(p, partEnding) != parts:
				return nil
			}
			name, err := filepath.Rel(d.root, p)
			if err != nil {
				return err
			}
			if name = filepath.ToSlash(name); strings.HasPrefix(name, prefix) && !yield(name, nil) {
				return filepath.SkipAll
			}
			return nil
		})
		if err != nil {
			yield("", fmt.Errorf("list %s: %w", from, err))
		}
	}
}

// Remove removes a file, and its folder when nothing is left in it.
func (d *Disk) Remove(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := d.before("remove", name); err != nil {
		return fmt.Errorf("remove %s: %w", d.path(name), err)
	}
	if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	d.folders.Lock()
	defer d.folders.Unlock()
	// Refused while there is something in it.
	if folder := path.Dir(name); folder != "." && os.Remove(d.path(folder)) == nil {
		delete(d.folders.durable, folder)
	}
	return nil
}

// Tidy removes what writes that were broken off left. Nobody writes meanwhile.
func (d *Disk) Tidy(ctx context.Context) error {
	for name, err := range d.walk(ctx, "", true) {
		if err != nil {
			return err
		}
		if err := d.Remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
