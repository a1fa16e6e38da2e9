package replication

import (
	"maps"
	"slices"
	"time"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// Local is what the core reads of its own store, from memory.
type Local interface {
	// Shards are those that stores of a region hold, in order.
	Shards(region meta.Region) []feature.Shard
	// Progress and Heads are those of Store.
	Progress(shard feature.Shard) hlc.Vector
	Heads(shard feature.Shard) hlc.Vector
	// RegistryVersion is that of the definitions in force, Groups are theirs. They
	// are shared.
	RegistryVersion() feature.RegistryVersion
	Groups() []*feature.Group
	// Group returns one of them, nil for an id that is not known.
	Group(id feature.GroupID) *feature.Group
}

// CoreConfig says who a core decides for, and how patiently.
type CoreConfig struct {
	Self  meta.Member
	Local Local
	// Membership is the document that the store kept, nil for a new store. Then
	// a Founder makes the first one, once a store of each region in Founding has
	// told that it has none either; everybody else waits to be told.
	Membership *meta.Membership
	Founder    bool
	Founding   []meta.Region
	// Invited says whether an unknown store may join by itself.
	Invited func(meta.Member) bool
	// Notes are those that the store kept, by shard, of rebuildings.
	Notes map[feature.Shard][]byte
	// Begun is the store's clock when this life began: whatever it gave before
	// lies at or before it. Zero: not known.
	Begun hlc.Timestamp
	// Distinct is how many members an acknowledgement at a group's durability
	// names, out of those that hold a shard; Draw returns a random origin. Both are
	// needed where there are leader groups.
	Distinct func(g *feature.Group, members meta.Members) int
	Draw     func() hlc.Origin
	Timing
	Faults fault.Set
}

// Core decides what one store says and does for replication. It is a state
// machine: Step takes one input and returns what must be done, in order;
// Settle returns what may be done now that all inputs at hand were taken. It
// has no clock, no I/O and no goroutine, and is not safe for concurrent use.
type Core struct {
	cfg        CoreConfig
	now        Instant
	membership *meta.Membership // nil until known
	keeping    *meta.Membership // on its way to the disk
	nextKeep   time.Duration    // when this store may change it by itself again, after the disk took none
	// told is the document that others may rely on: kept and obeyed.
	told meta.Version

	peers     map[meta.StoreID]*peer
	shards    map[feature.Shard]*shard
	order     []feature.Shard // keys of shards, in order
	following map[hlc.Origin]*following
	// facts are how recent each origin's log is, by origin, rising. The map and
	// its slices are replaced, never changed.
	facts map[hlc.Origin][]fact
	// definitions are those that shards are of; adopting says that others are on
	// their way to the disk.
	definitions feature.RegistryVersion
	adopting    bool

	writing struct {
		allowed bool // what the store was told last
		pending bool // not confirmed yet
	}
	fencedClock bool
	clockOff    time.Duration // by how much, while it is fenced
	leading     leading
	index       termIndex
	unfollowed  bool // who is followed may have to change
	tails       map[tailID]*tail
	admissions  map[meta.StoreID]*admission
	retired     bool
	orphaned    []feature.Shard // of these nobody can take the tail over
	outdated    string          // why the directory is not the one that told others; "" when it is
	first       hlc.Timestamp   // the first that closed was in this life
	closed      hlc.Timestamp   // own log, as of the last tick
	nextPing    time.Duration
	nextUpkeep  time.Duration
	nextCollect time.Duration

	counts Counts
	out    []Output
}

// Instant is one moment on two clocks: Wall may step, Mono only rises.
type Instant struct {
	Wall time.Time
	Mono time.Duration
}

// NewCore returns the core of a store that knows nobody yet.
func NewCore(cfg CoreConfig) *Core {
	cfg.Timing = cfg.Timing.WithDefaults()
	c := &Core{
		cfg: cfg, membership: cfg.Membership,
		peers: map[meta.StoreID]*peer{}, shards: map[feature.Shard]*shard{}, following: map[hlc.Origin]*following{},
	}
	for s, note := range cfg.Notes {
		if r, err := decodeRebuild(note); err == nil {
			st := c.shard(s)
			st.rebuild, st.begun = r, true
		}
	}
	c.refreshShards()
	if c.membership != nil {
		c.bind(nil)
	}
	if m := c.membership; m != nil {
		c.told = m.Version()
	}
	return c
}

// Membership returns the document in force here; nil while none is known.
func (c *Core) Membership() *meta.Membership { return c.membership }

func (c *Core) emit(o Output) { c.out = append(c.out, o) }

// take returns what was emitted and starts over.
func (c *Core) take() []Output {
	out := c.out
	c.out = nil
	return out
}

// self returns this store as the membership has it.
func (c *Core) self() meta.Member {
	if c.membership != nil {
		if x, ok := c.membership.Member(c.cfg.Self.Store); ok {
			return x
		}
	}
	x := c.cfg.Self
	x.State = meta.Joining
	return x
}

// isMember reports whether this store takes part under its present origin.
func (c *Core) isMember() bool {
	if c.membership == nil {
		return false
	}
	x, ok := c.membership.Member(c.cfg.Self.Store)
	return ok && x.Origin == c.cfg.Self.Origin && x.State != meta.Removed
}

// isHome reports whether this store changes the membership.
func (c *Core) isHome() bool {
	return c.membership != nil && c.membership.Home == c.cfg.Self.Store && c.isMember()
}

// holds tells who stores a shard.
func (c *Core) holds(s feature.Shard) func(meta.Member) bool {
	return func(x meta.Member) bool { return slices.Contains(c.cfg.Local.Shards(x.Region), s) }
}

// isElsewhere reports whether another member holds a shard, in one of some states.
func (c *Core) isElsewhere(s feature.Shard, in ...meta.State) bool {
	holds := c.holds(s)
	return slices.ContainsFunc(c.membership.Members, func(x meta.Member) bool {
		return x.Store != c.cfg.Self.Store && slices.Contains(in, x.State) && holds(x)
	})
}

// refreshShards follows changes of the definitions.
func (c *Core) refreshShards() {
	version := c.cfg.Local.RegistryVersion()
	if c.definitions == version && len(c.order) > 0 {
		return
	}
	c.definitions = version
	for _, s := range c.cfg.Local.Shards(c.cfg.Self.Region) {
		if c.shards[s] == nil || !slices.Contains(c.order, s) {
			c.shard(s)
			c.order = append(c.order, s)
		}
	}
	slices.SortFunc(c.order, feature.Shard.Compare)
	if c.membership != nil {
		c.readmit()
	}
}

func (c *Core) shard(s feature.Shard) *shard {
	st := c.shards[s]
	if st == nil {
		st = &shard{pending: maps.Clone(c.cfg.Local.Progress(s)), flight: map[hlc.Origin]int{}, handed: hlc.Vector{}, claims: hlc.Vector{}, held: map[hlc.Origin]hlc.Position{}}
		if st.pending == nil {
			st.pending = hlc.Vector{}
		}
		c.shards[s] = st
	}
	return st
}

// isWhole reports whether nothing is being rebuilt here, and the definitions
// that say what is to be held are known.
func (c *Core) isWhole() bool {
	for _, id := range c.order {
		s := c.shards[id]
		if s.rebuild != nil || !s.begun && c.self().State == meta.Joining || c.hasTail(id) {
			return false
		}
	}
	return true
}
