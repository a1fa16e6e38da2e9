package history

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"
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
	return s.make(ctx, name, data)
}

func (s *scraps) make(ctx context.Context, name string, data []byte) error {
	if err := s.history.cfg.Files.Create(ctx, name, data); !errors.Is(err, ErrExists) {
		return err
	}
	return nil
}

// atOnce is how many files a batch makes side by side: each waits for a disk, or
// for the way to a bucket, more than it works.
const atOnce = 8

// batch makes files side by side, of which each is held until it is made.
type batch struct {
	scraps *scraps
	ctx    context.Context
	making *errgroup.Group
}

// batch begins to make files. Wait ends it, also after an error.
func (s *scraps) batch(ctx context.Context) *batch {
	b := &batch{scraps: s}
	making, ctx := errgroup.WithContext(ctx)
	making.SetLimit(atOnce)
	b.making, b.ctx = making, ctx
	return b
}

// create is scraps.create, which is done only with wait. It may block until one of
// the files before is made.
func (b *batch) create(name string, data []byte) {
	b.scraps.names = append(b.scraps.names, name)
	b.making.Go(func() error { return b.scraps.make(b.ctx, name, data) })
}

// wait returns when all is made, or nothing is any more, with the first error.
func (b *batch) wait() error { return b.making.Wait() }

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
