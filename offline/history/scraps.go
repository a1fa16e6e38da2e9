package history

import (
	"context"
	"errors"
	"slices"
)

// scraps are files that were made for commits, and are to be removed where they
// got into none. They belong to one goroutine.
type scraps struct {
	history *History
	names   []string
	// tried is the greatest number under which a commit with them was tried. While
	// it is not taken, that commit may still turn up.
	tried uint64
}

// create makes a file whose name tells its contents: one that is there already is
// the same.
func (s *scraps) create(ctx context.Context, name string, data []byte) error {
	s.names = append(s.names, name)
	if err := s.history.cfg.Files.Create(ctx, name, data); !errors.Is(err, ErrExists) {
		return err
	}
	return nil
}

// tidy removes what got into no commit and never will.
func (s *scraps) tidy(ctx context.Context) error {
	now := s.history.state()
	if now.number < s.tried {
		return nil
	}
	for len(s.names) > 0 {
		name := s.names[0]
		_, isRemoved := now.removed[name]
		if !now.has(name) && !isRemoved {
			if err := s.history.cfg.Files.Remove(ctx, name); err != nil {
				return err
			}
		}
		s.names = slices.Delete(s.names, 0, 1)
	}
	return nil
}
