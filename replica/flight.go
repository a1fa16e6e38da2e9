package replica

import (
	"context"
	"errors"
	"fmt"
	"net"

	"featurestore/offline/export"
	"featurestore/offline/flight"
	"featurestore/offline/pit"
)

// openFlight opens the listener of Arrow Flight over the store's history; nil where
// none is configured.
func (r *Replica) openFlight() (*flight.Server, error) {
	if r.cfg.FlightListen == "" {
		return nil, nil
	}
	c := r.cfg.Exports.withDefaults()
	s, err := flight.New(flight.Config{
		Source:  flightSource{r.past},
		Listen:  r.cfg.FlightListen,
		Streams: r.cfg.FlightStreams, Trainings: min(c.Running, max(r.cfg.FlightStreams, 1)),
		Join:       pit.Config{MemoryLimit: c.Memory, Threads: c.Threads, SpillDir: SpillDir(r.cfg.Data)},
		EntityRows: export.StreamLimits{Bytes: c.MaxBytes, Rows: c.MaxRows},
		Began:      r.roomFor(c.Memory),
		Stall:      c.Stall,
		Drain:      r.cfg.Drain,
		Logger:     r.telemetry.log.With("room", "flight"), Meter: r.telemetry.meter("flight"),
	})
	if err != nil {
		return nil, fmt.Errorf("%w; set flight_listen to another address, port 0 for a free one", err)
	}
	return s, nil
}

// flightSource opens what the history has, once that is open itself.
type flightSource struct{ *past }

func (p flightSource) source() (export.Source, error) {
	select {
	case <-p.opened:
		return export.Source{History: p.history, Files: p.files}, nil
	default:
		return export.Source{}, fmt.Errorf("%w that can be reached: it is tried until it can", export.ErrNoHistory)
	}
}

// Now implements flight.Source.
func (p flightSource) Now(ctx context.Context) (*export.Past, error) {
	s, err := p.source()
	if err != nil {
		return nil, err
	}
	return s.Now(ctx)
}

// At implements flight.Source.
func (p flightSource) At(ctx context.Context, m export.Moment) (*export.Past, error) {
	s, err := p.source()
	if err != nil {
		return nil, err
	}
	return s.At(ctx, m)
}

// FlightAddr returns the address of Arrow Flight, with the port that was taken; nil for a
// store that does not serve it.
func (r *Replica) FlightAddr() net.Addr {
	if r.flight == nil {
		return nil
	}
	return r.flight.Addr()
}

// validateFlight returns what is wrong with how history is served over Arrow Flight.
func (c Config) validateFlight() error {
	var errs []error
	if c.FlightStreams < 0 {
		errs = append(errs, fmt.Errorf("flight_streams is %d: it must be positive, or zero for %d", c.FlightStreams, flight.DefaultStreams))
	}
	if c.FlightListen == "" {
		return errors.Join(errs...)
	}
	if !c.History {
		errs = append(errs, errors.New("flight_listen is set and history is not: Arrow Flight serves the history that a store keeps, set history: true"))
	}
	return errors.Join(append(errs, checkListen("flight_listen", c.FlightListen, c.AllowInsecure))...)
}
