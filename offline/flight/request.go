package flight

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow/flight"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/export"
)

// requestOf reads a descriptor: a command is a request, a path [project, view] the rows
// of a view; of the only project there is when it has the view alone.
func requestOf(d *flight.FlightDescriptor) (r api.FlightRequest, err error) {
	if d == nil {
		return r, &export.FieldError{Field: "descriptor", Err: errors.New("it is missing: give a command, or a path such as [project, view]")}
	}
	switch d.Type {
	case flight.DescriptorCMD:
		return decodeRequest("command", d.Cmd)
	case flight.DescriptorPATH:
		switch len(d.Path) {
		case 1:
			r.Rows = d.Path[0]
			return r, nil
		case 2:
			r.Project, r.Rows = d.Path[0], d.Path[1]
			return r, nil
		}
		return r, &export.FieldError{Field: "path", Err: fmt.Errorf("it has %d parts: write [project, view]", len(d.Path))}
	}
	return r, &export.FieldError{Field: "descriptor", Err: fmt.Errorf("its type is %v: want CMD or PATH", d.Type)}
}

// decodeRequest reads a command or a ticket.
func decodeRequest(what string, text []byte) (r api.FlightRequest, err error) {
	if len(text) == 0 {
		return r, &export.FieldError{Field: what, Err: errors.New(`it is empty: write {"rows": "VIEW"}, or {"service": "NAME"} for a training set`)}
	}
	if err := api.Decode(text, &r); err != nil {
		return r, err
	}
	if r.Out != "" {
		return r, &export.FieldError{Field: "out", Err: errors.New("over Flight rows come to you: leave it out")}
	}
	return r, nil
}

// ticketOf is the request as a ticket.
func ticketOf(r api.FlightRequest) (*flight.Ticket, error) {
	text, err := json.Marshal(r)
	return &flight.Ticket{Ticket: text}, err
}

// momentOf reads the moment of a request.
func momentOf(at *api.ExportMoment) (m export.Moment, err error) {
	sum, err := hex.DecodeString(at.Manifest)
	if err != nil || len(sum) != len(m.Sum) {
		return m, &export.FieldError{Field: "at.manifest", Err: fmt.Errorf("it is %q: want the %d hex digits of a ticket", feature.Clip(at.Manifest), 2*len(m.Sum))}
	}
	copy(m.Sum[:], sum)
	m.Commit, m.Epoch, m.Revision = at.Commit, at.Epoch, at.Revision
	return m, nil
}

// pinned returns a request with the moment of a Past.
func pinned(r api.FlightRequest, p *export.Past) api.FlightRequest {
	m := p.Moment()
	r.At = &api.ExportMoment{Commit: m.Commit, Manifest: m.Sum.String(), Epoch: m.Epoch, Revision: m.Revision}
	return r
}
