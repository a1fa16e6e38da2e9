package replication

import "time"

// Defaults of Timing that operators see as settings.
const (
	DefaultLogMinAge   = 24 * time.Hour
	DefaultLogMaxAge   = 7 * 24 * time.Hour
	DefaultLogMaxBytes = 10 << 30
	DefaultGrace       = 24 * time.Hour
	DefaultMaxSkew     = 500 * time.Millisecond
)

// Timing says how often a store speaks, and how long it keeps what. Zero
// fields mean the default.
type Timing struct {
	// Heartbeat is how often an idle log is closed and a status told; 100 ms.
	Heartbeat time.Duration
	// Stall is how long a source may be silent before another one is asked; 5
	// heartbeats.
	Stall time.Duration
	// Ping is how often clocks are compared; 1 s.
	Ping time.Duration
	// Reconnect is the wait before a peer is dialed again; it doubles up to
	// ReconnectMax, and half of it is random; 50 ms and 2 s.
	Reconnect, ReconnectMax time.Duration
	// Upkeep is how often the log is truncated; 1 s. Collect is how often
	// tombstones are collected; 1 min.
	Upkeep, Collect time.Duration
	// Verify is how often rows are compared with other members'; 1 h.
	Verify time.Duration
	// LogMinAge is how long entries stay that everyone has. LogMaxAge and
	// LogMaxBytes are what is kept for a member that is away, by shard. A member
	// that misses what is gone is rebuilt when it is back.
	LogMinAge, LogMaxAge time.Duration
	LogMaxBytes          int64
	// Grace is how much younger than a tombstone everything everywhere must be
	// before it is collected.
	Grace time.Duration
	// Lease is how long a member keeps what it promises a leader with each answer;
	// 2 s. A leader that is away is deposed no sooner.
	Lease time.Duration
	// MaxSkew is by how much clocks of stores may differ. Beyond 0.8 of it a store
	// stops writing.
	MaxSkew time.Duration
}

// WithDefaults returns t with the default in place of every zero.
func (t Timing) WithDefaults() Timing {
	or := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	or(&t.Heartbeat, 100*time.Millisecond)
	or(&t.Stall, 5*t.Heartbeat)
	or(&t.Ping, time.Second)
	or(&t.Reconnect, 50*time.Millisecond)
	or(&t.ReconnectMax, 2*time.Second)
	or(&t.Upkeep, time.Second)
	or(&t.Collect, time.Minute)
	or(&t.Verify, time.Hour)
	or(&t.LogMinAge, DefaultLogMinAge)
	or(&t.LogMaxAge, DefaultLogMaxAge)
	or(&t.Grace, DefaultGrace)
	or(&t.Lease, 2*time.Second)
	or(&t.MaxSkew, DefaultMaxSkew)
	if t.LogMaxBytes == 0 {
		t.LogMaxBytes = DefaultLogMaxBytes
	}
	return t
}
