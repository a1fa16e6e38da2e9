package peer

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// MinSecretBytes is the shortest secret that is taken.
const MinSecretBytes = 16

// Config of a Transport. Zero values are the defaults named here.
type Config struct {
	// Secret is shared by the stores of a deployment, of MinSecretBytes at
	// least. It is proved, never sent.
	Secret []byte
	// Listen is the address to listen on, such as "127.0.0.1:9080"; a port of 0
	// is any that is free. Listener is used instead where it is set; the
	// Transport closes it.
	Listen   string
	Listener net.Listener

	// Compress has messages with data of 1 KiB and more compressed, by zstd at
	// its fastest. Both kinds are always read. Where the link is not what limits,
	// it costs a third of the rows per second and saves half of the bytes
	// (BenchmarkInterval): for links between regions that are billed or narrow.
	Compress bool

	// MaxMessageBytes of one message, sent or received, before it is compressed
	// and after; 32 MiB.
	MaxMessageBytes int
	// WindowBytes may be under way to one side of a conversation before the
	// other must wait, 64 KiB at least; 1 MiB. What fits in it is not slowed by
	// round trips: 1 MiB and 100 ms are 10 MiB/s.
	WindowBytes int
	// Strangers are the connections that may be open at one time before their
	// peers have proved the secret; 32.
	Strangers int
	// Pending conversations may wait for Accept at one time; 32.
	Pending int
	// Patience is how long a peer may take to introduce itself, and how long a
	// conversation waits for Accept; 10 s.
	Patience time.Duration
	// KeepaliveEvery is the silence after which the other side is asked whether
	// it is there, at least 1 s, and KeepaliveWait how long it may take to
	// answer; 5 s and 3 s. gRPC has a dialer ask at most every 10 s; bytes that
	// it has sent and that nobody confirms end its connection after
	// KeepaliveWait all the same, where the system can tell (Linux).
	KeepaliveEvery, KeepaliveWait time.Duration

	Logger *slog.Logger // nil is silence
	Meter  metric.Meter // nil is none
}

// Validate tells everything that is wrong with the Config at once.
func (c Config) Validate() error {
	d := c.withDefaults()
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(len(c.Secret) >= MinSecretBytes, "secret has %d bytes, want at least %d", len(c.Secret), MinSecretBytes)
	check(c.Listen != "" || c.Listener != nil, "listen is empty, want an address such as 127.0.0.1:9080")
	check(d.MaxMessageBytes >= 1<<10 && d.MaxMessageBytes <= 1<<30, "max_message_bytes is %d, want 1 KiB to 1 GiB", c.MaxMessageBytes)
	check(d.WindowBytes >= 64<<10 && d.WindowBytes <= 1<<30, "window_bytes is %d, want 64 KiB to 1 GiB", c.WindowBytes)
	check(d.Strangers > 0, "strangers is %d, want at least 1", c.Strangers)
	check(d.Pending > 0, "pending is %d, want at least 1", c.Pending)
	check(d.Patience > 0, "patience is %v, want a time", c.Patience)
	check(d.KeepaliveEvery >= time.Second, "keepalive_every is %v, want at least 1s", c.KeepaliveEvery)
	check(d.KeepaliveWait > 0, "keepalive_wait is %v, want a time", c.KeepaliveWait)
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	c.MaxMessageBytes = cmp.Or(c.MaxMessageBytes, 32<<20)
	c.WindowBytes = cmp.Or(c.WindowBytes, 1<<20)
	c.Strangers = cmp.Or(c.Strangers, 32)
	c.Pending = cmp.Or(c.Pending, 32)
	c.Patience = cmp.Or(c.Patience, 10*time.Second)
	c.KeepaliveEvery = cmp.Or(c.KeepaliveEvery, 5*time.Second)
	c.KeepaliveWait = cmp.Or(c.KeepaliveWait, 3*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Meter == nil {
		c.Meter = noop.Meter{}
	}
	return c
}
