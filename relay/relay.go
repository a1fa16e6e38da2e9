package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// Config of a Relay. Zero values are the defaults named here.
type Config struct {
	// From is the region whose connections come in, To the one they go to. Both
	// are regions of Links.
	From, To string
	Links    *Links
	// Listen is where connections come in, such as "127.0.0.1:0"; Target is
	// where they go.
	Listen, Target string
	// BufferBytes may be under way in one direction of a connection, each chunk
	// counting 64 more; 4 MiB. With a delay of 100 ms that lets 40 MiB/s through.
	BufferBytes int
	// MaxConnections at one time; 256. More are closed at once.
	MaxConnections int
}

// Validate tells everything that is wrong with the Config at once.
func (c Config) Validate() error {
	d := c.withDefaults()
	var errs []error
	if c.Links == nil {
		errs = append(errs, errors.New("links is nil, want those of the regions"))
	} else {
		errs = append(errs, c.Links.check(c.From, c.To))
	}
	if c.Listen == "" {
		errs = append(errs, errors.New("listen is empty, want an address such as 127.0.0.1:0"))
	}
	if c.Target == "" {
		errs = append(errs, errors.New("target is empty, want host:port"))
	}
	if d.BufferBytes < 1 {
		errs = append(errs, fmt.Errorf("buffer_bytes is %d, want at least 1", c.BufferBytes))
	}
	if d.MaxConnections < 1 {
		errs = append(errs, fmt.Errorf("max_connections is %d, want at least 1", c.MaxConnections))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	c.BufferBytes = cmp.Or(c.BufferBytes, 4<<20)
	c.MaxConnections = cmp.Or(c.MaxConnections, 256)
	return c
}

// Relay takes connections from one region to one address of another.
type Relay struct {
	cfg      Config
	listener net.Listener
}

// New returns a Relay that listens and does not take connections yet. Whoever
// does not call Run calls Close.
func New(cfg Config) (*Relay, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("relay from %s to %s: %w", cfg.From, cfg.To, err)
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("relay from %s to %s: %w", cfg.From, cfg.To, err)
	}
	return &Relay{cfg: cfg.withDefaults(), listener: l}, nil
}

// Addr is where the Relay listens.
func (r *Relay) Addr() net.Addr { return r.listener.Addr() }

// Close ends a Relay that was not Run.
func (r *Relay) Close() error { return r.listener.Close() }

// Run relays until ctx ends, then ends every connection and returns nil. It
// runs once.
func (r *Relay) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var pairs sync.WaitGroup
	defer pairs.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = r.listener.Close() }) // Accept says so
	defer stop()
	places := make(chan struct{}, r.cfg.MaxConnections)
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("relay from %s to %s: %w", r.cfg.From, r.cfg.To, err)
		}
		select {
		case places <- struct{}{}:
		default:
			abort(conn)
			continue
		}
		pairs.Go(func() {
			defer func() { <-places }()
			newPair(r.cfg.Links, r.cfg.From, r.cfg.To, r.cfg.BufferBytes).run(ctx, conn, r.dial)
		})
	}
}

func (r *Relay) dial(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", r.cfg.Target)
}
