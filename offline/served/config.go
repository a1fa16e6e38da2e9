package served

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"

	"featurestore/offline/history"
)

// Defaults of Config.
const (
	DefaultEvery      = time.Minute
	DefaultQueueBytes = 16 << 20
	DefaultFileBytes  = 16 << 20
	DefaultMaxBytes   = 1 << 30
	DefaultRetain     = 7 * 24 * time.Hour
)

// MaxCells is how many cells of one lookup are logged: entities beyond are left out, whole,
// and counted.
const MaxCells = 8 << 10

// Config says where a log lies, and how much of it.
type Config struct {
	// Files hold it; they belong to this log alone. Required.
	Files history.Files
	// Fraction of the lookups, 0 to 1.
	Fraction float64
	// Region and Store are who answers. Required.
	Region, Store string
	// Every is how long a lookup may wait for its file; default DefaultEvery.
	Every time.Duration
	// QueueBytes bound what was offered and is not in a file's making yet, FileBytes
	// what is; defaults DefaultQueueBytes and DefaultFileBytes.
	QueueBytes, FileBytes int64
	// MaxBytes bound the files; default DefaultMaxBytes. Retain is how long they stay;
	// default DefaultRetain.
	MaxBytes int64
	Retain   time.Duration

	// Wall returns the physical time; default time.Now.
	Wall func() time.Time
	// Logger receives what fails; nil is silence.
	Logger *slog.Logger
	// Meter makes the instruments of metrics.go; nil counts nothing.
	Meter metric.Meter
}

// Validate reports every fault of c, joined; nil when there is none.
func (c Config) Validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(c.Files == nil, "Files is nil: it must say where the log lies")
	fault(c.Region == "" || c.Store == "", "Region is %q and Store %q: they must say who answers", c.Region, c.Store)
	fault(!(c.Fraction >= 0 && c.Fraction <= 1), "Fraction is %v: it must be 0 to 1", c.Fraction)
	for _, n := range []struct {
		field string
		value int64
	}{
		{"Every", int64(c.Every)}, {"QueueBytes", c.QueueBytes}, {"FileBytes", c.FileBytes}, {"MaxBytes", c.MaxBytes}, {"Retain", int64(c.Retain)},
	} {
		fault(n.value < 0, "%s is %d: it must be positive, or zero for the default", n.field, n.value)
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	c.Every = or(c.Every, DefaultEvery)
	c.QueueBytes = or(c.QueueBytes, DefaultQueueBytes)
	c.FileBytes = or(c.FileBytes, DefaultFileBytes)
	c.MaxBytes = or(c.MaxBytes, DefaultMaxBytes)
	c.Retain = or(c.Retain, DefaultRetain)
	if c.Wall == nil {
		c.Wall = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
