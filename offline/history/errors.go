package history

import "errors"

// Errors to act on.
var (
	// ErrExists reports a file that is there already; it is as it was.
	ErrExists = errors.New("file exists")
	// ErrNotExist reports a file that is not there.
	ErrNotExist = errors.New("file does not exist")
	// ErrCorrupt reports a file whose contents are not what was written. Nothing
	// was read from it.
	ErrCorrupt = errors.New("history is damaged")
	// ErrFenced reports that another one has opened this history to write. Nothing
	// was committed, and nothing will be until it is opened again.
	ErrFenced = errors.New("history is written by another")
	// ErrClosed reports a use after Close.
	ErrClosed = errors.New("history is closed")
)
