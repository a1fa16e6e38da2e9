package verify

import (
	"errors"
	"fmt"
	"time"

	"featurestore/offline/history"
)

// Defaults of Config.
const (
	DefaultLookups  = 1000
	DefaultMaxCells = 1_000_000
)

// maxDefects is how many defects are reported in full.
const maxDefects = 100

// Config says what is verified against what.
type Config struct {
	// History and Served are the history and the served log of one store, or the
	// history of any store of its deployment. Required.
	History, Served history.Files
	// From and To bound when lookups were answered, From included; zero Times are no
	// bounds.
	From, To time.Time
	// Lookups is the size of the sample; default DefaultLookups. MaxCells bounds the
	// cells of all of them; default DefaultMaxCells.
	Lookups, MaxCells int
	// TempDir holds temporary files; "" is that of the system.
	TempDir string
}

// Validate reports every fault of c, joined; nil when there is none.
func (c Config) Validate() error {
	var errs []error
	if c.History == nil || c.Served == nil {
		errs = append(errs, errors.New("History or Served is nil: they must say where history and the served log lie"))
	}
	if c.Lookups < 0 || c.MaxCells < 0 {
		errs = append(errs, fmt.Errorf("Lookups is %d, MaxCells %d: they must be positive, or zero for the defaults", c.Lookups, c.MaxCells))
	}
	if !c.From.IsZero() && !c.To.IsZero() && !c.From.Before(c.To) {
		errs = append(errs, fmt.Errorf("From is %v, To %v: From must be before", c.From, c.To))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Lookups == 0 {
		c.Lookups = DefaultLookups
	}
	if c.MaxCells == 0 {
		c.MaxCells = DefaultMaxCells
	}
	return c
}
