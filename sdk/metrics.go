package sdk

import (
	"context"
	"time"

	"featurestore/api"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics are the instruments of the client. A nil *metrics counts nothing.
type metrics struct {
	duration metric.Float64Histogram
	retries  metric.Int64Counter
	moves    metric.Int64Counter
	hedges   metric.Int64Counter
	rows     metric.Int64Counter
	buffered metric.Int64UpDownCounter
}

func newMetrics(m metric.Meter) (*metrics, error) {
	if m == nil {
		return nil, nil
	}
	out := &metrics{}
	var err error
	if out.duration, err = m.Float64Histogram("featurestore.client.operation.duration", metric.WithUnit("s"),
		metric.WithDescription("Time of an operation with all its tries, by operation and error code."),
		metric.WithExplicitBucketBoundaries(.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10)); err != nil {
		return nil, err
	}
	if out.retries, err = m.Int64Counter("featurestore.client.retries", metric.WithUnit("{try}"),
		metric.WithDescription("Tries after the first, by operation and the HTTP status that the try got, 0 for none.")); err != nil {
		return nil, err
	}
	if out.moves, err = m.Int64Counter("featurestore.client.moves", metric.WithUnit("{move}"),
		metric.WithDescription("Times that reads or writes moved to another store, for it is nearer or the one before is away.")); err != nil {
		return nil, err
	}
	if out.hedges, err = m.Int64Counter("featurestore.client.hedges", metric.WithUnit("{read}"),
		metric.WithDescription("Reads that waited longer than their Hedge, by result: won and lost by the second store, or refused as beyond HedgeShare or without another store.")); err != nil {
		return nil, err
	}
	if out.rows, err = m.Int64Counter("featurestore.client.writer.rows", metric.WithUnit("{row}"),
		metric.WithDescription("Rows that got their verdict, by view and verdict.")); err != nil {
		return nil, err
	}
	out.buffered, err = m.Int64UpDownCounter("featurestore.client.writer.buffered", metric.WithUnit("{row}"),
		metric.WithDescription("Rows pushed that have no verdict yet, by view."))
	return out, err
}

// tried counts a try; the first of an operation is no retry.
func (m *metrics) tried(ctx context.Context, op string, o outcome, n int) {
	if m == nil || n == 1 {
		return
	}
	m.retries.Add(ctx, 1, metric.WithAttributes(attribute.String("op", op), attribute.Int("status", o.status)))
}

// moved counts a move of reads or of writes to another store.
func (m *metrics) moved(ctx context.Context, reads bool) {
	if m == nil {
		return
	}
	m.moves.Add(ctx, 1, metric.WithAttributes(attribute.Bool("reads", reads)))
}

// hedged counts a read that took longer than its hedge.
func (m *metrics) hedged(ctx context.Context, result string) {
	if m == nil {
		return
	}
	m.hedges.Add(ctx, 1, metric.WithAttributes(attribute.String("result", result)))
}

// done records an operation; code is "" when it succeeded.
func (m *metrics) done(ctx context.Context, op string, took time.Duration, code api.Code) {
	if m == nil {
		return
	}
	m.duration.Record(ctx, took.Seconds(), metric.WithAttributes(attribute.String("op", op), attribute.String("code", string(code))))
}

// took counts rows that a writer took, or gave back when n is negative.
func (m *metrics) took(ctx context.Context, view string, n int) {
	if m == nil {
		return
	}
	m.buffered.Add(ctx, int64(n), metric.WithAttributes(attribute.String("view", view)))
}

// judged counts rows by their verdict.
func (m *metrics) judged(ctx context.Context, view string, v Verdict, n int) {
	if m == nil || n == 0 {
		return
	}
	m.rows.Add(ctx, int64(n), metric.WithAttributes(attribute.String("view", view), attribute.String("verdict", v.String())))
}
