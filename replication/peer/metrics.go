package peer

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"featurestore/meta"
	"featurestore/replication"
)

// instruments are what this room measures.
type instruments struct {
	sent, received metric.Int64Counter
	conversations  metric.Int64UpDownCounter
	refused        metric.Int64Counter
}

func newInstruments(m metric.Meter) (*instruments, error) {
	in := new(instruments)
	var errs [4]error
	in.sent, errs[0] = m.Int64Counter("featurestore.replication.peer.sent",
		metric.WithUnit("By"), metric.WithDescription("bytes of messages sent, as they travel, by peer"))
	in.received, errs[1] = m.Int64Counter("featurestore.replication.peer.received",
		metric.WithUnit("By"), metric.WithDescription("bytes of messages received, as they travel, by peer"))
	in.conversations, errs[2] = m.Int64UpDownCounter("featurestore.replication.peer.conversations",
		metric.WithUnit("{conversation}"), metric.WithDescription("conversations that are open, by peer and this store's role in them"))
	in.refused, errs[3] = m.Int64Counter("featurestore.replication.peer.refused",
		metric.WithUnit("{conversation}"), metric.WithDescription("conversations that were not begun, or ended, because of what the peer is or sent, by reason"))
	return in, errors.Join(errs[:]...)
}

// refuse counts a conversation that ended for a reason that lies with the peer.
func (in *instruments) refuse(ctx context.Context, err error) {
	in.refused.Add(ctx, 1, metric.WithAttributes(attribute.String("reason", reason(err))))
}

// reason is the word for why a peer is refused.
func reason(err error) string {
	switch {
	case errors.Is(err, errSecret):
		return "secret"
	case errors.Is(err, errFormat):
		return "format"
	case errors.Is(err, replication.ErrForeign):
		return "foreign"
	case errors.Is(err, errMalformed):
		return "malformed"
	case errors.Is(err, errBusy):
		return "busy"
	}
	return "broken" // the handshake broke off
}

// toPeer is the attribute of what concerns one peer. Peers are members, so
// there are few.
func toPeer(id meta.StoreID) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String("peer", string(id))))
}

func inRole(id meta.StoreID, r role) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String("peer", string(id)), attribute.String("role", string(r))))
}
