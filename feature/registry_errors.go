package feature

import (
	"errors"
	"fmt"
	"strings"
)

// Errors of Registry.Plan and Apply. The registry is as it was.
var (
	// ErrInvalid matches every InvalidError.
	ErrInvalid = errors.New("definitions are not valid")
	// ErrIncompatible matches an InvalidError with a change that stored rows
	// could not follow.
	ErrIncompatible = errors.New("incompatible change")
	// ErrConflict matches every ConflictError.
	ErrConflict = errors.New("definitions changed meanwhile")
)

// Problem is one fault of definitions.
type Problem struct {
	// Path names the place, such as "views[driver_stats].features[x].type".
	Path string
	// Message says what is wrong and what would be right.
	Message string
	// Incompatible marks a change that stored rows could not follow.
	Incompatible bool
}

// String returns "path: message".
func (p Problem) String() string { return p.Path + ": " + p.Message }

// InvalidError lists the faults of definitions. It matches ErrInvalid, and
// ErrIncompatible when one of the faults is an incompatible change.
type InvalidError struct {
	// Project is "" when the definitions name none.
	Project string
	// Problems has at least one and at most maxProblems, in the order of the
	// definitions.
	Problems []Problem
	// More is how many further faults were left out.
	More int
}

// maxProblems bounds what a broken generator of definitions can print.
const maxProblems = 200

// Error prints one fault on one line, several on a line each.
func (e *InvalidError) Error() string {
	var b strings.Builder
	b.WriteString("definitions")
	if e.Project != "" {
		fmt.Fprintf(&b, " of project %q", Clip(e.Project))
	}
	if len(e.Problems) == 1 {
		return b.String() + ": " + e.Problems[0].String()
	}
	fmt.Fprintf(&b, ": %d faults", len(e.Problems)+e.More)
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	if e.More > 0 {
		fmt.Fprintf(&b, "\n  and %d more", e.More)
	}
	return b.String()
}

// Is matches ErrInvalid and, where it applies, ErrIncompatible.
func (e *InvalidError) Is(target error) bool {
	if target == ErrIncompatible {
		for _, p := range e.Problems {
			if p.Incompatible {
				return true
			}
		}
	}
	return target == ErrInvalid
}

// ConflictError reports an apply that was planned against another revision
// than the one in place. It matches ErrConflict.
type ConflictError struct {
	Project string
	// Want is the revision the caller saw, Have the one in place.
	Want, Have uint64
	// Difference lists what was changed between the two, as far as remembered:
	// what the apply would have overwritten unseen.
	Difference []string
}

// Error names both revisions and what to do.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("project %q is at revision %d, the plan was made against %d: plan again", Clip(e.Project), e.Have, e.Want)
}

// Is makes errors.Is(e, ErrConflict) true.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// problems collects faults.
type problems struct {
	list []Problem
	more int
}

func (p *problems) put(f Problem) {
	if len(p.list) == maxProblems {
		p.more++
		return
	}
	p.list = append(p.list, f)
}

func (p *problems) add(path, format string, args ...any) {
	p.put(Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// refuse adds an incompatible change.
func (p *problems) refuse(path, format string, args ...any) {
	p.put(Problem{Path: path, Message: fmt.Sprintf(format, args...), Incompatible: true})
}

func (p *problems) err(project string) error {
	if len(p.list) == 0 {
		return nil
	}
	return &InvalidError{Project: project, Problems: p.list, More: p.more}
}
