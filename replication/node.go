package replication

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// Config says what a Node replicates and with whom. Store, Transport, Self and
// Deployment are required.
type Config struct {
	Store     Store
	Transport Transport
	// Self is this store; its Origin is that of Store. Address and URL are told
	// to others.
	Self        meta.Member
	Deployment  string
	Incarnation uint32
	// Founder makes the first membership when the store has none, and a store of
	// each region in Founding has told that it has none either.
	Founder  bool
	Founding []meta.Region
	// Seeds are members to dial that no membership names yet, and the addresses
	// to use for a region instead of those that its members tell.
	Seeds []meta.Member
	// Invited says whether a store that is no member may become one by saying
	// hello; nil: only those that an operator adds.
	Invited func(meta.Member) bool

	Timing
	// FlightBytes bounds entries that were received and are not joined yet;
	// 16 MiB. ReadBytes is the size of what is sent at once; 256 KiB.
	FlightBytes int64
	ReadBytes   int
	// ChunkBytes is the size of a chunk of rows; 512 KiB.
	ChunkBytes int

	Logger *slog.Logger // nil is silence
	Meter  metric.Meter // nil is none
	// Distinct is how many members an acknowledgement at a group's durability
	// names, out of those that hold a shard; nil: the one that accepts. It decides
	// about leader groups, as does Draw, which returns a random origin; nil: from
	// the system's randomness.
	Distinct func(g *feature.Group, members meta.Members) int
	Draw     func() hlc.Origin
	// Stands returns nil when what is readable here of a shard may be told at level
	// leader; nil: nothing is.
	Stands func(feature.Shard) error
	// Faults are planted by tests of the checkers.
	Faults fault.Set
}

func (c Config) withDefaults() Config {
	c.Timing = c.Timing.WithDefaults()
	if c.FlightBytes == 0 {
		c.FlightBytes = 16 << 20
	}
	if c.ReadBytes == 0 {
		c.ReadBytes = 256 << 10
	}
	if c.ChunkBytes == 0 {
		c.ChunkBytes = 512 << 10
	}
	if c.Distinct == nil {
		c.Distinct = func(*feature.Group, meta.Members) int { return 1 }
	}
	if c.Draw == nil {
		c.Draw = func() hlc.Origin { return hlc.Origin(rand.Uint32()) }
	}
	if c.Meter == nil {
		c.Meter = noop.Meter{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate returns every fault of c, joined.
func (c Config) Validate() error {
	var faults []error
	fault := func(bad bool, text string) {
		if bad {
			faults = append(faults, errors.New("replication: "+text))
		}
	}
	fault(c.Store == nil, "Store is nil")
	fault(c.Transport == nil, "Transport is nil")
	fault(c.Self.Store == "" || c.Self.Region == "", "Self needs a store and a region")
	fault(c.Self.Origin == 0, "Self needs the origin of its store")
	fault(c.Deployment == "", "Deployment is empty: stores that replicate share one")
	return errors.Join(faults...)
}

// Errors that end a Node. What the store holds counts no more.
var (
	// ErrRetired reports that this store was evicted. It may begin anew with an
	// empty directory, and copy everything from the others.
	ErrRetired = errors.New("this store was evicted from its deployment")
	// ErrDrained reports that this store left in order: the others have all that
	// it had.
	ErrDrained = errors.New("this store has left its deployment, and others have all that it had")
)

// Node replicates one store. Its methods are safe for concurrent use.
type Node struct {
	cfg      Config
	began    time.Time
	inbox    inbox
	flight   *semaphore.Weighted
	tasks    *taskQueue // what must be done, in order
	upkeep   *taskQueue // what may be left out
	links    links
	observed metric.Registration
	wg       sync.WaitGroup

	kept *meta.Membership // on disk; tasks own it

	membership atomic.Pointer[meta.Membership]
	facts      atomic.Pointer[map[hlc.Origin][]fact]
	leading    atomic.Pointer[map[feature.Shard]hlc.Position]
	writing    atomic.Bool           // clients' writes are taken
	refusal    atomic.Pointer[error] // why they are not, of the last tick

	mu struct {
		sync.RWMutex
		core    *Core
		changed chan struct{} // closed when anything that peers told changes
		kept    chan struct{} // closed when another membership is in force
		writing chan struct{} // closed when writes are taken, or not any more
		audits  map[auditKey]chan Audited
	}
	asks  rowAsks
	ended chan error // why the node ends by itself
}

// New returns a node that does nothing until Run.
func New(cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	n := &Node{cfg: cfg, began: time.Now(), ended: make(chan error, 1), flight: semaphore.NewWeighted(cfg.FlightBytes), tasks: newTaskQueue(), upkeep: newTaskQueue()}
	n.inbox.wake = make(chan struct{}, 1)
	n.inbox.room = semaphore.NewWeighted(maxInbox)
	n.links.node = n
	n.links.mu.dialed, n.links.mu.serving = map[meta.StoreID]*link{}, map[meta.StoreID]*link{}
	n.links.mu.dialing = map[string]dialing{}
	var m *meta.Membership
	if encoded := cfg.Store.Membership(); encoded != nil {
		var err error
		if m, err = meta.DecodeMembership(encoded); err != nil {
			return nil, fmt.Errorf("membership kept by the store: %w", err)
		}
	}
	notes := map[feature.Shard][]byte{}
	for _, s := range (localStore{cfg.Store}).Shards(cfg.Self.Region) {
		if note := cfg.Store.Note(s); note != nil {
			notes[s] = note
		}
	}
	n.mu.changed, n.mu.kept, n.mu.writing = make(chan struct{}), make(chan struct{}), make(chan struct{})
	n.mu.audits = map[auditKey]chan Audited{}
	n.asks.waiting = map[uint64]*rowAsk{}
	n.kept = m
	n.mu.core = NewCore(CoreConfig{
		Self: cfg.Self, Local: localStore{cfg.Store}, Membership: m, Founder: cfg.Founder, Founding: cfg.Founding, Invited: cfg.Invited,
		Distinct: cfg.Distinct, Draw: cfg.Draw, Notes: notes, Begun: cfg.Store.Clock().Last(), Timing: cfg.Timing, Faults: cfg.Faults,
	})
	if m == nil {
		m = &meta.Membership{}
	}
	n.membership.Store(m)
	cfg.Store.SetLine(lineOf(cfg.Self.Store, m))
	why := n.mu.core.refusal()
	n.refusal.Store(&why)
	var err error
	if n.observed, err = observe(n, cfg.Meter); err != nil {
		return nil, fmt.Errorf("instruments of replication: %w", err)
	}
	return n, nil
}

// Run replicates until ctx ends, and returns nil then. It returns ErrRetired or
// ErrDrained when the store was removed from its deployment.
func (n *Node) Run(ctx context.Context) error { return ofRun(ctx, n.run(ctx)) }

// ofRun is what Run returns. Once its ctx has ended, what is beneath stops too, in
// any order: the transport may say so before the node has noticed.
func ofRun(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, ErrRetired) && !errors.Is(err, ErrDrained) {
		return nil
	}
	return err
}

func (n *Node) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Nothing is written before the membership allows it.
	if err := n.cfg.Store.SetWriting(ctx, false); err != nil && ctx.Err() == nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return n.tasks.run(ctx) })
	group.Go(func() error { return n.upkeep.run(ctx) })
	group.Go(func() error { return n.accept(ctx) })
	group.Go(func() error { return n.work(ctx) })
	group.Go(func() error { return n.watch(ctx) })
	err := group.Wait()
	n.links.closeAll()
	n.wg.Wait()
	_ = n.observed.Unregister() // it never fails
	return err
}

// work is the loop that owns the core's time.
func (n *Node) work(ctx context.Context) error {
	tick := time.NewTicker(n.cfg.Heartbeat)
	defer tick.Stop()
	n.tick(ctx)
	n.settle(ctx)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-n.ended:
			return err
		case <-tick.C:
			n.tick(ctx)
		case <-n.inbox.wake:
		case <-n.cfg.Store.Changed():
		}
		events := n.inbox.take()
		if slices.ContainsFunc(events, event.isStatus) {
			// Answered by up to where the log is complete now that they are here.
			n.step(ctx, event{input: Closing{Closed: n.closed()}})
		}
		for _, e := range events {
			n.step(ctx, e)
		}
		n.settle(ctx)
	}
}

// settle does what may be done now.
func (n *Node) settle(ctx context.Context) {
	n.mu.Lock()
	out := n.mu.core.Settle(n.instant())
	if l := &n.mu.core.leading; l.changed {
		l.changed = false
		open := l.open
		n.leading.Store(&open)
		close(n.mu.changed)
		n.mu.changed = make(chan struct{})
	}
	n.mu.Unlock()
	n.do(ctx, out, 0)
}

func (n *Node) instant() Instant {
	return Instant{Wall: n.cfg.Store.Now(), Mono: time.Since(n.began)}
}

// closed is up to where the own log is complete.
func (n *Node) closed() hlc.Timestamp {
	closed, err := n.cfg.Store.Closed()
	if err != nil {
		n.cfg.Logger.Debug("the log is not closed", "error", err)
	}
	return closed
}

func (n *Node) tick(ctx context.Context) {
	n.step(ctx, event{input: Tick{Closed: n.closed()}})
	n.links.dialMembers(ctx)
}

// step gives one event to the core and does what it says.
func (n *Node) step(ctx context.Context, e event) {
	n.mu.Lock()
	out := n.mu.core.Step(n.instant(), e.input)
	n.note(e.input)
	n.mu.Unlock()
	n.do(ctx, out, e.bytes)
	if e.charged {
		n.inbox.room.Release(1)
	}
}

// note publishes what others look at. It is called with the lock held.
func (n *Node) note(in Input) {
	switch in := in.(type) {
	case Tick:
		facts := n.mu.core.facts
		n.facts.Store(&facts)
		why := n.mu.core.refusal()
		n.refusal.Store(&why)
	case Received:
		switch m := in.Message.(type) {
		case Status:
			close(n.mu.changed)
			n.mu.changed = make(chan struct{})
		case Fresh:
			facts := n.mu.core.facts
			n.facts.Store(&facts)
		case Audited:
			if answer := n.mu.audits[auditKey{in.From, m.Audit}]; answer != nil {
				select {
				case answer <- m:
				default: // told twice
				}
			}
		}
	case WritingSet:
		why := n.mu.core.refusal()
		n.refusal.Store(&why)
		close(n.mu.writing)
		n.mu.writing = make(chan struct{})
	case Kept:
		if m := n.mu.core.Membership(); m != n.membership.Load() {
			if why := deposed(n.cfg.Self.Store, n.membership.Load(), m); why != "" {
				n.cfg.Logger.Warn(why, "home", m.Home, "epoch", m.Epoch, "last_revision", n.membership.Load().Revision)
			}
			n.membership.Store(m)
			n.cfg.Store.SetLine(lineOf(n.cfg.Self.Store, m))
			close(n.mu.kept)
			n.mu.kept = make(chan struct{})
			close(n.mu.changed)
			n.mu.changed = make(chan struct{})
			n.cfg.Logger.Info("membership", "epoch", m.Epoch, "revision", m.Revision, "home", m.Home)
		}
	}
}

// offer puts an input into the inbox.
func (n *Node) offer(in Input) { n.inbox.push(event{input: in}) }
