package replica

import (
	"errors"
	"fmt"
	"net"

	"featurestore/offline/export"
	"featurestore/offline/flight"
	"featurestore/offline/history"
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
		Source:  export.Source{History: r.past.history, Files: history.NewDisk(HistoryDir(r.cfg.Data))},
		Listen:  r.cfg.FlightListen,
		Streams: r.cfg.FlightStreams, Trainings: min(c.Running, max(r.cfg.FlightStreams, 1)),
		Join:       pit.Config{MemoryLimit: c.Memory, Threads: c.Threads, SpillDir: SpillDir(r.cfg.Data)},
		EntityRows: export.StreamLimits{Bytes: c.MaxBytes, Rows: c.MaxRows},
		Drain:      r.cfg.Drain,
		Logger:     r.telemetry.log.With("room", "flight"), Meter: r.telemetry.meter("flight"),
	})
	if err != nil {
		return nil, fmt.Errorf("%w; set flight_listen to another address, port 0 for a free one", err)
	}
	return s, nil
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
