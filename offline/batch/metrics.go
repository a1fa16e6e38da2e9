package batch

import (
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// instruments count what a Materializer does.
type instruments struct {
	rows   metric.Int64Counter
	bad    metric.Int64Counter
	files  metric.Int64Counter
	deaths metric.Int64Counter
}

func newInstruments(m metric.Meter) (*instruments, error) {
	if m == nil {
		m = noop.NewMeterProvider().Meter("")
	}
	out := &instruments{}
	var errs [4]error
	out.rows, errs[0] = m.Int64Counter("featurestore.batch.rows", metric.WithUnit("{row}"),
		metric.WithDescription("Rows of batch sources that were pushed, those that were there already included, by project and view."))
	out.bad, errs[1] = m.Int64Counter("featurestore.batch.bad_rows", metric.WithUnit("{row}"),
		metric.WithDescription("Rows of batch sources that could not be read, or that the store refused, by project and view."))
	out.files, errs[2] = m.Int64Counter("featurestore.batch.files", metric.WithUnit("{file}"),
		metric.WithDescription("Files of batch sources, by project, view and outcome: written, unchanged or failed."))
	out.deaths, errs[3] = m.Int64Counter("featurestore.batch.reader_deaths", metric.WithUnit("{process}"),
		metric.WithDescription("Processes that died of the file they read, by project and view."))
	return out, errors.Join(errs[:]...)
}

func labels(project, view string, more ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributes(append(more, attribute.String("project", project), attribute.String("view", view))...)
}
