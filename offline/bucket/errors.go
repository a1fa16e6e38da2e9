package bucket

import "errors"

// Errors to act on. A name that is taken is fs.ErrExist, one that is not there
// fs.ErrNotExist.
var (
	// ErrNoBucket reports a bucket that is not there. Nothing changed.
	ErrNoBucket = errors.New("there is no such bucket")
	// ErrDenied reports credentials that are missing, wrong, or may not do this.
	// Nothing changed.
	ErrDenied = errors.New("access denied")
	// ErrUnreachable reports a server that gave no answer, or none that S3 gives,
	// for as long as it was tried. What was asked may have been done.
	ErrUnreachable = errors.New("no answer")
	// ErrNotConditional reports a server that replaces objects although it was told
	// to create them: a history there could be written by two at once.
	ErrNotConditional = errors.New("the server does not keep If-None-Match")
	// ErrChanged reports an object that was replaced while it was read.
	ErrChanged = errors.New("the object was replaced while it was read")
)
