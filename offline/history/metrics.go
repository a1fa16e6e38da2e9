package history

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// instruments are what an ingester measures.
type instruments struct {
	commitDuration metric.Float64Histogram
	rows           metric.Int64Counter
	gaps           metric.Int64Counter
	observed       metric.Registration

	ok, failed metric.MeasurementOption
}

// commitBounds reach from a small commit on a fast disk to a large one into a
// bucket far away.
var commitBounds = []float64{.005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30}

func newInstruments(in *Ingester) (*instruments, error) {
	m := in.cfg.Meter
	out := &instruments{
		ok:     metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", "ok"))),
		failed: metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", "error"))),
	}
	var errs [8]error
	out.commitDuration, errs[0] = m.Float64Histogram("featurestore.history.commit.duration",
		metric.WithUnit("s"), metric.WithDescription("time to encode and commit what was read of the log, by outcome"),
		metric.WithExplicitBucketBoundaries(commitBounds...))
	out.rows, errs[1] = m.Int64Counter("featurestore.history.rows",
		metric.WithUnit("{row}"), metric.WithDescription("rows committed to history"))
	out.gaps, errs[2] = m.Int64Counter("featurestore.history.gaps",
		metric.WithUnit("{gap}"), metric.WithDescription("stretches of logs that were gone before history had read them"))
	gauge := func(i int, name, unit, description string) metric.Int64ObservableGauge {
		g, err := m.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs[i] = err
		return g
	}
	held := gauge(3, "featurestore.history.held.bytes", "By", "memory of what was read of the log and is not committed")
	files := gauge(4, "featurestore.history.files", "{file}", "files of rows that count")
	sizeBytes := gauge(5, "featurestore.history.bytes", "By", "what they take")
	lag, err := m.Float64ObservableGauge("featurestore.history.lag", metric.WithUnit("s"),
		metric.WithDescription("age of the oldest log entry that was read and is not committed, 0 for none"))
	errs[6] = err
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	out.observed, errs[7] = m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := in.Status()
		o.ObserveInt64(held, s.HeldBytes)
		o.ObserveFloat64(lag, s.lag(in.cfg.Wall()).Seconds())
		n, size := in.cfg.History.size()
		o.ObserveInt64(files, int64(n))
		o.ObserveInt64(sizeBytes, size)
		return nil
	}, held, files, sizeBytes, lag)
	return out, errs[7]
}

// lag is the age of the oldest entry that is held.
func (s Status) lag(now time.Time) time.Duration {
	if s.Oldest == 0 {
		return 0
	}
	return max(0, now.Sub(s.Oldest.Time()))
}

func (i *instruments) commit(ctx context.Context, took time.Duration, rows int64, err error) {
	if err != nil {
		i.commitDuration.Record(ctx, took.Seconds(), i.failed)
		return
	}
	i.commitDuration.Record(ctx, took.Seconds(), i.ok)
	i.rows.Add(ctx, rows)
}

// close stops observing. The error says that the meter is gone already.
func (i *instruments) close() { _ = i.observed.Unregister() }
