package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication/oplog"
)

// Log is the log of the store in this process, as history reads it.
type Log interface {
	// Shards are those that stores of a region hold.
	Shards(region meta.Region) []feature.Shard
	// Heads are the last entries of each origin's log that are durable and readable
	// here. It is shared.
	Heads(shard feature.Shard) hlc.Vector
	// ReadLog returns entries of an origin after a position, of about so many
	// bytes at most but at least one; none when there are none. A floor above after
	// says that entries up to there are gone.
	ReadLog(ctx context.Context, shard feature.Shard, origin hlc.Origin, after hlc.Timestamp, maxBytes int) (iv oplog.Interval, floor hlc.Timestamp, err error)
	// Registry returns the definitions in force.
	Registry() *feature.Registry
}

// Defaults of IngestConfig.
const (
	DefaultMaxBytes  = 32 << 20
	DefaultMaxAge    = time.Minute
	DefaultPoll      = 250 * time.Millisecond
	DefaultLook      = 10 * time.Millisecond
	DefaultMaxSteps  = 1 << 16
	DefaultRetryMost = 30 * time.Second
	DefaultEndWithin = 10 * time.Second

	// readBytes is how much of a log is read at a time.
	readBytes = 1 << 20
)

// IngestConfig says what an ingester follows, and when it commits.
type IngestConfig struct {
	// Log, History and Region are required. The region says which shards there are.
	Log     Log
	History *History
	Region  meta.Region

	// MaxBytes is how much of the log is held in memory; a commit is made when
	// there is as much. Making it takes about as much again. Default
	// DefaultMaxBytes.
	MaxBytes int64
	// MaxAge is after how long what was read is committed in any case; default
	// DefaultMaxAge.
	MaxAge time.Duration
	// Poll is how often the log is looked at for entries; default DefaultPoll.
	Poll time.Duration
	// Look is how often progress is looked at, and so how exact steps are; default
	// DefaultLook. MaxSteps is how many are held: beyond that they get less exact.
	// Default DefaultMaxSteps.
	Look     time.Duration
	MaxSteps int
	// RetryMost is the longest wait before what failed is tried again; default
	// DefaultRetryMost.
	RetryMost time.Duration
	// EndWithin is how long Run tries, once its ctx has ended, to commit what it
	// holds; default DefaultEndWithin. What it does not commit is read again.
	EndWithin time.Duration

	// Wall returns the physical time; default time.Now.
	Wall func() time.Time
	// Logger and Meter receive what is rare, and measurements; nil is silence.
	Logger *slog.Logger
	Meter  metric.Meter
}

// Validate reports every fault of c, joined; nil when there is none.
func (c IngestConfig) Validate() error {
	var errs []error
	for _, n := range []struct {
		field string
		unset bool
	}{{"Log", c.Log == nil}, {"History", c.History == nil}, {"Region", c.Region == ""}} {
		if n.unset {
			errs = append(errs, fmt.Errorf("%s is not set", n.field))
		}
	}
	for _, n := range []struct {
		field string
		value int64
	}{
		{"MaxBytes", c.MaxBytes}, {"MaxAge", int64(c.MaxAge)}, {"Poll", int64(c.Poll)}, {"Look", int64(c.Look)},
		{"MaxSteps", int64(c.MaxSteps)}, {"RetryMost", int64(c.RetryMost)}, {"EndWithin", int64(c.EndWithin)},
	} {
		if n.value < 0 {
			errs = append(errs, fmt.Errorf("%s is %d: it must be positive, or zero for the default", n.field, n.value))
		}
	}
	return errors.Join(errs...)
}

func (c IngestConfig) withDefaults() IngestConfig {
	c.MaxBytes = or(c.MaxBytes, DefaultMaxBytes)
	c.MaxAge = or(c.MaxAge, DefaultMaxAge)
	c.Poll = or(c.Poll, DefaultPoll)
	c.Look = or(c.Look, DefaultLook)
	c.MaxSteps = or(c.MaxSteps, DefaultMaxSteps)
	c.RetryMost = or(c.RetryMost, DefaultRetryMost)
	c.EndWithin = or(c.EndWithin, DefaultEndWithin)
	if c.Wall == nil {
		c.Wall = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Meter == nil {
		c.Meter = noop.Meter{}
	}
	return c
}
