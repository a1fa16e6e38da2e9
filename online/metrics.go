package online

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// instruments are what this room measures. Figures that are read off the store
// are observed when somebody collects, so that lookups do not pay for them.
type instruments struct {
	commitDuration metric.Float64Histogram
	commitRows     metric.Int64Histogram
	writes         metric.Int64Counter
	superseded     metric.Int64Counter
	logBytes       metric.Int64Counter
	joinedEntries  metric.Int64Counter
	clockAhead     metric.Int64Counter
	collected      metric.Int64Counter
	readDuration   metric.Float64Histogram
	observed       [2]metric.Registration

	ok, failed metric.MeasurementOption
}

// commitBounds reach from a fast disk's sync to a stalled one's.
var commitBounds = []float64{.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 5}

func newInstruments(s *Store) (*instruments, error) {
	m := s.cfg.Meter
	in := &instruments{
		ok:     metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", "ok"))),
		failed: metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", "error"))),
	}
	var errs [11]error
	in.commitDuration, errs[0] = m.Float64Histogram("featurestore.online.commit.duration",
		metric.WithUnit("s"), metric.WithDescription("time to write and sync one batch of writes"),
		metric.WithExplicitBucketBoundaries(commitBounds...))
	in.commitRows, errs[1] = m.Int64Histogram("featurestore.online.commit.rows",
		metric.WithUnit("{row}"), metric.WithDescription("rows in one synced batch"),
		metric.WithExplicitBucketBoundaries(1, 4, 16, 64, 256, 1024, 4096))
	in.writes, errs[2] = m.Int64Counter("featurestore.online.writes",
		metric.WithUnit("{write}"), metric.WithDescription("writes that reached a commit, by its outcome"))
	in.superseded, errs[3] = m.Int64Counter("featurestore.online.superseded",
		metric.WithUnit("{row}"), metric.WithDescription("written rows of which nothing is left: newer ones were there"))
	in.logBytes, errs[4] = m.Int64Counter("featurestore.online.log.bytes",
		metric.WithUnit("By"), metric.WithDescription("bytes appended to the log"))
	in.readDuration, errs[5] = m.Float64Histogram("featurestore.online.read.duration",
		metric.WithUnit("s"), metric.WithDescription("time a lookup spends in Badger for rows that were not hot, by outcome"),
		metric.WithExplicitBucketBoundaries(.00001, .00002, .00005, .0001, .0002, .0005, .001, .005, .02, .1, 1))
	in.observed[0], errs[6] = observe(s, m)
	in.joinedEntries, errs[7] = m.Int64Counter("featurestore.online.joined.entries",
		metric.WithUnit("{entry}"), metric.WithDescription("log entries of other origins that were joined"))
	in.clockAhead, errs[8] = m.Int64Counter("featurestore.online.clock.ahead",
		metric.WithUnit("{entry}"), metric.WithDescription("joined log entries from so far in the future that the clock did not follow"))
	in.collected, errs[9] = m.Int64Counter("featurestore.online.collected",
		metric.WithUnit("{row}"), metric.WithDescription("rows whose tombstone was collected"))
	in.observed[1], errs[10] = observeConflicts(s, m)
	return in, errors.Join(errs[:]...)
}

// observe registers the figures that are read off the store.
func observe(s *Store, m metric.Meter) (metric.Registration, error) {
	var errs [7]error
	gauge := func(i int, name, unit, description string) metric.Int64ObservableGauge {
		g, err := m.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs[i] = err
		return g
	}
	queued := gauge(0, "featurestore.online.queue.length", "{write}", "writes and stretches of other logs that wait for the committer")
	waiting := gauge(1, "featurestore.online.waiters", "{call}", "lookups and writes that wait for progress")
	pinned := gauge(2, "featurestore.online.snapshots", "{snapshot}", "snapshots that long reads hold")
	hotBytes := gauge(3, "featurestore.online.hot.bytes", "By", "memory of the hot tier")
	readOnly := gauge(4, "featurestore.online.read_only", "1", "1 after a disk error stopped writes, else 0")
	hits, err := m.Int64ObservableCounter("featurestore.online.hot.hits",
		metric.WithUnit("{row}"), metric.WithDescription("rows found in the hot tier, known absences included"))
	errs[5] = err
	misses, err := m.Int64ObservableCounter("featurestore.online.hot.misses",
		metric.WithUnit("{row}"), metric.WithDescription("rows that had to be read from Badger"))
	errs[6] = err
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(queued, s.queue.length.Load())
		o.ObserveInt64(waiting, int64(s.progress.waiters()))
		o.ObserveInt64(pinned, int64(s.snapshots.pinned()))
		o.ObserveInt64(hotBytes, s.hot.bytes())
		o.ObserveInt64(readOnly, s.disk.readOnly())
		if s.hot != nil {
			o.ObserveInt64(hits, s.hot.hits.Load())
			o.ObserveInt64(misses, s.hot.misses.Load())
		}
		return nil
	}, queued, waiting, pinned, hotBytes, readOnly, hits, misses)
}

func (in *instruments) outcome(err error) metric.MeasurementOption {
	if err != nil {
		return in.failed
	}
	return in.ok
}

// commit measures a batch before it is forgotten.
func (in *instruments) commit(ctx context.Context, c *committer, took time.Duration, err error) {
	outcome := in.outcome(err)
	in.commitDuration.Record(ctx, took.Seconds(), outcome)
	writes, superseded := 0, 0
	for _, p := range c.batch {
		if p.join == nil {
			writes++
			superseded += len(p.receipt.Superseded)
		}
	}
	if writes > 0 {
		in.writes.Add(ctx, int64(writes), outcome)
	}
	if err != nil {
		return
	}
	in.commitRows.Record(ctx, int64(len(c.stage.rows)))
	if superseded > 0 {
		in.superseded.Add(ctx, int64(superseded))
	}
	size, joined := 0, 0
	for i := range c.stage.entries {
		size += len(c.stage.entries[i].value)
		if !c.store.isOwn(c.stage.entries[i].log) {
			joined++
		}
	}
	in.logBytes.Add(ctx, int64(size))
	if joined > 0 {
		in.joinedEntries.Add(ctx, int64(joined))
	}
}

func (in *instruments) read(ctx context.Context, took time.Duration, err error) {
	in.readDuration.Record(ctx, took.Seconds(), in.outcome(err))
}

// close stops observing. The error says that the meter is gone already.
func (in *instruments) close() {
	for _, r := range in.observed {
		_ = r.Unregister()
	}
}
