package replication

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// instruments are what this room measures. All are read off the node when
// somebody collects: replication does not pay for them.
type instruments struct {
	lag, safeAge, stableAge, pinning metric.Float64ObservableGauge
	roundTrip, clockOffset           metric.Float64ObservableGauge
	logBytes, live, rebuilding       metric.Int64ObservableGauge
	revision, writing                metric.Int64ObservableGauge
	counters                         []metric.Int64ObservableCounter // as counted lists them
}

// counted are the counters, with what each reads.
var counted = []struct {
	name, unit, meaning string
	of                  func(*Counts) uint64
}{
	{"joined.intervals", "{interval}", "stretches of other stores' logs that were joined", func(c *Counts) uint64 { return c.Intervals }},
	{"joined.entries", "{entry}", "entries of other stores' logs that were joined", func(c *Counts) uint64 { return c.Entries }},
	{"gaps", "{interval}", "stretches that came without what lies before them, and were asked for again", func(c *Counts) uint64 { return c.Gaps }},
	{"held", "{entry}", "entries that came before others which they depend on, and were asked for again", func(c *Counts) uint64 { return c.Held }},
	{"truncated", "{answer}", "times that what was asked for was gone from a peer's log already", func(c *Counts) uint64 { return c.Truncated }},
	{"rebuilds", "{shard}", "shards that began to be copied from another store", func(c *Counts) uint64 { return c.Rebuilds }},
	{"salvaged", "{entry}", "entries that evicted stores left and that were logged again here", func(c *Counts) uint64 { return c.Salvaged }},
	{"diverged", "{row}", "rows that differed from another store's when they were compared; there should never be one", func(c *Counts) uint64 { return c.Diverged }},
	{"dead_lettered", "{entry}", "entries that evicted stores left and that were too old to be logged again; they stay in those stores' old data", func(c *Counts) uint64 { return c.Refused }},
}

const instrumentPrefix = "featurestore.replication."

// observe makes the instruments and reads them off the node until the
// registration that it returns ends.
func observe(n *Node, m metric.Meter) (metric.Registration, error) {
	var errs []error
	var all []metric.Observable
	seconds := func(name, meaning string) metric.Float64ObservableGauge {
		g, err := m.Float64ObservableGauge(instrumentPrefix+name, metric.WithUnit("s"), metric.WithDescription(meaning))
		errs, all = append(errs, err), append(all, g)
		return g
	}
	number := func(name, unit, meaning string) metric.Int64ObservableGauge {
		g, err := m.Int64ObservableGauge(instrumentPrefix+name, metric.WithUnit(unit), metric.WithDescription(meaning))
		errs, all = append(errs, err), append(all, g)
		return g
	}
	in := &instruments{
		lag:         seconds("lag", "whatever a peer accepted longer ago than this is here, by peer; none while nothing was heard of it"),
		safeAge:     seconds("safe.age", "age of the last moment of which nothing is missing here, whoever wrote it, by clocks; none while somebody was never heard of"),
		stableAge:   seconds("stable.age", "age of the last moment of which nothing is missing at any member, by clocks; deletes are forgotten the grace after it"),
		pinning:     seconds("pinning.age", "age of the last moment of which nothing is missing at the member that is farthest behind, by peer: it holds truncation and the forgetting of deletes back; none while a member was never heard of"),
		roundTrip:   seconds("peer.round_trip", "time of a question and its answer, by peer"),
		clockOffset: seconds("peer.clock_offset", "the peer's clock minus the one here, by peer"),
		logBytes:    number("log.bytes", "By", "what the logs kept here take"),
		live:        number("peers.live", "{peer}", "other members that are in reach"),
		rebuilding:  number("rebuilding", "{shard}", "shards that are being copied from another store"),
		revision:    number("membership.revision", "{revision}", "revision of the membership in force; stores that differ for long do not hear of each other"),
		writing:     number("writing", "1", "1 while writes of clients are taken, else 0"),
	}
	for _, c := range counted {
		counter, err := m.Int64ObservableCounter(instrumentPrefix+c.name, metric.WithUnit(c.unit), metric.WithDescription(c.meaning))
		errs, all = append(errs, err), append(all, counter)
		in.counters = append(in.counters, counter)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		n.collect(in, o)
		return nil
	}, all...)
}

// collect reads the instruments.
func (n *Node) collect(in *instruments, o metric.Observer) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	c, now := n.mu.core, n.instant()
	for i, counter := range in.counters {
		o.ObserveInt64(counter, int64(counted[i].of(&c.counts)))
	}
	writing := int64(0)
	if n.writing.Load() {
		writing = 1
	}
	o.ObserveInt64(in.writing, writing)
	if c.membership == nil {
		return
	}
	o.ObserveInt64(in.revision, int64(c.membership.Revision))
	var logBytes, rebuilding int64
	for _, id := range c.order {
		logBytes += n.cfg.Store.LogBytes(id)
		if c.shards[id].rebuild != nil {
			rebuilding++
		}
	}
	o.ObserveInt64(in.logBytes, logBytes)
	o.ObserveInt64(in.rebuilding, rebuilding)
	live := int64(0)
	for id, p := range c.peers {
		if x, ok := c.membership.Member(id); !ok || x.State == meta.Removed {
			continue
		}
		if p.isReached(now.Mono, n.cfg.Stall) {
			live++
		}
		if p.clock.measured {
			o.ObserveFloat64(in.roundTrip, p.clock.roundTrip.Seconds(), byPeer(id))
			o.ObserveFloat64(in.clockOffset, p.clock.offset.Seconds(), byPeer(id))
		}
		if ago, ok := c.lagOf(c.origin(id), now.Mono); ok {
			o.ObserveFloat64(in.lag, ago.Seconds(), byPeer(id))
		}
	}
	o.ObserveInt64(in.live, live)
	age := func(at hlc.Timestamp) float64 {
		return max(0, now.Wall.Sub(time.UnixMilli(at.Millis())).Seconds())
	}
	if at := c.safe(); at > 0 {
		o.ObserveFloat64(in.safeAge, age(at))
	}
	if at, store := c.pinned(); at > 0 {
		o.ObserveFloat64(in.stableAge, age(at))
		if store != c.cfg.Self.Store {
			o.ObserveFloat64(in.pinning, age(at), byPeer(store))
		}
	}
}

// byPeer is the attribute of what concerns one peer. Peers are members, so
// there are few.
func byPeer(id meta.StoreID) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String("peer", string(id))))
}

// origin is that of a member, zero when it has none.
func (c *Core) origin(id meta.StoreID) hlc.Origin {
	x, _ := c.membership.Member(id)
	return x.Origin
}

// lagOf is for how long everything that was accepted in an origin's log longer
// ago is here, in the shard that is farthest behind.
func (c *Core) lagOf(o hlc.Origin, now time.Duration) (lag time.Duration, ok bool) {
	for _, id := range c.order {
		since, known := asOf(c.facts[o], c.cfg.Local.Progress(id)[o])
		if !known {
			return 0, false
		}
		lag, ok = max(lag, now-since), true
	}
	return lag, ok
}

// safe is up to when nothing is missing here in any shard, zero when that is
// not known.
func (c *Core) safe() hlc.Timestamp {
	at, _ := c.least(func(id feature.Shard) (hlc.Timestamp, meta.StoreID) {
		return c.ownSafeTime(id), ""
	})
	return at
}

// pinned is up to when nothing is missing at any member in any shard, and which
// member it is that has no more; zero, with that member, when that is not known.
func (c *Core) pinned() (hlc.Timestamp, meta.StoreID) {
	return c.least(c.stableAt)
}

// least is the least of what all shards have.
func (c *Core) least(of func(feature.Shard) (hlc.Timestamp, meta.StoreID)) (at hlc.Timestamp, by meta.StoreID) {
	for i, id := range c.order {
		if x, store := of(id); i == 0 || x < at {
			at, by = x, store
		}
	}
	return at, by
}
