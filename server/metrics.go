package server

import (
	"context"
	"net/http"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics are the instruments of the edge. Options are cached by what they
// say, so that counting a request allocates nothing.
type metrics struct {
	duration metric.Float64Histogram
	refused  metric.Int64Counter
	// uncomputed counts what lookups answered with null for that reason.
	uncomputed metric.Int64Counter
	// forwards counts lookups that other stores were asked for.
	forwards metric.Int64Counter

	labels sync.Map // labels -> metric.MeasurementOption
}

type labels struct {
	route, dialect string
	status         int
	code           string
}

// newMetrics makes the instruments; a nil meter makes none.
func newMetrics(m metric.Meter, s *Server) (*metrics, error) {
	if m == nil {
		return nil, nil
	}
	out := &metrics{}
	var err error
	if out.duration, err = m.Float64Histogram("featurestore.server.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from the first byte of a request's header to the end of its answer, by route, dialect and status."),
		metric.WithExplicitBucketBoundaries(.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60)); err != nil {
		return nil, err
	}
	if out.refused, err = m.Int64Counter("featurestore.server.refused", metric.WithUnit("{request}"),
		metric.WithDescription("Requests answered with an error, by code, route and dialect.")); err != nil {
		return nil, err
	}
	if out.uncomputed, err = m.Int64Counter("featurestore.server.on_demand.uncomputed", metric.WithUnit("{entity}"),
		metric.WithDescription("Entities for which an on-demand view could not compute a feature, which is null then, by view.")); err != nil {
		return nil, err
	}
	if out.forwards, err = m.Int64Counter("featurestore.server.forwards", metric.WithUnit("{request}"),
		metric.WithDescription("Lookups that another store was asked for, because this one did not meet them, by its region and whether it answered.")); err != nil {
		return nil, err
	}
	_, err = m.Int64ObservableGauge("featurestore.server.in_flight", metric.WithUnit("{request}"),
		metric.WithDescription("Requests being answered."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(s.inFlight.Load())
			return nil
		}))
	if err != nil {
		return nil, err
	}
	_, err = m.Int64ObservableGauge("featurestore.server.held_bytes", metric.WithUnit("By"),
		metric.WithDescription("Bodies of the requests being answered."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(s.held.Load())
			return nil
		}))
	return out, err
}

// observe counts a request that has been answered.
func (m *metrics) observe(r *request) {
	if m == nil {
		return
	}
	ctx := r.Request().Context()
	l := labels{route: r.route.path, dialect: r.route.dialect, status: r.Response().Status}
	if l.status == http.StatusOK {
		m.duration.Record(ctx, r.elapsed().Seconds(), r.route.succeeded(m))
	} else {
		m.duration.Record(ctx, r.elapsed().Seconds(), m.option(l))
	}
	if r.code != "" {
		m.refused.Add(ctx, 1, m.option(labels{route: l.route, dialect: l.dialect, code: string(r.code)}))
	}
}

// notComputed counts the entities for which an on-demand view failed.
func (m *metrics) notComputed(ctx context.Context, view string, entities int64) {
	if m == nil || entities == 0 {
		return
	}
	m.uncomputed.Add(ctx, entities, metric.WithAttributes(attribute.String("view", view)))
}

// succeeded returns the attributes of the route's answers with status 200, which
// nearly all have.
func (rt *route) succeeded(m *metrics) metric.MeasurementOption {
	if o := rt.ok.Load(); o != nil {
		return *o
	}
	o := m.option(labels{route: rt.path, dialect: rt.dialect, status: http.StatusOK})
	rt.ok.Store(&o)
	return o
}

// option returns the attributes of l. Routes, statuses and codes are few, so
// the cache is bounded.
func (m *metrics) option(l labels) metric.MeasurementOption {
	if o, ok := m.labels.Load(l); ok {
		return o.(metric.MeasurementOption)
	}
	kv := []attribute.KeyValue{attribute.String("route", l.route), attribute.String("dialect", l.dialect)}
	if l.status != 0 {
		kv = append(kv, attribute.Int("status", l.status))
	}
	if l.code != "" {
		kv = append(kv, attribute.String("code", l.code))
	}
	o := metric.WithAttributeSet(attribute.NewSet(kv...))
	m.labels.Store(l, o)
	return o
}

// forwarded counts a lookup that another store was asked for.
func (m *metrics) forwarded(ctx context.Context, region string, answered bool) {
	if m == nil {
		return
	}
	m.forwards.Add(ctx, 1, metric.WithAttributes(attribute.String("region", region), attribute.Bool("answered", answered)))
}
