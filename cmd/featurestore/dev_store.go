package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"featurestore/replica"
)

// devStore is the store of one region of dev through its lives.
type devStore struct {
	config  replica.Config
	current atomic.Pointer[replica.Replica]
	ready   chan struct{} // closed once its first life answers
	gone    chan struct{} // closed once it was removed
}

func newDevStore(c replica.Config, r *replica.Replica) *devStore {
	s := &devStore{config: c, ready: make(chan struct{}), gone: make(chan struct{})}
	s.current.Store(r)
	return s
}

// replica is the present life of the store, the last one after it was removed.
func (s *devStore) replica() *replica.Replica { return s.current.Load() }

// run runs the store until ctx ends or it was removed, of which report is told:
// the other regions go on then.
func (s *devStore) run(ctx context.Context, report io.Writer) error {
	first := s.replica()
	err := live(ctx, report, s.config, first, func(r *replica.Replica) error {
		if s.current.Store(r); r == first {
			close(s.ready)
		}
		return nil
	})
	if !errors.Is(err, replica.ErrDrained) {
		return err
	}
	close(s.gone)
	_, err = fmt.Fprintf(report, "%s; the other regions go on, and %s may be removed\n", left(s.config), s.config.Data)
	return err
}

// isGone reports whether the store was removed.
func (s *devStore) isGone() bool {
	select {
	case <-s.gone:
		return true
	default:
		return false
	}
}
