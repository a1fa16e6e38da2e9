package hlc

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MaxReserve is the most timestamps one Reserve may take. It moves the
	// clock by 16 milliseconds at most, well inside the skew peers tolerate.
	MaxReserve = 1 << 20

	// slack is how many timestamps a limit leaves to a clock that is already
	// past Wall+Window: one millisecond's worth of counters. Adding a whole
	// Window there would let a store that crashes in a loop run ahead of its
	// peers by a Window each time.
	slack = 1 << counterBits

	unlimited Timestamp = math.MaxUint64
)

// Clock issues timestamps that only rise. It is safe for concurrent use and
// starts no goroutine.
type Clock struct {
	cfg Config // defaults filled in; immutable

	// last is the greatest timestamp issued or witnessed. It is written under
	// mu only; being atomic, it can be read while Persist waits for a disk.
	last atomic.Uint64

	mu struct {
		sync.Mutex
		// limit bounds what may be issued. Invariant: whatever the disk holds is
		// at least limit, and every timestamp issued is below it.
		limit Timestamp
	}
}

// NewClock returns a clock that starts at c.Limit. It neither reads the wall
// clock nor persists anything; the first Now does both. It fails when c is not
// valid.
func NewClock(c Config) (*Clock, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("clock configuration: %w", err)
	}
	clock := &Clock{cfg: c.withDefaults()}
	clock.last.Store(uint64(c.Limit))
	clock.mu.limit = c.Limit
	if c.Persist == nil {
		clock.mu.limit = unlimited
	}
	return clock, nil
}

// Now returns a timestamp greater than all that were returned or witnessed:
// the wall clock where that is greater, else the successor of Last. It fails
// only when Persist does; nothing is issued then, and calling again is safe.
// About once per Window it waits for Persist.
func (c *Clock) Now() (Timestamp, error) { return c.issue(1) }

// Reserve returns the first of n consecutive timestamps first, first+1, …,
// first+n-1, the counter carrying into the milliseconds, with the guarantees of
// Now. n is at least 1 and at most MaxReserve, or nothing is issued.
func (c *Clock) Reserve(n int) (first Timestamp, err error) {
	if n < 1 || n > MaxReserve {
		return 0, fmt.Errorf("reserve %d timestamps: expected 1 to %d", n, MaxReserve)
	}
	return c.issue(Timestamp(n))
}

// issue takes n timestamps. Under the lock: read the wall, extend the limit
// (on disk, about once per Window), move last.
func (c *Clock) issue(n Timestamp) (Timestamp, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall := c.cfg.Wall()
	first := max(FromTime(wall), c.Last()+1)
	end := first + n
	if end > c.mu.limit {
		if err := c.extendLocked(wall, end); err != nil {
			return 0, err
		}
	}
	c.last.Store(uint64(end - 1))
	return first, nil
}

// extendLocked persists a limit of at least end.
func (c *Clock) extendLocked(wall time.Time, end Timestamp) error {
	limit := max(FromTime(wall.Add(c.cfg.Window)), end+slack)
	if err := c.cfg.Persist(limit); err != nil {
		return fmt.Errorf("persist clock limit %v: %w", limit, err)
	}
	c.mu.limit = limit
	return nil
}

// Witness raises the clock to t, so that everything issued later is greater.
// A t that is not above Last changes nothing and is no error. A t more than
// MaxSkew ahead of the wall clock leaves the clock alone and returns an
// *AheadError, which matches ErrAhead: what came with t may be used, but the
// sender's clock, or this one, is wrong. Witness never waits for a disk of its
// own, but may wait for a Now that does.
func (c *Clock) Witness(t Timestamp) error {
	if t <= c.Last() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t <= c.Last() {
		return nil
	}
	if ahead := t.Time().Sub(c.cfg.Wall()); ahead > c.cfg.MaxSkew {
		return &AheadError{At: t, Ahead: ahead, MaxSkew: c.cfg.MaxSkew}
	}
	c.last.Store(uint64(t))
	return nil
}

// Last returns the greatest timestamp issued or witnessed, the Limit of the
// Config before that. It never waits.
func (c *Clock) Last() Timestamp { return Timestamp(c.last.Load()) }

// Close persists Last+1 as the limit, so that the next life does not start
// ahead of its wall clock. Without Persist it does nothing. After an error the
// higher limit may still stand, which is safe; Close may be called again. A
// Now after Close is correct too: it persists a limit again, which Close must
// then be called for again.
func (c *Clock) Close() error {
	if c.cfg.Persist == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	limit := c.Last() + 1
	// Lowered first: if Persist fails it may yet have happened.
	c.mu.limit = limit
	if err := c.cfg.Persist(limit); err != nil {
		return fmt.Errorf("persist clock limit %v on close: %w", limit, err)
	}
	return nil
}
