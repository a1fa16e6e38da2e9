package flight

import (
	"context"
	"encoding/json"

	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/api"
	"featurestore/offline/export"
)

// maxParts is into how many parts the rows of a view are cut: clients read them in
// parallel.
const maxParts = 16

// unknown stands for a number of bytes that is not known beforehand.
const unknown = -1

// open opens the Past that a request is of. The caller closes it.
func (s *Server) open(ctx context.Context, r api.FlightRequest) (*export.Past, error) {
	if r.At == nil {
		return s.cfg.Source.Now(ctx)
	}
	m, err := momentOf(r.At)
	if err != nil {
		return nil, err
	}
	return s.cfg.Source.At(ctx, m)
}

// flightOf describes what a request asks for, with a ticket for each part. A training
// set whose entity rows are not in the request has none: they come with DoExchange.
func (s *Server) flightOf(ctx context.Context, p *export.Past, r api.FlightRequest) (*flight.FlightInfo, error) {
	r = pinned(r, p)
	outline, err := p.Outline(ctx, r.Project, &r.ExportRequest, s.cfg.Join)
	if err != nil {
		return nil, err
	}
	command, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	info := &flight.FlightInfo{
		Schema: flight.SerializeSchema(outline.Schema, memory.NewGoAllocator()), TotalRecords: outline.Rows, TotalBytes: unknown,
		Ordered: true, AppMetadata: command,
	}
	parts := min(outline.Parts, maxParts)
	if r.Part != nil {
		parts, info.TotalRecords = 1, unknown
		if _, err := p.AskPart(r.Project, &r.ExportRequest, *r.Part, s.cfg.Join); err != nil {
			return nil, err
		}
	}
	for i := range parts {
		one := r
		if parts > 1 {
			one.Part = &api.ExportPart{Number: i, Of: parts}
		}
		ticket, err := ticketOf(one)
		if err != nil {
			return nil, err
		}
		info.Endpoint = append(info.Endpoint, &flight.FlightEndpoint{Ticket: ticket})
	}
	return info, nil
}

// ask resolves a request whose entity rows, if it has any, are in it.
func (s *Server) ask(ctx context.Context, p *export.Past, r api.FlightRequest) (export.Export, error) {
	if r.Part != nil {
		return p.AskPart(r.Project, &r.ExportRequest, *r.Part, s.cfg.Join)
	}
	return p.Ask(ctx, r.Project, &r.ExportRequest, nil, s.cfg.Join)
}
