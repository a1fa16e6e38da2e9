package hlc

import (
	"errors"
	"fmt"
	"time"
)

const (
	defaultMaxSkew = 500 * time.Millisecond
	defaultWindow  = time.Second
)

// Config says how a Clock reads time and how it survives a restart. The zero
// value is a clock for tests: nothing is persisted.
type Config struct {
	// Wall returns the physical time; default time.Now. It may step in both
	// directions. It is called with the clock's lock held.
	Wall func() time.Time

	// MaxSkew is how far ahead of Wall a witnessed timestamp may be; default
	// 500ms. It is the bound on clock differences that operators must keep.
	MaxSkew time.Duration

	// Limit is the limit persisted last by the previous life; zero for a new
	// store. Nothing at or below it is issued.
	Limit Timestamp

	// Persist records limit durably, replacing the one before, and returns only
	// when it would survive a power failure. Close records a lower limit than
	// the one before, so an implementation must not keep the maximum. After an
	// error either limit may be on disk. It is called with the clock's lock
	// held, so it must not call the clock. Nil means limits are not kept and a
	// restart may repeat timestamps: for tests only.
	Persist func(limit Timestamp) error

	// Window is how far ahead of Wall a limit is persisted; default 1s. Larger
	// means fewer calls of Persist, and after a crash a clock that starts
	// further ahead.
	Window time.Duration
}

// Validate reports every fault of c, joined; nil when there is none.
func (c Config) Validate() error {
	var errs []error
	if c.MaxSkew < 0 {
		errs = append(errs, fmt.Errorf("MaxSkew is %v: it must be positive, or zero for %v", c.MaxSkew, defaultMaxSkew))
	}
	if c.Window < 0 {
		errs = append(errs, fmt.Errorf("Window is %v: it must be positive, or zero for %v", c.Window, defaultWindow))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Wall == nil {
		c.Wall = time.Now
	}
	if c.MaxSkew == 0 {
		c.MaxSkew = defaultMaxSkew
	}
	if c.Window == 0 {
		c.Window = defaultWindow
	}
	return c
}
