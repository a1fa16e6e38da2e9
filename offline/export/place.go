package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"featurestore/offline/bucket"
	"featurestore/offline/history"
)

// sink takes the contents of a file that is on its way. Commit makes it appear,
// whole and durable; Abandon removes what there is of it, and does nothing after
// Commit.
type sink interface {
	io.Writer
	Commit() error
	Abandon()
}

// beginFile begins a file of this machine, or in a bucket. It replaces the one that
// is there, once it is committed.
func beginFile(ctx context.Context, path string) (sink, error) {
	if !bucket.IsURL(path) {
		f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part")
		if err != nil {
			return nil, err
		}
		return &diskFile{path, f}, nil
	}
	b, name, err := openBucket(ctx, path)
	if err != nil {
		return nil, err
	}
	u, err := b.Begin(ctx, name)
	if err != nil {
		return nil, err
	}
	return u, nil
}

func openBucket(ctx context.Context, path string) (b *bucket.Bucket, name string, err error) {
	at, name, err := bucket.Split(path)
	if err == nil {
		b, err = at.Open(ctx, bucket.Options{})
	}
	return b, name, err
}

// bareName is a path without what follows a name in a URL.
func bareName(path string) string {
	if bucket.IsURL(path) {
		path, _, _ = strings.Cut(path, "?")
	}
	return path
}

// diskFile is a file that is written beside, under another name.
type diskFile struct {
	path string
	file *os.File
}

// syncFolder is history.SyncFolder, but in a test that watches it.
var syncFolder = history.SyncFolder

// filePerm are the permissions of what is made.
const filePerm = 0o644

func (d *diskFile) Write(b []byte) (int, error) { return d.file.Write(b) }

func (d *diskFile) Commit() error {
	err := errors.Join(d.file.Chmod(filePerm), d.file.Sync(), d.file.Close())
	if err == nil {
		err = os.Rename(d.file.Name(), d.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(d.file.Name()))
	}
	d.file = nil
	return syncFolder(filepath.Dir(d.path))
}

func (d *diskFile) Abandon() {
	if d.file != nil {
		_ = d.file.Close() // it goes
		_ = os.Remove(d.file.Name())
		d.file = nil
	}
}

// replaceFile makes a file of contents that are there.
func replaceFile(ctx context.Context, path string, contents []byte) error {
	to, err := beginFile(ctx, path)
	if err != nil {
		return err
	}
	defer to.Abandon()
	if _, err := to.Write(contents); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return to.Commit()
}

// removeFile removes a file, durably; one that is not there is no error.
func removeFile(ctx context.Context, path string) error {
	if !bucket.IsURL(path) {
		err := os.Remove(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			return nil
		case err != nil:
			return err
		}
		return syncFolder(filepath.Dir(path))
	}
	b, name, err := openBucket(ctx, path)
	if err != nil {
		return err
	}
	return b.Remove(ctx, name)
}
