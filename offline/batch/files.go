package batch

import (
	"context"
	"os"
	"time"
)

// File is one file of a source, as a listing has it.
type File struct {
	// Name is the path, beneath the root of all sources, with slashes.
	Name      string
	SizeBytes int64
	// Modified is when it was written; Tag is what a bucket says of its contents, ""
	// for none. Together with SizeBytes they tell whether it changed.
	Modified time.Time
	Tag      string
}

// Files is where batch sources lie: a disk, or a bucket.
type Files interface {
	// List returns the files that a pattern names, by rising name. It is a file's path,
	// a folder's for all that is in it, or a glob. Nothing found is an error that says
	// where it was looked.
	List(ctx context.Context, pattern string) ([]File, error)
	// Open opens a file for reading at any place, from the beginning; what lies
	// elsewhere is fetched first. The caller closes it.
	Open(ctx context.Context, name string) (*os.File, error)
}
