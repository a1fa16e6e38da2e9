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

// peer is another store as the core knows it.
type peer struct {
	id    meta.StoreID
	hello Hello
	// dialed and serving are the conversations that are open: the one that this
	// store began, and the one that the peer began.
	dialed, serving bool
	heard           time.Duration // when it said something last
	ever            bool          // it said something in this life
	// What it told of itself.
	progress     map[feature.Shard]hlc.Vector
	heads        map[feature.Shard]hlc.Vector
	membership   meta.Version
	registry     feature.RegistryVersion
	whole        bool
	statusSeen   bool
	told         map[feature.Shard]hlc.Vector // what it was told
	nextNews     time.Duration                // when it may be told of a newer membership again
	defining     bool                         // definitions are on their way to it
	relogs       map[feature.Shard]bool       // of these, a piece of its tail is being logged again
	nextRegistry time.Duration
	cursors      map[hlc.Origin]map[feature.Shard]*cursor
	// early is what it asked for in shards that are not known here yet.
	early map[hlc.Origin]map[feature.Shard]hlc.Timestamp
	// unreadable are logs that it said it cannot read, and until when that is believed.
	unreadable map[hlc.Origin]time.Duration
	chunks     map[feature.Shard]bool // of these, one is on its way to it
	busy       bool                   // a Serve is under way
	lastRead   LogRead                // the last of the last Serve
	clock      peerClock
	echoes     echoes // of what it was told
	echo       uint64 // the last that it told
	nextFresh  time.Duration
	nextAll    time.Duration // when it is told again what it was told
	promised   time.Duration // when it was promised that it is not deposed
	lease      time.Duration // until when its promise of that counts
	introduced bool          // the home has taken its hello into account
}

func (p *peer) isLive(now, stall time.Duration) bool {
	return p.ever && now-p.heard <= stall
}

// isReached reports whether the peer can be asked something and was heard
// lately: one that stops in order is away at once.
func (p *peer) isReached(now, stall time.Duration) bool { return p.dialed && p.isLive(now, stall) }

func (c *Core) peer(id meta.StoreID) *peer {
	p := c.peers[id]
	if p == nil {
		p = &peer{
			id: id, progress: map[feature.Shard]hlc.Vector{}, heads: map[feature.Shard]hlc.Vector{},
			told: map[feature.Shard]hlc.Vector{}, cursors: map[hlc.Origin]map[feature.Shard]*cursor{}, chunks: map[feature.Shard]bool{},
			relogs: map[feature.Shard]bool{},
		}
		c.peers[id] = p
	}
	return p
}

// opened begins a conversation.
func (c *Core) opened(in Opened) {
	p := c.peer(in.Hello.Member.Store)
	if p.hello.Member.Origin != in.Hello.Member.Origin {
		// Another life: what the one before told holds no more.
		p.progress, p.heads, p.statusSeen = map[feature.Shard]hlc.Vector{}, map[feature.Shard]hlc.Vector{}, false
	}
	p.hello, p.introduced = in.Hello, false
	p.heard, p.ever = c.now.Mono, true
	if in.Serving {
		p.serving, p.echo, p.nextFresh = true, 0, 0
		clear(p.chunks)
		clear(p.cursors)
		clear(p.early)
		return
	}
	p.dialed = true
	c.pingPeer(p)
	clear(p.told)
	clear(p.unreadable)
	p.nextNews, p.nextRegistry = 0, 0
	for o, f := range c.following {
		if f.peer == p.id {
			delete(c.following, o)
		}
	}
}

// ended ends one.
func (c *Core) ended(in Ended) {
	p := c.peers[in.Store]
	if p == nil {
		return
	}
	if in.Serving {
		p.serving = false
		clear(p.cursors)
		clear(p.early)
		return
	}
	p.dialed = false
	for o, f := range c.following {
		if f.peer == p.id {
			delete(c.following, o)
		}
	}
}

// receiveStatus notes what a peer told of itself.
func (c *Core) receiveStatus(p *peer, m Status) {
	for id, v := range m.Progress {
		c.recall(v[c.cfg.Self.Origin])
		if o := c.leading.terms[id].Origin; o != 0 {
			c.recall(v[o])
		}
		p.progress[id] = v
	}
	for id, v := range m.Heads {
		p.heads[id] = v
	}
	p.echo = max(p.echo, m.ID)
	p.membership, p.registry, p.whole, p.statusSeen = m.Membership, m.Registry, m.Whole, true
}

// receiveRegistry takes newer definitions of a member. Those of a store that was
// put out, such as a home that another took over from, do not count any more.
func (c *Core) receiveRegistry(p *peer, m RegistryNews) {
	x, ok := c.membership.Member(p.id)
	if ok && c.isPeer(p) && x.State != meta.Fenced && m.Version.Compare(c.cfg.Local.RegistryVersion()) > 0 && !c.adopting {
		c.adopting = true
		c.emit(AdoptRegistry{Encoded: m.Encoded})
	}
}

// tellStatus tells a peer how far this store has come: of the shards where it
// joined entries, or, every heartbeat, of all that changed.
func (c *Core) tellStatus(p *peer, all bool) {
	progress := map[feature.Shard]hlc.Vector{}
	for _, id := range c.order {
		s := c.shards[id]
		if !all && !s.dirty {
			continue
		}
		v := c.cfg.Local.Progress(id)
		if c.cfg.Faults.Has(fault.AckOnReceipt) {
			v = v.Merge(s.received)
		}
		// Always: else what was told of an own log without entries would be taken
		// back by the next Status that tells of others' entries.
		v = c.withOwnClosed(id, v)
		if known, ok := p.told[id]; !ok || !known.Equal(v) {
			progress[id], p.told[id] = v, v
		}
	}
	if !all && len(progress) == 0 {
		return
	}
	c.emit(Send{To: p.id, Message: Status{
		Progress: progress, Heads: c.endingHeads(), Membership: c.told,
		Registry: c.cfg.Local.RegistryVersion(), Whole: c.isWhole() && c.knowsDefinitions(),
		ID: p.echoes.next(c.now.Mono),
	}})
}

// tellEnded tells a store whose log has ended, and which nobody dials any more,
// what it has to know before it gives anything up: whose definitions are newest.
func (c *Core) tellEnded(p *peer) {
	if c.membership != nil && p.serving && c.hasStopped(p.hello.Member.Origin) {
		c.emit(Send{To: p.id, Serving: true, Message: Status{
			Membership: c.told, Registry: c.cfg.Local.RegistryVersion(), Whole: c.isWhole() && c.knowsDefinitions(),
		}})
	}
}

// withOwnClosed adds to a shard's vector up to when the own log is complete.
func (c *Core) withOwnClosed(id feature.Shard, v hlc.Vector) hlc.Vector {
	own := c.ownLog(id)
	if own == 0 || c.closed <= v[own] {
		return v
	}
	v = v.Clone()
	v[own] = c.closed
	return v
}

// safeTime is up to when nothing is missing in a shard, with this progress.
func (c *Core) safeTime(id feature.Shard, progress hlc.Vector) hlc.Timestamp {
	return c.membership.SafeTime(id, c.isLed(id), progress, c.holds(id))
}

// ownSafeTime is that of this store.
func (c *Core) ownSafeTime(id feature.Shard) hlc.Timestamp {
	return c.safeTime(id, c.withOwnClosed(id, c.cfg.Local.Progress(id)))
}

// endingHeads are the last entries here of origins that leave or are fenced,
// once none of them is on its way; and of those that have ended while a member is
// fenced that may alone have all of one.
func (c *Core) endingHeads() map[feature.Shard]hlc.Vector {
	if c.membership == nil {
		return nil
	}
	var ending []hlc.Origin
	fenced := false
	for _, x := range c.membership.Members {
		if x.State == meta.Leaving || x.State == meta.Fenced {
			ending = append(ending, x.Origin)
		}
		fenced = fenced || x.State == meta.Fenced
	}
	if fenced {
		for _, seal := range c.membership.Seals {
			ending = append(ending, seal.Origin)
		}
	}
	out := headsOf{}
	for _, id := range c.order {
		heads := c.cfg.Local.Heads(id)
		for _, o := range ending {
			out.add(id, o, heads)
		}
		t, led := c.membership.Term(id)
		if !led {
			continue
		}
		if t.State != meta.Open {
			out.add(id, t.Origin, heads)
		}
		if fenced {
			for _, e := range t.Ended {
				out.add(id, e.Origin, heads)
			}
		}
	}
	return out
}

type headsOf map[feature.Shard]hlc.Vector

func (h headsOf) add(id feature.Shard, o hlc.Origin, heads hlc.Vector) {
	if heads[o] == 0 {
		return
	}
	if h[id] == nil {
		h[id] = hlc.Vector{}
	}
	h[id][o] = heads[o]
}

// knowsDefinitions reports whether the definitions here are as new as those of
// every member that was heard of: a store that has none yet holds no shards,
// and would count as whole for that.
func (c *Core) knowsDefinitions() bool {
	if c.membership == nil || c.self().State != meta.Joining {
		return c.membership != nil
	}
	return c.hasDefinitionsOfAll()
}

func (c *Core) hasDefinitionsOfAll() bool {
	heard := false
	for _, p := range c.peers {
		if x, ok := c.membership.Member(p.id); !ok || x.State != meta.Active || !p.statusSeen {
			continue
		}
		heard = true
		if p.registry.Compare(c.cfg.Local.RegistryVersion()) > 0 {
			return false
		}
	}
	return heard
}

// tellNews brings the membership and the definitions to those who hold older
// ones, again now and then until they are heard to have them. Nobody dials a
// store that is no member, or not any more: it is told where it has dialed.
func (c *Core) tellNews() {
	if c.membership == nil {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(c.peers)) {
		p := c.peers[id]
		if !p.dialed && !p.serving {
			continue
		}
		if p.membership.Compare(c.membership.Version()) < 0 && c.now.Mono >= p.nextNews {
			p.nextNews = c.now.Mono + 2*c.cfg.Heartbeat
			c.emit(Send{To: id, Serving: !p.dialed, Message: MembershipNews{Membership: c.membership}})
		}
		if _, ok := c.membership.Member(id); ok && p.statusSeen && !p.defining && p.registry.Compare(c.cfg.Local.RegistryVersion()) < 0 && c.now.Mono >= p.nextRegistry {
			p.nextRegistry = c.now.Mono + 5*c.cfg.Heartbeat
			p.defining = true
			c.emit(SendRegistry{To: id, Serving: !p.dialed})
		}
	}
}
