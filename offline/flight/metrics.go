package flight

import (
	"errors"

	"go.opentelemetry.io/otel/metric"
)

// instruments are what this room measures.
type instruments struct {
	streams     metric.Int64UpDownCounter
	rows, bytes metric.Int64Counter
	refused     metric.Int64Counter
}

func newInstruments(m metric.Meter) (*instruments, error) {
	in := new(instruments)
	var errs [4]error
	in.streams, errs[0] = m.Int64UpDownCounter("featurestore.flight.streams",
		metric.WithUnit("{stream}"), metric.WithDescription("Arrow Flight streams that run, by method"))
	in.rows, errs[1] = m.Int64Counter("featurestore.flight.rows",
		metric.WithUnit("{row}"), metric.WithDescription("rows that were made for Arrow Flight clients"))
	in.bytes, errs[2] = m.Int64Counter("featurestore.flight.sent",
		metric.WithUnit("By"), metric.WithDescription("bytes of record batches that Arrow Flight clients took"))
	in.refused, errs[3] = m.Int64Counter("featurestore.flight.refused",
		metric.WithUnit("{stream}"), metric.WithDescription("Arrow Flight streams that were not begun, because too many ran, by method"))
	return in, errors.Join(errs[:]...)
}
