package history

import (
	"errors"
	"io/fs"
)

// Errors to act on.
var (
	// ErrExists reports a file that is there already; it is as it was. It and
	// ErrNotExist are those of the standard library, so that what holds a history
	// need not know of it.
	ErrExists = fs.ErrExist
	// ErrNotExist reports a file that is not there.
	ErrNotExist = fs.ErrNotExist
	// ErrCorrupt reports a file whose contents are not what was written. Nothing
	// was read from it.
	ErrCorrupt = errors.New("history is damaged")
	// ErrFenced reports that another one has opened this history to write. Nothing
	// was committed, and nothing will be until it is opened again.
	ErrFenced = errors.New("history is written by another")
	// ErrClosed reports a use after Close.
	ErrClosed = errors.New("history is closed")
)
