package served

import (
	"context"
	"errors"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// instruments are what a log measures.
type instruments struct {
	lookups, cells, drops, omitted metric.Int64Counter
	bytes                          atomic.Int64 // of the files
	observed                       metric.Registration
}

// Why lookups are dropped.
var (
	dropQueue = metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", "queue")))
	dropDisk  = metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", "disk")))
)

func newInstruments(l *Log) (*instruments, error) {
	m := l.cfg.Meter
	if m == nil {
		m = noop.NewMeterProvider().Meter("")
	}
	out := &instruments{}
	var errs [7]error
	out.lookups, errs[0] = m.Int64Counter("featurestore.served.lookups",
		metric.WithUnit("{lookup}"), metric.WithDescription("Sampled lookups that are in a file of the served log."))
	out.cells, errs[1] = m.Int64Counter("featurestore.served.cells",
		metric.WithUnit("{cell}"), metric.WithDescription("Their cells."))
	out.drops, errs[2] = m.Int64Counter("featurestore.served.dropped",
		metric.WithUnit("{lookup}"), metric.WithDescription("Sampled lookups that are not logged, by reason: queue, because too many waited, or disk."))
	out.omitted, errs[3] = m.Int64Counter("featurestore.served.left_out",
		metric.WithUnit("{cell}"), metric.WithDescription("Cells of logged lookups that are left out, because one lookup has too many."))
	held, err := m.Int64ObservableGauge("featurestore.served.held.bytes",
		metric.WithUnit("By"), metric.WithDescription("Memory of sampled lookups that wait."))
	errs[4] = err
	files, err := m.Int64ObservableGauge("featurestore.served.bytes",
		metric.WithUnit("By"), metric.WithDescription("Size of the served log's files."))
	errs[5] = err
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	out.observed, errs[6] = m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(held, l.held.Load())
		o.ObserveInt64(files, out.bytes.Load())
		return nil
	}, held, files)
	return out, errs[6]
}

func (i *instruments) dropped(ctx context.Context, why metric.AddOption, lookups int64) {
	i.drops.Add(ctx, lookups, why)
}

func (i *instruments) leftOut(ctx context.Context, cells int) {
	if cells > 0 {
		i.omitted.Add(ctx, int64(cells))
	}
}

func (i *instruments) logged(ctx context.Context, lookups, cells int64) {
	i.lookups.Add(ctx, lookups)
	i.cells.Add(ctx, cells)
}

// close stops observing. The error says that the meter is gone already.
func (i *instruments) close() { _ = i.observed.Unregister() }
