package online

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"featurestore/fault"
	"featurestore/feature"
)

// The defaults of Config. Measured while a million rows were loaded, they keep
// about 240 MiB alive: the hot tier 128, Badger's table buffers 96, memtables
// the rest. Go's collector lets the heap grow to twice that unless the process
// sets a memory limit (debug.SetMemoryLimit): 400 MiB is enough, and stays
// below 512 MiB whatever the length of what is loaded. Files mapped into memory
// come on top, as page cache that the system takes back.
const (
	DefaultHotBytes       = 128 << 20
	DefaultMemTableBytes  = 8 << 20
	DefaultIndexBytes     = 32 << 20
	DefaultQueuedWrites   = 4096
	DefaultQueuedBytes    = 16 << 20
	DefaultWaiters        = 10_000
	DefaultMinFreeBytes   = 256 << 20
	DefaultRequestTTL     = 24 * time.Hour
	DefaultSnapshotLag    = 30 * time.Second
	DefaultCloseTimeout   = 10 * time.Second
	minMemTableBytes      = 8 << 20 // the largest row and its log entry must fit one transaction
	maxMemTableBytes      = 512 << 20
	registryRevisionsKept = 100
)

// MaxRowBytes is the largest row, and the largest delta, that is stored.
const MaxRowBytes = 512 << 10

// Config says where a store keeps its data and how much memory it may take.
// Dir, Store and Region are required.
type Config struct {
	// Dir is the directory; it is created when absent, with its parents.
	Dir string
	// Store and Region name the store and its place, 1 to 64 bytes. A directory
	// made under other names is refused.
	Store, Region string
	// Deployment is shared by the stores that replicate to each other, up to 64
	// bytes. Empty: whatever the directory says; a new one draws at random.
	Deployment string

	// HotBytes bounds the hot tier, its index included; default
	// DefaultHotBytes, at least 64 KiB, negative for none.
	HotBytes int64
	// MemTableBytes is how much is written before Badger sorts it into a file;
	// default DefaultMemTableBytes. Three such tables and a dozen buffers for
	// them are in memory. One write, rows and log together, must fit in 15 % of
	// it: about 4,000 rows of ten features by default.
	MemTableBytes int64
	// IndexBytes bounds the memory for indexes and filters of Badger's files;
	// default DefaultIndexBytes.
	IndexBytes int64

	// QueuedWrites and QueuedBytes bound the writes that wait for the
	// committer; defaults DefaultQueuedWrites and DefaultQueuedBytes.
	QueuedWrites int
	QueuedBytes  int64
	// Waiters bounds the calls of Wait under way; default DefaultWaiters.
	Waiters int

	// MinFreeBytes is the free space below which writes are refused; default
	// DefaultMinFreeBytes, negative for no check. Badger maps its files into
	// memory: the process is killed when it compacts them without room. So more
	// is kept free while compactions are large, and 120 MiB at the least with
	// the default MemTableBytes. Other programs that fill the same disk can still
	// bring that about; nothing acknowledged is lost then.
	MinFreeBytes int64
	// RequestTTL is how long request ids are remembered; default
	// DefaultRequestTTL.
	RequestTTL time.Duration
	// SnapshotLag is how long what was overwritten stays readable to a lookup
	// under way; default DefaultSnapshotLag. A lookup that takes longer starts
	// over.
	SnapshotLag time.Duration
	// CloseTimeout is how long Close, and Run at its end, wait for a disk that
	// makes no headway; default DefaultCloseTimeout.
	CloseTimeout time.Duration

	// Faults are planted by simulations; none in production.
	Faults fault.Set
	// Checks validate definitions beyond what the registry knows.
	Checks feature.Checks
	// Wall returns the physical time; default time.Now.
	Wall func() time.Time
	// Logger and Meter receive logs and measurements; nil is silence.
	Logger *slog.Logger
	Meter  metric.Meter
}

// Validate reports every fault of c, joined; nil when there is none.
func (c Config) Validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(c.Dir == "", "Dir is empty: it must name a directory")
	for _, n := range []struct{ field, value string }{{"Store", c.Store}, {"Region", c.Region}} {
		fault(n.value == "" || len(n.value) > maxNameBytes, "%s is %q: it must have 1 to %d bytes", n.field, n.value, maxNameBytes)
	}
	fault(len(c.Deployment) > maxNameBytes, "Deployment has %d bytes: it must have at most %d", len(c.Deployment), maxNameBytes)
	fault(c.MemTableBytes != 0 && (c.MemTableBytes < minMemTableBytes || c.MemTableBytes > maxMemTableBytes),
		"MemTableBytes is %d: it must be %d to %d, or zero for %d", c.MemTableBytes, minMemTableBytes, maxMemTableBytes, DefaultMemTableBytes)
	for _, n := range []struct {
		field string
		value int64
	}{
		{"IndexBytes", c.IndexBytes}, {"QueuedWrites", int64(c.QueuedWrites)}, {"QueuedBytes", c.QueuedBytes},
		{"Waiters", int64(c.Waiters)}, {"RequestTTL", int64(c.RequestTTL)}, {"SnapshotLag", int64(c.SnapshotLag)},
		{"CloseTimeout", int64(c.CloseTimeout)},
	} {
		fault(n.value < 0, "%s is %d: it must be positive, or zero for the default", n.field, n.value)
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	c.HotBytes = or(c.HotBytes, DefaultHotBytes)
	c.MemTableBytes = or(c.MemTableBytes, DefaultMemTableBytes)
	c.IndexBytes = or(c.IndexBytes, DefaultIndexBytes)
	c.QueuedWrites = or(c.QueuedWrites, DefaultQueuedWrites)
	c.QueuedBytes = or(c.QueuedBytes, DefaultQueuedBytes)
	c.Waiters = or(c.Waiters, DefaultWaiters)
	c.MinFreeBytes = or(c.MinFreeBytes, DefaultMinFreeBytes)
	c.RequestTTL = or(c.RequestTTL, DefaultRequestTTL)
	c.SnapshotLag = or(c.SnapshotLag, DefaultSnapshotLag)
	c.CloseTimeout = or(c.CloseTimeout, DefaultCloseTimeout)
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

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
