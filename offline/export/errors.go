package export

import (
	"errors"
	"fmt"
)

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

// MissingError says which other parts of a request are missing or too many.
type MissingError struct {
	// Text has %s for each of Fields.
	Text   string
	Fields []string
}

// Error names the fields: "give at, or every with from and to".
func (e *MissingError) Error() string { return e.Say(func(field string) string { return field }) }

// Say is Error with other names for the fields.
func (e *MissingError) Say(name func(field string) string) string {
	names := make([]any, len(e.Fields))
	for i, f := range e.Fields {
		names[i] = name(f)
	}
	return fmt.Sprintf(e.Text, names...)
}
