package history

import (
	"context"
	"io"
	"iter"
)

// Files is where a history lies: a folder, or what a bucket has below a prefix.
// Names are slash-separated paths. Files are made whole, are never changed, and
// go whole. Methods are safe for concurrent use, by several processes too; but what
// is removed is not created or opened at once.
type Files interface {
	// Create makes a file of these contents and returns when it is durable. With
	// ErrExists nothing changed, and the file that is there is durable. After
	// another error the file is there whole, or not at all, and which is for Open
	// to say.
	Create(ctx context.Context, name string, contents []byte) error
	// Open returns a file, or ErrNotExist.
	Open(ctx context.Context, name string) (File, error)
	// List yields the names with a prefix, in any order. It ends after an error.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
	// Remove removes a file; one that is not there is no error.
	Remove(ctx context.Context, name string) error
}

// File is a file to read, from one goroutine.
type File = interface {
	io.ReaderAt
	io.ReadSeeker
	io.Closer
}
