package sdk

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// Config says which stores a Client talks to, and how patiently.
type Config struct {
	// URLs of the stores, such as http://127.0.0.1:8080, at most 64. The nearest
	// by measured latency is asked, the next nearest when it does not answer;
	// until they are measured they count in this order. Required.
	URLs []string
	// Discover adds the other active stores of the deployment, as the stores name
	// them, and asks again every DiscoverInterval; 0 is 1 min.
	Discover         bool
	DiscoverInterval time.Duration
	// Region keeps requests in a region as long as a store of it answers; "" is
	// any. Which store is of it, the stores tell.
	Region string
	// ProbeInterval is how often Client.Run probes each store; 0 is 5 s.
	ProbeInterval time.Duration
	// Project whose features are read and written. Required.
	Project string

	// HTTPClient does the requests; nil is one whose transport keeps
	// Connections idle connections a store.
	HTTPClient *http.Client
	// Connections kept idle for each store; 0 is 32. Of no effect with an
	// HTTPClient.
	Connections int

	// Timeout of an operation, all its tries included, whose context has no
	// deadline; 0 is 10 s.
	Timeout time.Duration
	Retry   Retry

	// WriteElsewhere lets a write go on at another store when its own took it, did
	// not answer, and is away now. It may then be stored twice, for an idempotency
	// key is known to one store only: that is harmless where the last write wins,
	// and counts counters twice. Without it, such a write ends as
	// ErrOutcomeUnknown.
	WriteElsewhere bool
	// HedgeShare is the part of the reads with ReadOptions.Hedge that may ask a
	// second store, 0 to 1; 0 is 0.05.
	HedgeShare float64

	// LookupEntities are the most entities in one request: a larger lookup is
	// split. 0 is 500; the server's own limit is 1,000 unless configured.
	LookupEntities int
	// LookupParts are the parts of one lookup in flight at once; 0 is 4.
	LookupParts int
	// ResponseBytes bounds one answer; 0 is 64 MiB.
	ResponseBytes int64

	// Meter makes the instruments of metrics.go; nil counts nothing.
	Meter metric.Meter
}

// Retry bounds how a request is repeated where that is safe (K3).
type Retry struct {
	// Tries of one request, the first included; 0 is 4, 1 is no retry.
	Tries int
	// TryTimeout of one try; 0 is 5 s. The time that is left may be less. The
	// store is told of it, and refuses more than its own maximum, 60 s unless
	// configured.
	TryTimeout time.Duration
	// Backoff before the second try; it doubles with each, up to MaxBackoff, and
	// half of it is random. 0 is 20 ms and 2 s.
	Backoff    time.Duration
	MaxBackoff time.Duration
}

func (c Config) withDefaults() Config {
	orDefault(&c.Connections, 32)
	orDefault(&c.Timeout, 10*time.Second)
	orDefault(&c.DiscoverInterval, time.Minute)
	orDefault(&c.ProbeInterval, 5*time.Second)
	orDefault(&c.HedgeShare, 0.05)
	orDefault(&c.LookupEntities, 500)
	orDefault(&c.LookupParts, 4)
	orDefault(&c.ResponseBytes, 64<<20)
	c.Retry = c.Retry.withDefaults(Retry{Tries: 4, TryTimeout: 5 * time.Second, Backoff: 20 * time.Millisecond, MaxBackoff: 2 * time.Second})
	return c
}

func (r Retry) withDefaults(d Retry) Retry {
	orDefault(&r.Tries, d.Tries)
	orDefault(&r.TryTimeout, d.TryTimeout)
	orDefault(&r.Backoff, d.Backoff)
	orDefault(&r.MaxBackoff, max(d.MaxBackoff, r.Backoff))
	return r
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate returns every fault of c joined, nil for none.
func (c Config) Validate() error {
	var f faults
	f.when(len(c.URLs) == 0, "URLs is empty; name a store, such as http://127.0.0.1:8080")
	f.when(len(c.URLs) > maxStores, "URLs has %d stores; want at most %d", len(c.URLs), maxStores)
	for i, text := range c.URLs {
		f.when(!isStoreURL(text), "URLs[%d] is %q; want a URL such as http://127.0.0.1:8080", i, text)
	}
	f.when(c.Project == "" || strings.ContainsAny(c.Project, "/?#"), "Project is %q; want the name of a project", c.Project)
	f.when(c.Connections < 0, "Connections is %d; want a positive number, or 0 for the default", c.Connections)
	f.when(c.Timeout < 0, "Timeout is %v; want a positive duration, or 0 for the default", c.Timeout)
	f.when(c.DiscoverInterval < 0, "DiscoverInterval is %v; want a positive duration, or 0 for the default", c.DiscoverInterval)
	f.when(c.ProbeInterval < 0, "ProbeInterval is %v; want a positive duration, or 0 for the default", c.ProbeInterval)
	f.when(!(c.HedgeShare >= 0 && c.HedgeShare <= 1), "HedgeShare is %v; want a part from 0 to 1, or 0 for the default", c.HedgeShare)
	f.when(c.LookupEntities < 0, "LookupEntities is %d; want a positive number, or 0 for the default", c.LookupEntities)
	f.when(c.LookupParts < 0, "LookupParts is %d; want a positive number, or 0 for the default", c.LookupParts)
	f.when(c.ResponseBytes < 0, "ResponseBytes is %d; want a positive number, or 0 for the default", c.ResponseBytes)
	c.Retry.check(&f)
	return f.joined()
}

func (r Retry) check(f *faults) {
	f.when(r.Tries < 0, "Retry.Tries is %d; want a positive number, or 0 for the default", r.Tries)
	f.when(r.TryTimeout < 0, "Retry.TryTimeout is %v; want a positive duration, or 0 for the default", r.TryTimeout)
	f.when(r.Backoff < 0, "Retry.Backoff is %v; want a positive duration, or 0 for the default", r.Backoff)
	f.when(r.MaxBackoff < 0 || r.MaxBackoff > 0 && r.MaxBackoff < r.Backoff,
		"Retry.MaxBackoff is %v; want at least Backoff, or 0 for the default", r.MaxBackoff)
}

// faults collects what is wrong with a Config.
type faults []error

func (f *faults) when(bad bool, format string, args ...any) {
	if bad {
		*f = append(*f, fmt.Errorf("sdk: "+format, args...))
	}
}

func (f faults) joined() error { return errors.Join(f...) }
