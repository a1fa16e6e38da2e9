package definition

import (
	"errors"
	"fmt"

	"featurestore/feature"
)

// FaultError is one fault of a document. It matches feature.ErrInvalid.
type FaultError struct {
	// File is the name given to Parse, or the path that Load read.
	File string
	// Line and Column count from 1; 0 when the fault has no place.
	Line, Column int
	// Path names the key, such as "views[0].features[2].type"; "" for none.
	Path string
	// Message says what is wrong and what would be right.
	Message string
}

// Error prints "file:line:column: path: message".
func (e *FaultError) Error() string {
	s := e.File
	if e.Line > 0 {
		s += fmt.Sprintf(":%d:%d", e.Line, e.Column)
	}
	if e.Path != "" {
		s += ": " + e.Path
	}
	return s + ": " + e.Message
}

// Is makes errors.Is(e, feature.ErrInvalid) true.
func (e *FaultError) Is(target error) bool { return target == feature.ErrInvalid }

// maxFaults bounds what one document reports.
const maxFaults = 50

// faults collects what is wrong with one document.
type faults struct {
	list []error
	more int
}

func (f *faults) put(e *FaultError) {
	if len(f.list) == maxFaults {
		f.more++
		return
	}
	f.list = append(f.list, e)
}

// count tells whether reading something added a fault.
func (f *faults) count() int { return len(f.list) + f.more }

func (f *faults) err() error {
	if f.more > 0 {
		return errors.Join(append(f.list, fmt.Errorf("and %d more faults", f.more))...)
	}
	return errors.Join(f.list...)
}
