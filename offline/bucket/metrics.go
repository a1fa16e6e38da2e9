package bucket

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// operation is what a request is for.
type operation string

const (
	creating  operation = "create"
	looking   operation = "look" // whose an object is
	reading   operation = "read"
	listing   operation = "list"
	removing  operation = "remove"
	uploading operation = "upload"
)

// instruments are what a bucket measures. Every try counts as a request.
type instruments struct {
	duration       metric.Float64Histogram
	sent, received metric.Int64Counter
}

// durationBounds reach from a server beside us to one that is given up.
var durationBounds = []float64{.005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30}

func newInstruments(m metric.Meter) (*instruments, error) {
	if m == nil {
		m = noop.Meter{}
	}
	i := &instruments{}
	var errs [3]error
	i.duration, errs[0] = m.Float64Histogram("featurestore.bucket.request.duration", metric.WithUnit("s"),
		metric.WithDescription("time of a request to the bucket's server, by operation and outcome: ok, refused by an answer, failed without one"),
		metric.WithExplicitBucketBoundaries(durationBounds...))
	i.sent, errs[1] = m.Int64Counter("featurestore.bucket.sent", metric.WithUnit("By"), metric.WithDescription("contents that the bucket has taken"))
	i.received, errs[2] = m.Int64Counter("featurestore.bucket.received", metric.WithUnit("By"), metric.WithDescription("contents that were read from the bucket"))
	return i, errors.Join(errs[:]...)
}

// request notes how one ended; contents of sizeBytes were sent with it.
func (i *instruments) request(ctx context.Context, op operation, took time.Duration, sizeBytes int64, err error) {
	outcome := "ok"
	switch status := statusOf(err); {
	case err == nil:
		if op == creating || op == uploading {
			i.sent.Add(ctx, sizeBytes)
		}
	case status >= 400 && status < 500:
		outcome = "refused"
	default:
		outcome = "failed"
	}
	i.duration.Record(ctx, took.Seconds(), metric.WithAttributes(attribute.String("operation", string(op)), attribute.String("outcome", outcome)))
}
