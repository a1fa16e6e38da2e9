package flight

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/flight"

	"featurestore/offline/export"
)

// DoExchange makes a training set: the first message has the request as a command, the
// records are entity rows, and the answer is one row for each. All entity rows are
// read before the first row is answered; they and the join are within Config.Join,
// what does not fit is on disk.
func (s *service) DoExchange(stream flight.FlightService_DoExchangeServer) error {
	return s.statusOf(s.exchange(stream))
}

func (s *Server) exchange(stream flight.FlightService_DoExchangeServer) error {
	ctx := stream.Context()
	messages := s.receive(stream)
	first, err := messages.await() // a stream that says nothing takes no place of others
	if errors.Is(err, io.EOF) {
		return &export.FieldError{Field: "descriptor", Err: errors.New("it is missing: the first message says what is added to entity rows")}
	}
	if err != nil {
		return err
	}
	messages.rest = parts(first)
	r, err := requestOf(first.FlightDescriptor)
	if err != nil {
		return err
	}
	end, err := s.beginJoin(ctx, "DoExchange")
	if err != nil {
		return err
	}
	defer end()
	if r.Part != nil {
		return &export.FieldError{Field: "part", Err: errors.New("a training set has no parts: leave it out")}
	}
	p, err := s.open(ctx, r)
	if err != nil {
		return err
	}
	defer p.Close()
	var in *export.EntityStream
	e, err := p.Ask(ctx, r.Project, &r.ExportRequest, func(*export.Training) (_ array.RecordReader, err error) {
		in, err = export.NewEntityStream(ctx, messages, s.cfg.EntityRows)
		return in, err
	}, s.cfg.Join)
	if in != nil {
		defer in.Close()
	}
	if err != nil {
		return err
	}
	defer closeExport(e)
	if in == nil {
		return &export.FieldError{Field: "descriptor", Err: errors.New("DoExchange adds features to entity rows: read what a view has with DoGet")}
	}
	return s.send(stream, pinned(r, p), e)
}

// receive returns the messages of a client as a stream.
func (s *Server) receive(stream flight.FlightService_DoExchangeServer) *messageReader {
	r := &messageReader{ctx: stream.Context(), stall: s.cfg.Stall, came: make(chan *flight.FlightData)}
	s.sending.Go(func() { // it ends with the stream, whose handler may not wait that long
		defer close(r.came)
		for {
			m, err := stream.Recv()
			if err != nil {
				r.err = err
				return
			}
			select {
			case r.came <- m:
			case <-r.ctx.Done():
				r.err = r.ctx.Err()
				return
			}
		}
	})
	return r
}

// messageReader gives the messages of a client as an Arrow IPC stream, which is checked
// by whoever reads it: before each comes how long it is.
type messageReader struct {
	ctx   context.Context
	stall time.Duration
	came  chan *flight.FlightData
	err   error    // why no more came, once came is closed
	rest  [][]byte // of a message
}

// parts are those of a message in a stream; of a descriptor that comes alone, none.
func parts(m *flight.FlightData) [][]byte {
	if len(m.DataHeader) == 0 {
		return nil
	}
	return [][]byte{binary.LittleEndian.AppendUint32([]byte{0xff, 0xff, 0xff, 0xff}, uint32(len(m.DataHeader))), m.DataHeader, m.DataBody}
}

// Read implements io.Reader. A client that sends nothing for Config.Stall is not waited
// for.
func (r *messageReader) Read(b []byte) (int, error) {
	for len(r.rest) == 0 || len(r.rest[0]) == 0 {
		if len(r.rest) > 0 {
			r.rest = r.rest[1:]
			continue
		}
		m, err := r.await()
		if err != nil {
			return 0, err
		}
		r.rest = parts(m)
	}
	n := copy(b, r.rest[0])
	r.rest[0] = r.rest[0][n:]
	return n, nil
}

func (r *messageReader) await() (*flight.FlightData, error) {
	limit := time.NewTimer(r.stall)
	defer limit.Stop()
	select {
	case m, ok := <-r.came:
		if !ok {
			return nil, r.err
		}
		return m, nil
	case <-limit.C:
		return nil, fmt.Errorf("%w: it has %v for each", errStalled, r.stall)
	}
}
