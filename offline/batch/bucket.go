package batch

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"featurestore/offline/bucket"
)

// Bucket is Files below a prefix of a bucket. A file that is opened is fetched whole
// into a temporary file first.
type Bucket struct {
	bucket *bucket.Bucket
	at     bucket.Location
}

// OpenBucket returns the files below the prefix of a URL, such as
// s3://lake/sources?region=eu-central-1. It asks no server yet.
func OpenBucket(ctx context.Context, url string, o bucket.Options) (*Bucket, error) {
	at, err := bucket.Parse(url)
	if err != nil {
		return nil, err
	}
	b, err := at.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Bucket{b, at}, nil
}

// Close does nothing: what is open stays so.
func (b *Bucket) Close() error { return nil }

// local returns a pattern as a path below the prefix.
func (b *Bucket) local(pattern string) (string, error) {
	name := pattern
	if bucket.IsURL(pattern) {
		root := "s3://" + b.at.Bucket + "/" + b.at.Prefix
		inside, ok := strings.CutPrefix(pattern, root)
		if !ok {
			return "", fmt.Errorf("path %q is not below %s, where batch sources are read from", pattern, root)
		}
		name = inside
	}
	if name = path.Clean(name); !filepath.IsLocal(name) {
		return "", fmt.Errorf("path %q leads out of %s, where batch sources are read from", pattern, b.at)
	}
	return name, nil
}

// List implements Files, and goes by the same rules as a Disk's.
func (b *Bucket) List(ctx context.Context, pattern string) ([]File, error) {
	name, err := b.local(pattern)
	if err != nil {
		return nil, err
	}
	segments := strings.Split(name, "/")
	if name == "." {
		segments = nil
	}
	var literal []string
	for _, s := range segments {
		if _, err := path.Match(s, ""); err != nil {
			return nil, fmt.Errorf("list %s: %q is no glob: %w", pattern, s, err)
		}
		if len(literal) < len(segments) && !slices.ContainsFunc(segments[:len(literal)+1], hasMeta) {
			literal = append(literal, s)
		}
	}
	var out []File
	for o, err := range b.bucket.Objects(ctx, strings.Join(literal, "/")) {
		if err != nil {
			return nil, err
		}
		if isNamed(segments, o.Name) {
			out = append(out, File{Name: o.Name, SizeBytes: o.SizeBytes, Modified: o.Modified, Tag: o.Tag})
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("path %q names no file: nothing of that name is in %s, where batch sources are read from", pattern, b.at)
	}
	return out, nil // the order of a bucket is that of names
}

// isNamed reports whether the segments of a pattern name a file, or a folder that it
// is in.
func isNamed(segments []string, name string) bool {
	parts := strings.Split(name, "/")
	if len(parts) < len(segments) {
		return false
	}
	for i, s := range segments {
		if !hasMeta(s) {
			if s != parts[i] {
				return false
			}
			continue
		}
		if ok, _ := path.Match(s, parts[i]); !ok || isHidden(parts[i]) {
			return false
		}
	}
	within := parts[len(segments):]
	return !slices.ContainsFunc(within, isHidden) && (len(within) == 0 || isKnown(name))
}

// Open implements Files.
func (b *Bucket) Open(ctx context.Context, f File) (*os.File, error) {
	local, err := b.local(f.Name)
	if err != nil {
		return nil, err
	}
	file, err := b.bucket.OpenFile(ctx, local)
	if err != nil || f.Tag == "" {
		return file, err
	}
	if err := b.unchanged(ctx, f); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// unchanged reports an object that is another one than was listed: then what was
// fetched may be either (BA6).
func (b *Bucket) unchanged(ctx context.Context, f File) error {
	for o, err := range b.bucket.Objects(ctx, f.Name) {
		if err != nil {
			return err
		}
		if o.Name == f.Name && o.Tag == f.Tag {
			return nil
		}
		break // the first that begins with its name is it
	}
	return fmt.Errorf("%s changed while it was read; run it again", f.Name)
}
