package replication

import "time"

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
	// LogMinAge is how long entries stay that everyone has; 24 h. LogMaxAge and
	// LogMaxBytes are what is kept for a member that is away, by shard; 7 days
	// and 10 GiB. A member that misses what is gone is rebuilt when it is back.
	LogMinAge, LogMaxAge time.Duration
	LogMaxBytes          int64
	// Grace is how much younger than a tombstone everything everywhere must be
	// before it is collected; 24 h.
	Grace time.Duration
	// MaxSkew is by how much clocks of stores may differ; 500 ms. Beyond 0.8 of
	// it a store stops writing.
	MaxSkew time.Duration
}

func (t Timing) withDefaults() Timing {
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
	or(&t.LogMinAge, 24*time.Hour)
	or(&t.LogMaxAge, 7*24*time.Hour)
	or(&t.Grace, 24*time.Hour)
	or(&t.MaxSkew, 500*time.Millisecond)
	if t.LogMaxBytes == 0 {
		t.LogMaxBytes = 10 << 30
	}
	return t
}
