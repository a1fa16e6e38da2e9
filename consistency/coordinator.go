package consistency

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// Store is the replica in this process, as reads and writes see it.
type Store interface {
	// Replica returns what is known of the shard now: progress, published after
	// it was durable, so that data read afterwards holds it (C2). Only Progress,
	// Origins.Self and Origins.SelfAt are set. Progress is read after SelfAt, so
	// that a position that this store gave is never taken for one it did not.
	Replica(shard feature.Shard) Replica
	// Heads are the last entries here of each origin's log, at or below progress.
	// It is shared.
	Heads(shard feature.Shard) hlc.Vector
	// Closed is up to when the own log is complete in every shard. It may cost
	// more than Replica, and is asked for where it matters.
	Closed() hlc.Timestamp
	// Wait returns nil once the shard's progress covers the vector, or ctx's
	// error.
	Wait(ctx context.Context, shard feature.Shard, v hlc.Vector) error
}

// Config assembles a Coordinator. Store, Self and Now are required.
type Config struct {
	Store Store
	// Self is the store in this process.
	Self meta.Member
	// Peers are the other members; nil: this store is alone.
	Peers Peers
	// Rows reads rows here and at other members; nil: no read asks several.
	Rows Rows
	// Group returns the group of an id; nil, or a nil answer: one that every
	// region holds. It is asked on every read where there are peers.
	Group func(feature.GroupID) *feature.Group
	// Writable returns nil while the store takes writes, else why it does not;
	// nil: it always does.
	Writable func() error
	// Now is the wall clock, in nanoseconds since the Unix epoch.
	Now func() int64
	// MaxAhead is how far ahead of Now a token's positions may be and still be
	// waited for; 0 is DefaultMaxAhead.
	MaxAhead time.Duration
	// Waiters bounds the writes that wait for acknowledgements; 0 is 4096.
	Waiters int
	// Faults are planted by tests.
	Faults fault.Set
}

// DefaultMaxAhead is what clocks may differ by, 500 ms, and the second by which
// a restarted store's clock may begin ahead of the wall (hlc.Config.Window).
const DefaultMaxAhead = 1500 * time.Millisecond

// Coordinator admits reads and writes. It is safe for concurrent use and starts
// no goroutine.
type Coordinator struct {
	cfg   Config
	peers Peers
	// isAlone: nothing of other members needs a look.
	isAlone bool
	// selfOnly is what most writes are told: that this store has them.
	selfOnly []meta.Region
	waiting  atomic.Int64 // writes that wait for acknowledgements
}

// NewCoordinator returns a coordinator, or an error naming what is missing.
func NewCoordinator(cfg Config) (*Coordinator, error) {
	var faults []error
	if cfg.Store == nil {
		faults = append(faults, errors.New("coordinator: Store is missing"))
	}
	if cfg.Now == nil {
		faults = append(faults, errors.New("coordinator: Now is missing"))
	}
	if cfg.Self.Store == "" || cfg.Self.Region == "" {
		faults = append(faults, errors.New("coordinator: Self needs a store and a region"))
	}
	if cfg.MaxAhead < 0 || cfg.Waiters < 0 {
		faults = append(faults, errors.New("coordinator: MaxAhead and Waiters are positive, or 0 for the default"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if cfg.MaxAhead == 0 {
		cfg.MaxAhead = DefaultMaxAhead
	}
	if cfg.Waiters == 0 {
		cfg.Waiters = 4096
	}
	c := &Coordinator{cfg: cfg, peers: cfg.Peers, isAlone: cfg.Peers == nil, selfOnly: []meta.Region{cfg.Self.Region}}
	if c.isAlone {
		self := cfg.Self
		self.Origin = cfg.Store.Replica(feature.Shard{}).Origins.Self
		c.peers = alone(self)
	}
	return c, nil
}

// Membership returns who takes part, as this store knows it. It is never nil.
func (c *Coordinator) Membership() *meta.Membership {
	if m := c.peers.Membership(); m != nil {
		return m
	}
	return nobody
}

// nobody is the membership before any is known: this store is no member then.
var nobody = &meta.Membership{}

// Members returns the members of a shard.
func (c *Coordinator) Members(shard feature.Shard) meta.Members { return c.world().members(shard) }

// world is what is known now.
func (c *Coordinator) world() world {
	return world{
		self: c.cfg.Self, membership: c.Membership(), peers: c.peers, groups: c.cfg.Group,
	}
}

// SafeTime returns up to when nothing of any store is missing here in a shard,
// zero while one of them was never heard of. It may wait for the disk about
// once a second.
func (c *Coordinator) SafeTime(shard feature.Shard) hlc.Timestamp {
	here := c.cfg.Store.Replica(shard)
	return c.world().safeTime(shard, here.Progress, here.Origins.Self, c.cfg.Store.Closed())
}
