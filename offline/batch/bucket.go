package batch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"featurestore/offline/bucket"
)

// Bucket is Files in a bucket. A file is copied to this machine before it is read.
type Bucket struct {
	at  *bucket.Bucket
	dir string
}

// NewBucket returns the files of a bucket, copied to a folder while they are read: ""
// is the system's for temporary files.
func NewBucket(at *bucket.Bucket, dir string) *Bucket { return &Bucket{at, dir} }

// List implements Files, by the rules of Disk.
func (b *Bucket) List(ctx context.Context, pattern string) ([]File, error) {
	cleaned := path.Clean(pattern)
	if path.IsAbs(cleaned) || cleaned == ".." || strings.HasPrefix(cleaned, "../") {
		return nil, fmt.Errorf("path %q leads out of the folder that batch sources are read from: it is to be beneath the bucket's prefix", pattern)
	}
	if _, err := path.Match(cleaned, ""); err != nil {
		return nil, fmt.Errorf("list %s: it is no glob: %w", pattern, err)
	}
	var out []File
	for e, err := range b.at.Objects(ctx, fixedPrefix(cleaned)) {
		if err != nil {
			return nil, err
		}
		if names(cleaned, e.Name) {
			out = append(out, File{Name: e.Name, SizeBytes: e.SizeBytes, Modified: e.Modified, Tag: e.Tag})
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("path %q names no file: nothing of that name is in the bucket that batch sources are read from", pattern)
	}
	slices.SortFunc(out, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// fixedPrefix is what every name that a pattern names begins with.
func fixedPrefix(pattern string) string {
	if pattern == "." {
		return ""
	}
	if i := strings.IndexAny(pattern, `*?[\`); i >= 0 {
		return pattern[:strings.LastIndexByte(pattern[:i], '/')+1]
	}
	return pattern
}

// names reports whether a pattern names an object: its path, a folder that it is in, or
// a glob of either.
func names(pattern, name string) bool {
	if pattern == name {
		return true
	}
	wanted, parts := strings.Split(pattern, "/"), strings.Split(name, "/")
	if pattern == "." {
		wanted = nil
	}
	if len(parts) < len(wanted) {
		return false
	}
	for i, part := range parts {
		if i >= len(wanted) || hasMeta(wanted[i]) {
			if isHidden(part) {
				return false
			}
		}
		if i < len(wanted) {
			if ok, _ := path.Match(wanted[i], part); !ok {
				return false
			}
		}
	}
	return len(parts) == len(wanted) || isKnown(name)
}

// Open implements Files. The copy has no name, and goes when it is closed.
func (b *Bucket) Open(ctx context.Context, f File) (*os.File, error) {
	copied, err := b.at.Fetch(ctx, f.Name, b.dir)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(copied)
	if err = errors.Join(err, os.Remove(copied)); err == nil {
		err = b.unchanged(ctx, f)
	}
	if err != nil && file != nil {
		file.Close()
	}
	if err != nil {
		return nil, err
	}
	return file, nil
}

// unchanged reports an object that is another one than was listed: then what was
// fetched may be either.
func (b *Bucket) unchanged(ctx context.Context, f File) error {
	for e, err := range b.at.Objects(ctx, f.Name) {
		if err != nil {
			return err
		}
		if e.Name == f.Name && e.Tag == f.Tag {
			return nil
		}
		if e.Name != f.Name {
			break // names come in order
		}
	}
	return fmt.Errorf("%s changed while it was read; run it again", f.Name)
}
