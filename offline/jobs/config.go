package jobs

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config bounds what a Registry runs. Zero fields mean the default.
type Config struct {
	// Prefix begins every ID, so that ids of several stores differ: the store's
	// name. Required.
	Prefix string
	// Running is how many jobs run at once; default DefaultRunning.
	Running int
	// Waiting is how many wait besides; default DefaultWaiting.
	Waiting int
	// Keep is how many of those that ended are remembered; default DefaultKeep.
	Keep int
	// Wall is the clock of Created, Started and Ended; nil is time.Now.
	Wall func() time.Time
	// Logger is told of ends; nil is silent.
	Logger *slog.Logger
}

// Defaults of Config. Two jobs, for the smallest machines that stores run on have
// two cores and lookups come first.
const (
	DefaultRunning = 2
	DefaultWaiting = 64
	DefaultKeep    = 256
)

// Validate returns every fault of c joined, nil for none.
func (c Config) Validate() error {
	var faults []error
	if c.Prefix == "" {
		faults = append(faults, errors.New("Prefix is empty: give the store's name"))
	}
	for _, f := range []struct {
		name string
		n    int
	}{{"Running", c.Running}, {"Waiting", c.Waiting}, {"Keep", c.Keep}} {
		if f.n < 0 {
			faults = append(faults, fmt.Errorf("%s is %d: it must be positive, or zero for the default", f.name, f.n))
		}
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	if c.Running == 0 {
		c.Running = DefaultRunning
	}
	if c.Waiting == 0 {
		c.Waiting = DefaultWaiting
	}
	if c.Keep == 0 {
		c.Keep = DefaultKeep
	}
	if c.Wall == nil {
		c.Wall = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
