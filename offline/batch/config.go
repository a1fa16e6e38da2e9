package batch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/outside"
)

// Edge takes pushes as clients send them.
type Edge interface {
	// Push posts one, and returns the answer, or the *api.Problem that it was refused
	// with. Header values are by name.
	Push(ctx context.Context, project string, header map[string]string, body []byte) (*api.PushResponse, error)
}

// Rows reads marks: an online.Store.
type Rows interface {
	ReadRows(ctx context.Context, keys []feature.RowKey, maxBytes int) ([][]byte, error)
}

// Config says what a Materializer works with. Zero fields mean the default.
type Config struct {
	// Files are where sources lie. Required.
	Files Files
	// Edge takes the rows, Rows has the marks, Registry the definitions. Required.
	Edge     Edge
	Rows     Rows
	Registry func() *feature.Registry
	// May returns nil while this store is the one that materializes, and else why not;
	// nil: always. It is asked before every batch.
	May func() error
	// Outside says how files are read.
	Outside outside.Config
	// BatchRows and BatchBytes bound a batch; default DefaultBatchRows and
	// DefaultBatchBytes.
	BatchRows, BatchBytes int
	// RetryFor is how long a batch is tried that the edge cannot take now; default
	// DefaultRetryFor.
	RetryFor time.Duration
	// PushTimeout is what a try may take; default DefaultPushTimeout.
	PushTimeout time.Duration
	Logger      *slog.Logger // nil is silent
	Meter       metric.Meter // nil counts nothing
}

// Defaults of Config. A thousand rows are committed in a few milliseconds, for which
// other writes wait.
const (
	DefaultBatchRows   = 1000
	DefaultBatchBytes  = 1 << 20
	DefaultRetryFor    = 30 * time.Second
	DefaultPushTimeout = 20 * time.Second
)

// Validate returns every fault of c joined, nil for none.
func (c Config) Validate() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(c.Files == nil, "Files is nil: say where sources lie")
	fault(c.Edge == nil, "Edge is nil")
	fault(c.Rows == nil, "Rows is nil")
	fault(c.Registry == nil, "Registry is nil")
	fault(c.BatchRows < 0, "BatchRows is %d: it must be positive, or zero for the default", c.BatchRows)
	fault(c.BatchBytes < 0, "BatchBytes is %d: it must be positive, or zero for the default", c.BatchBytes)
	fault(c.RetryFor < 0, "RetryFor is %v: it must be positive, or zero for the default", c.RetryFor)
	fault(c.PushTimeout < 0, "PushTimeout is %v: it must be positive, or zero for the default", c.PushTimeout)
	return errors.Join(append(faults, c.Outside.Validate())...)
}

func (c Config) withDefaults() Config {
	if c.BatchRows == 0 {
		c.BatchRows = DefaultBatchRows
	}
	if c.BatchBytes == 0 {
		c.BatchBytes = DefaultBatchBytes
	}
	if c.RetryFor == 0 {
		c.RetryFor = DefaultRetryFor
	}
	if c.PushTimeout == 0 {
		c.PushTimeout = DefaultPushTimeout
	}
	if c.May == nil {
		c.May = func() error { return nil }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
