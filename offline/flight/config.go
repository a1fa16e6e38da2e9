package flight

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"featurestore/offline/export"
	"featurestore/offline/pit"
)

// Source opens what is served, as export.Source does.
type Source interface {
	// Now returns the latest commit, and At an earlier one. The caller closes it.
	Now(ctx context.Context) (*export.Past, error)
	At(ctx context.Context, m export.Moment) (*export.Past, error)
}

// Defaults of Config.
const (
	DefaultStreams   = 16
	DefaultTrainings = export.DefaultRunning
	DefaultMemory    = export.DefaultMemory
	DefaultStall     = time.Minute
	DefaultDrain     = 10 * time.Second
)

// Config says what a Server serves and within which limits. Zero values but the first
// are the defaults.
type Config struct {
	// Source is required.
	Source Source
	// Listen is the address; Listener is used instead where it is set.
	Listen   string
	Listener net.Listener

	// Streams bounds the streams that run at once, Trainings those of them that make
	// training sets.
	Streams, Trainings int
	// Join is what each training set may use; a MemoryLimit of 0 is DefaultMemory.
	Join pit.Config
	// Began is called when a stream begins that joins, and what it returns when that
	// ends; nil does nothing.
	Began func() (ended func())
	// EntityRows bound those of a training set.
	EntityRows export.StreamLimits
	// Stall is how long a client may take for one message.
	Stall time.Duration
	// Drain bounds how long streams may go on when the server stops.
	Drain time.Duration

	// Logger gets unforeseen errors; nil is silent. Meter makes the instruments; nil
	// counts nothing.
	Logger *slog.Logger
	Meter  metric.Meter
}

// Validate reports every fault of c, joined; nil when there is none.
func (c Config) Validate() error {
	var errs []error
	if c.Source == nil {
		errs = append(errs, errors.New("Source is nil: it must say what is served"))
	}
	if c.Listen == "" && c.Listener == nil {
		errs = append(errs, errors.New("Listen is empty: it must name an address"))
	}
	for _, n := range []struct {
		field string
		value int64
	}{{"Streams", int64(c.Streams)}, {"Trainings", int64(c.Trainings)}, {"Stall", int64(c.Stall)}, {"Drain", int64(c.Drain)}} {
		if n.value < 0 {
			errs = append(errs, fmt.Errorf("%s is %d: it must be positive, or zero for the default", n.field, n.value))
		}
	}
	if err := c.Join.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("Join: %w", err))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	orDefault(&c.Streams, DefaultStreams)
	orDefault(&c.Trainings, DefaultTrainings)
	orDefault(&c.Join.MemoryLimit, DefaultMemory)
	orDefault(&c.EntityRows, export.StreamLimits{Bytes: export.DefaultStreamBytes, Rows: export.DefaultStreamRows})
	orDefault(&c.EntityRows.RecordBytes, maxReceive)
	orDefault(&c.Stall, DefaultStall)
	orDefault(&c.Drain, DefaultDrain)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Meter == nil {
		c.Meter = noop.Meter{}
	}
	return c
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
