package export

import "errors"

// Errors to act on.
var (
	// ErrNoHistory reports a folder in which there is no history.
	ErrNoHistory = errors.New("there is no history")
	// ErrFormat reports a file name whose ending tells no format.
	ErrFormat = errors.New("unknown format of a file")
	// ErrNoProject reports a project of which the history has no definitions.
	ErrNoProject = errors.New("no such project")
)

// FieldError says which part of a request is at fault, in the words of the request's
// JSON form: "features[2]", "known_as_of".
type FieldError struct {
	Field string
	Err   error
}

// Error names the field: "features[2]: …".
func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *FieldError) Unwrap() error { return e.Err }
