package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"featurestore/consistency"
	"featurestore/offline/batch"
	"featurestore/offline/jobs"
	"featurestore/online"
	"featurestore/replication"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Config says what a Server serves and within which limits.
type Config struct {
	// Region and Store name this store in answers. Required.
	Region string
	Store  string

	// Online holds the rows and the registry. Required.
	Online *online.Store
	// Coordinator admits reads and writes. Required.
	Coordinator *consistency.Coordinator
	// Signer reads and makes session tokens. Required.
	Signer *consistency.Signer
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time

	// URL is where clients reach this store, "" when it does not know.
	URL string
	// Forward carries requests to other stores; nil is a transport of its own.
	Forward http.RoundTripper
	// Replication tells how the exchange with other stores goes; nil: this one is
	// alone.
	Replication Replication
	// Members changes who takes part; nil: nobody can be added.
	Members Members
	// Verify compares rows with those of other stores; nil: there are none.
	Verify func(context.Context) (replication.Verification, error)
	// Jobs are what the store works on beside requests; nil: it runs none.
	Jobs *jobs.Registry
	// Batches materializes batch sources; nil: this store reads none.
	Batches *batch.Materializer
	// Eraser takes entities out of this store's history; nil: it keeps none.
	Eraser Eraser
	// LogAge is for how long the log keeps what it may drop.
	LogAge time.Duration
	// Exports makes exports of the history that this store keeps; nil: it keeps none.
	Exports Exports
	// ExportJobs are exports that write files, nil with Exports.
	ExportJobs ExportJobs
	// Links are those of featurestore dev, nil elsewhere.
	Links Links

	// Served takes a sample of what lookups answer; nil: nobody does.
	Served ServedLog

	// FeastProject is the project that Feast's paths serve; "" is the only one
	// there is.
	FeastProject string

	// Ready returns nil while the store may be sent requests, else the reason
	// why not. Nil: ready whenever not draining.
	Ready func() error

	// Timeout is how long a request may take that names no timeout; 0 is 2 s.
	Timeout time.Duration
	// MaxTimeout bounds the timeout that a request may ask for; 0 is 60 s.
	MaxTimeout time.Duration
	Limits     Limits
	// Stall is how long a client may take nothing of a long answer, or send nothing of
	// a long body; 0 is 1 min.
	Stall time.Duration

	// Logger gets one debug line a request, and unforeseen errors; nil is silent.
	Logger *slog.Logger
	// Meter makes the instruments of metrics.go; nil counts nothing.
	Meter metric.Meter
	// Tracer makes a span a request; nil makes none and costs nothing.
	Tracer trace.TracerProvider
}

// Limits bound what one request, or all at once, may cost. Zero fields mean
// the default.
type Limits struct {
	BodyBytes int // of one body after decompression; 8 MiB
	// HeldBytes are the bodies of all requests together; 64 MiB. What is made of
	// a body while it is read may take ten times its size.
	HeldBytes int
	InFlight  int // requests at once; 4096
	Rows      int // rows of one push, entities of one delete; 10,000
	Entities  int // entities of one lookup; 1,000
	Features  int // features of one lookup; 1,000
	// AnswerBytes are the rows that one lookup reads, and the values that it
	// answers with before they are JSON; 32 MiB. Changes bounds what one push
	// makes of its rows, one for each view that a row feeds; 100,000.
	AnswerBytes int
	Changes     int
}

// WithDefaults returns c with every zero field set to its documented default.
func (c Config) WithDefaults() Config {
	orDefault(&c.Timeout, 2*time.Second)
	orDefault(&c.MaxTimeout, time.Minute)
	orDefault(&c.Stall, time.Minute)
	orDefault(&c.Limits.BodyBytes, 8<<20)
	orDefault(&c.Limits.HeldBytes, 64<<20)
	orDefault(&c.Limits.InFlight, 4096)
	orDefault(&c.Limits.Rows, 10_000)
	orDefault(&c.Limits.Entities, 1_000)
	orDefault(&c.Limits.Features, 1_000)
	orDefault(&c.Limits.AnswerBytes, 32<<20)
	orDefault(&c.Limits.Changes, 100_000)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate returns every fault of c joined, nil for none.
func (c Config) Validate() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("server: "+format, args...))
		}
	}
	d := c.WithDefaults()
	fault(c.Region == "", "Region is empty; name the region that answers shall show")
	fault(c.Store == "", "Store is empty; name the store that answers shall show")
	fault(c.Online == nil, "Online is nil; open a store")
	fault(c.Coordinator == nil, "Coordinator is nil")
	fault(c.Signer == nil, "Signer is nil")
	fault(d.Timeout < 0, "Timeout is %v; want a positive duration", d.Timeout)
	fault(d.MaxTimeout < d.Timeout, "MaxTimeout is %v; want at least Timeout, %v", d.MaxTimeout, d.Timeout)
	fault(d.Stall < 0, "Stall is %v; want a positive duration", d.Stall)
	for _, l := range []struct {
		name string
		n    int
	}{
		{"BodyBytes", d.Limits.BodyBytes}, {"HeldBytes", d.Limits.HeldBytes}, {"InFlight", d.Limits.InFlight},
		{"Rows", d.Limits.Rows}, {"Entities", d.Limits.Entities}, {"Features", d.Limits.Features},
		{"AnswerBytes", d.Limits.AnswerBytes}, {"Changes", d.Limits.Changes},
	} {
		fault(l.n < 0, "Limits.%s is %d; want a positive number, or 0 for the default", l.name, l.n)
	}
	fault(d.Limits.HeldBytes < d.Limits.BodyBytes, "Limits.HeldBytes is %d; want at least BodyBytes, %d", d.Limits.HeldBytes, d.Limits.BodyBytes)
	return errors.Join(faults...)
}
