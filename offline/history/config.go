package history

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Defaults of Config.
const (
	DefaultKeep         = time.Hour
	DefaultWholeEvery   = 64
	DefaultTargetBytes  = 64 << 20
	DefaultCompactFiles = 8
)

// Config says where a history lies, and how it is kept.
type Config struct {
	// Files hold it; they belong to this history alone. Required.
	Files Files
	// Keep is how long a file stays that compaction or retention took away, and how
	// long a commit can be read after the next one: for readers in other processes,
	// and for what goes on with an earlier commit. Default DefaultKeep.
	Keep time.Duration
	// WholeEvery is after how many manifests one says all that counts; default
	// DefaultWholeEvery.
	WholeEvery int
	// TargetBytes is what compaction makes of small files; it holds one such file
	// in memory. Default DefaultTargetBytes.
	TargetBytes int64
	// CompactFiles is how many small files of one day and about one size are made
	// one; default DefaultCompactFiles.
	CompactFiles int
	// Retain is for how long rows stay, by event time; zero: for ever.
	Retain time.Duration

	// Wall returns the physical time; default time.Now.
	Wall func() time.Time
	// Logger receives what is rare; nil is silence.
	Logger *slog.Logger
}

// Validate reports every fault of c, joined; nil when there is none.
func (c Config) Validate() error {
	var errs []error
	if c.Files == nil {
		errs = append(errs, errors.New("Files is nil: it must say where history lies"))
	}
	for _, n := range []struct {
		field string
		value int64
	}{
		{"Keep", int64(c.Keep)}, {"WholeEvery", int64(c.WholeEvery)}, {"TargetBytes", c.TargetBytes},
		{"CompactFiles", int64(c.CompactFiles)}, {"Retain", int64(c.Retain)},
	} {
		if n.value < 0 {
			errs = append(errs, fmt.Errorf("%s is %d: it must be positive, or zero for the default", n.field, n.value))
		}
	}
	if c.CompactFiles == 1 {
		errs = append(errs, errors.New("CompactFiles is 1: at least 2 files can become one"))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	c.Keep = or(c.Keep, DefaultKeep)
	c.WholeEvery = or(c.WholeEvery, DefaultWholeEvery)
	c.TargetBytes = or(c.TargetBytes, DefaultTargetBytes)
	c.CompactFiles = or(c.CompactFiles, DefaultCompactFiles)
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
