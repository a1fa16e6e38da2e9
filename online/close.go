package online

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Run commits writes until ctx ends, then finishes what was accepted and
// returns nil. Writes wait for it; lookups do not. When the disk makes no
// headway for Config.CloseTimeout after ctx ended, it returns ErrAbandoned, and
// a commit may still be under way: those who wait for it are not answered. Run
// is called once; a second call is an error.
func (s *Store) Run(ctx context.Context) error {
	if !s.running.CompareAndSwap(false, true) {
		return errors.New("store: Run was called before")
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var counting sync.WaitGroup
		counting.Go(func() { s.countLogs(ctx) })
		s.commitLoop(ctx)
		counting.Wait()
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	patience := time.NewTicker(s.cfg.CloseTimeout)
	defer patience.Stop()
	for seen := s.published.Load(); ; {
		select {
		case <-ended:
			return nil
		case <-patience.C:
		}
		now := s.published.Load()
		if now == seen {
			return fmt.Errorf("%w: no commit ended within %v", ErrAbandoned, s.cfg.CloseTimeout)
		}
		seen = now
	}
}

// Close marks the directory as closed in order and gives it back. It is called
// after Run has returned; calls of other methods answer ErrClosed from then
// on. A second call does nothing.
//
// Badger writes its memtables to files first, and tries for ever. Close does
// not wait for that longer than Config.CloseTimeout, and not at all when the
// directory is gone or has no room; it returns ErrAbandoned then.
func (s *Store) Close() error {
	if !s.closing.CompareAndSwap(false, true) {
		return nil
	}
	s.queue.close()
	s.queue.fail(ErrClosed)
	go func() { s.closed <- s.closeFiles() }()
	patience := time.NewTimer(s.cfg.CloseTimeout)
	defer patience.Stop()
	select {
	case err := <-s.closed:
		return err
	case <-patience.C:
		return s.abandoned(fmt.Errorf("it did not end within %v", s.cfg.CloseTimeout))
	}
}

// closeFiles takes as long as Badger does.
func (s *Store) closeFiles() error {
	s.open.Lock()
	defer s.open.Unlock()
	s.open.closed = true
	s.metrics.close()
	s.progress.close()
	if err := s.disk.dir.isThere(); err != nil {
		return s.abandoned(err)
	}
	if err := s.disk.dir.room(s.disk.dir.leastFree); err != nil {
		return s.abandoned(err)
	}
	var errs []error
	if s.disk.failed.Load() == nil {
		if err := s.clock.Close(); err != nil {
			errs = append(errs, err)
		} else if err := s.disk.writeRecord(true); err != nil {
			errs = append(errs, err)
		}
	}
	if err := s.db.Close(); err != nil {
		errs = append(errs, fmt.Errorf("close %s: %w", s.cfg.Dir, err))
	}
	return errors.Join(errs...)
}

// abandoned says what is true of a store that was not closed in order.
func (s *Store) abandoned(cause error) error {
	lies := "what was acknowledged is in its log, opening it anew recovers it"
	if errors.Is(cause, errGone) {
		lies = "what was acknowledged went with it"
	}
	return fmt.Errorf("close %s: %w: %w; %s", s.cfg.Dir, ErrAbandoned, cause, lies)
}

// done ends what reading began. When Badger fails to make a memtable it goes on
// without one, and every read of it panics from then on: that becomes err. It is
// to be deferred, without a function around it.
func (s *Store) done(err *error) {
	s.open.RUnlock()
	fault := recover()
	if fault == nil {
		return
	}
	why := s.disk.settled()
	if why == nil {
		panic(fault)
	}
	*err = fmt.Errorf("read: %v, after: %v", fault, why)
}
