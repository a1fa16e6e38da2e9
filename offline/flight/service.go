package flight

import (
	"context"
	"errors"
	"io"

	"github.com/apache/arrow/go/v17/arrow/flight"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"featurestore/api"
	"featurestore/offline/export"
)

// service answers the calls of Flight.
type service struct {
	flight.BaseFlightServer
	*Server
}

// begin takes a slot of those that there are, or refuses. The caller ends it.
func (s *Server) begin(ctx context.Context, method string, slots ...chan struct{}) (end func(), err error) {
	attributes := metric.WithAttributes(attribute.String("method", method))
	taken := 0
	release := func() {
		for _, slot := range slots[:taken] {
			<-slot
		}
	}
	for _, slot := range slots {
		select {
		case slot <- struct{}{}:
			taken++
		default:
			release()
			s.instruments.refused.Add(ctx, 1, attributes)
			return nil, errBusy
		}
	}
	s.instruments.streams.Add(ctx, 1, attributes)
	return func() {
		s.instruments.streams.Add(context.WithoutCancel(ctx), -1, attributes)
		release()
	}, nil
}

// Handshake lets everybody in: requests are not authenticated.
func (s *service) Handshake(stream flight.FlightService_HandshakeServer) error {
	for {
		hello, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&flight.HandshakeResponse{ProtocolVersion: hello.ProtocolVersion}); err != nil {
			return err
		}
	}
}

// beginJoin is begin for a stream that joins, which takes memory.
func (s *Server) beginJoin(ctx context.Context, method string) (func(), error) {
	end, err := s.begin(ctx, method, s.streams, s.trainings)
	if err != nil || s.cfg.Began == nil {
		return end, err
	}
	ended := s.cfg.Began()
	return func() { ended(); end() }, nil
}

// ListFlights tells the views, of the project that the criteria name, or of all; and
// no tickets, for which GetFlightInfo is there.
func (s *service) ListFlights(c *flight.Criteria, stream flight.FlightService_ListFlightsServer) error {
	ctx := stream.Context()
	p, err := s.cfg.Source.Now(ctx)
	if errors.Is(err, export.ErrNoHistory) {
		return nil
	}
	if err != nil {
		return s.statusOf(err)
	}
	defer p.Close()
	names, err := p.ViewNames(string(c.GetExpression()))
	if err != nil {
		return s.statusOf(err)
	}
	for _, name := range names {
		info, err := s.flightOf(ctx, p, api.FlightRequest{Project: name.Project, ExportRequest: api.ExportRequest{Rows: name.View}})
		if err != nil {
			return s.statusOf(err)
		}
		info.FlightDescriptor = &flight.FlightDescriptor{Type: flight.DescriptorPATH, Path: []string{name.Project, name.View}}
		info.Endpoint = nil
		if err := stream.Send(info); err != nil {
			return err
		}
	}
	return nil
}

// GetFlightInfo describes what a descriptor asks for, with tickets for its parts.
func (s *service) GetFlightInfo(ctx context.Context, d *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	r, err := requestOf(d)
	if err != nil {
		return nil, s.statusOf(err)
	}
	p, err := s.open(ctx, r)
	if err != nil {
		return nil, s.statusOf(err)
	}
	defer p.Close()
	info, err := s.flightOf(ctx, p, r)
	if err != nil {
		return nil, s.statusOf(err)
	}
	info.FlightDescriptor = d
	return info, nil
}

// PollFlightInfo is GetFlightInfo: nothing takes long before a ticket is there.
func (s *service) PollFlightInfo(ctx context.Context, d *flight.FlightDescriptor) (*flight.PollInfo, error) {
	info, err := s.GetFlightInfo(ctx, d)
	if err != nil {
		return nil, err
	}
	done := 1.0
	return &flight.PollInfo{Info: info, Progress: &done}, nil
}

// GetSchema returns the columns of a flight.
func (s *service) GetSchema(ctx context.Context, d *flight.FlightDescriptor) (*flight.SchemaResult, error) {
	info, err := s.GetFlightInfo(ctx, d)
	if err != nil {
		return nil, err
	}
	return &flight.SchemaResult{Schema: info.Schema}, nil
}

// DoGet streams what a ticket names.
func (s *service) DoGet(t *flight.Ticket, stream flight.FlightService_DoGetServer) error {
	return s.statusOf(s.get(t.GetTicket(), stream))
}

func (s *Server) get(ticket []byte, to sink) error {
	ctx := to.Context()
	r, err := decodeRequest("ticket", ticket)
	if err != nil {
		return err
	}
	var end func()
	if r.Rows != "" {
		end, err = s.begin(ctx, "DoGet", s.streams)
	} else {
		end, err = s.beginJoin(ctx, "DoGet")
	}
	if err != nil {
		return err
	}
	defer end()
	p, err := s.open(ctx, r)
	if err != nil {
		return err
	}
	defer p.Close()
	e, err := s.ask(ctx, p, r)
	if err != nil {
		return err
	}
	defer closeExport(e)
	return s.send(to, pinned(r, p), e)
}

// closeExport lets go of what an export reads besides history.
func closeExport(e export.Export) {
	if c, ok := e.(io.Closer); ok {
		_ = c.Close() // it was only read
	}
}

// DoPut takes nothing: a training set is an exchange, and rows are pushed over REST.
func (s *service) DoPut(flight.FlightService_DoPutServer) error {
	return status.Error(codes.Unimplemented, "nothing is stored over Flight: entity rows come with DoExchange, feature rows are pushed over REST")
}
