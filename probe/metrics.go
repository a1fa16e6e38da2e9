package probe

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// metrics are the instruments of a Recorder.
type metrics struct {
	violations          metric.Int64Counter
	reads, writes, lags metric.Float64Histogram
}

func (r *Recorder) instruments(m metric.Meter) error {
	if m == nil {
		m = noop.Meter{}
	}
	var errs [6]error
	r.metrics.violations, errs[0] = m.Int64Counter("featurestore.probe.violations", metric.WithUnit("{violation}"),
		metric.WithDescription("Answers that broke a promise, by kind: there must be none."))
	r.metrics.reads, errs[1] = m.Float64Histogram("featurestore.probe.read.duration", metric.WithUnit("s"),
		metric.WithDescription("Time of a read that was answered, by level and region asked."))
	r.metrics.writes, errs[2] = m.Float64Histogram("featurestore.probe.write.duration", metric.WithUnit("s"),
		metric.WithDescription("Time of a write that was acknowledged, by concern and region asked."))
	r.metrics.lags, errs[3] = m.Float64Histogram("featurestore.probe.lag", metric.WithUnit("s"),
		metric.WithDescription("Time from the acknowledgement of a write at concern, in region from, until reads in region to see it."))
	share := func(value func(predicted, measured float64, reads uint64) (float64, bool)) metric.Float64ObservableGaugeOption {
		return metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			for _, s := range r.Report(0).Stale {
				if v, ok := value(s.Predicted, s.Measured, s.Reads); ok && s.Members == 1 {
					o.Observe(v, metric.WithAttributes(
						attribute.String("concern", s.Concern), attribute.String("from", s.From), attribute.String("to", s.To),
						attribute.String("after", planned(duration(s.AfterMs)).String()),
					))
				}
			}
			return nil
		})
	}
	_, errs[4] = m.Float64ObservableGauge("featurestore.probe.stale.predicted", metric.WithUnit("1"),
		metric.WithDescription("Probability that a read in region to misses a write acknowledged in region from so long before."),
		share(func(predicted, _ float64, _ uint64) (float64, bool) { return predicted, true }))
	_, errs[5] = m.Float64ObservableGauge("featurestore.probe.stale.measured", metric.WithUnit("1"),
		metric.WithDescription("Share of the reads in region to that missed a write acknowledged in region from so long before."),
		share(func(_, measured float64, reads uint64) (float64, bool) { return measured, reads > 0 }))
	return errors.Join(errs[:]...)
}

// planned is the greatest of After that is not later than when a read was sent.
func planned(after time.Duration) time.Duration {
	var at time.Duration
	for _, a := range After {
		if a <= after {
			at = a
		}
	}
	return at
}

func (m *metrics) read(ctx context.Context, r Read, broken []Violation) {
	m.reads.Record(ctx, (r.Answered - r.Sent).Seconds(), metric.WithAttributes(attribute.String("level", r.Level), attribute.String("region", r.Region)))
	for _, v := range broken {
		m.violations.Add(ctx, 1, metric.WithAttributes(attribute.String("kind", string(v.Kind))))
	}
}
