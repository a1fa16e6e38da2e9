package consistency

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// cluster is three regions with a store each, of which a test says how far
// they are. It is the Peers and the Store of eu-1 at once.
type cluster struct {
	mu struct {
		sync.Mutex
		membership *meta.Membership
		// acked has one vector a store, for every shard; that of eu-1 is the
		// progress here.
		acked   map[meta.StoreID]hlc.Vector
		changed chan struct{}
	}
	trips   map[meta.StoreID]time.Duration // absent: not live
	ahead   map[meta.StoreID]time.Duration
	groups  map[feature.GroupID]*feature.Group
	closed  hlc.Timestamp
	copying bool // rows here hold more than the logs
	leads   map[feature.Shard]hlc.Position
	lease   bool
	now     func() int64
}

var euStore = meta.Member{Store: "eu-1", Region: "eu", State: meta.Active, Origin: 1, URL: "http://eu"}

func newCluster() *cluster {
	c := &cluster{
		trips: map[meta.StoreID]time.Duration{"us-1": 80 * time.Millisecond, "ap-1": 160 * time.Millisecond},
		ahead: map[meta.StoreID]time.Duration{},
		now:   func() int64 { return time.Now().UnixNano() },
		groups: map[feature.GroupID]*feature.Group{
			1: {ID: 1, Name: "default"},
			2: {ID: 2, Name: "us_only", Regions: []string{"us"}},
			3: {ID: 3, Name: "west", Regions: []string{"eu", "us"}},
		},
	}
	c.mu.membership = &meta.Membership{Epoch: 1, Revision: 7, Home: "eu-1", Members: meta.Members{
		{Store: "ap-1", Region: "ap", State: meta.Active, Origin: 3, URL: "http://ap"}, euStore,
		{Store: "us-1", Region: "us", State: meta.Active, Origin: 2, URL: "http://us"},
	}}
	c.mu.acked = map[meta.StoreID]hlc.Vector{"eu-1": {}, "us-1": {}, "ap-1": {}}
	c.mu.changed = make(chan struct{})
	return c
}

// tell says how far a store is, for all to hear.
func (c *cluster) tell(store meta.StoreID, v hlc.Vector) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.acked[store] = v
	close(c.mu.changed)
	c.mu.changed = make(chan struct{})
}

// change edits a copy of the membership.
func (c *cluster) change(edit func(*meta.Membership)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := *c.mu.membership
	m.Members, m.Seals = slices.Clone(m.Members), slices.Clone(m.Seals)
	edit(&m)
	m.Revision++
	c.mu.membership = &m
}

// setState changes one member.
func (c *cluster) setState(store meta.StoreID, s meta.State) {
	c.change(func(m *meta.Membership) {
		for i := range m.Members {
			if m.Members[i].Store == store {
				m.Members[i].State = s
			}
		}
	})
}

func (c *cluster) Membership() *meta.Membership {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.membership
}

func (c *cluster) Acked(store meta.StoreID, _ feature.Shard) hlc.Vector {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.acked[store]
}

func (c *cluster) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.changed
}

func (c *cluster) Reach(store meta.StoreID) (time.Duration, bool) {
	trip, live := c.trips[store]
	return trip, live
}

// AsOf is what a store would know whose clock is that of the test: an origin
// stamps by a clock that is ahead by so much.
func (c *cluster) IsWhole(feature.Shard) bool { return !c.copying }

func (c *cluster) Leads(s feature.Shard) (hlc.Position, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leads[s], c.leads[s].Origin != 0
}

func (c *cluster) HasLease(feature.Shard) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lease
}

// lead says what eu-1 leads from now on, and whether it is certain of it.
func (c *cluster) lead(leads map[feature.Shard]hlc.Position, lease bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leads, c.lease = leads, lease
}

func (c *cluster) AsOf(o hlc.Origin, at hlc.Timestamp) (time.Duration, bool) {
	x, _ := c.Membership().ByOrigin(o)
	if at == 0 {
		return 0, false
	}
	return max(0, time.Duration(c.now()-at.Millis()*int64(time.Millisecond))) + c.ahead[x.Store], true
}

func (c *cluster) Replica(s feature.Shard) Replica {
	progress := c.Acked("eu-1", s)
	return Replica{Progress: progress, Origins: Origins{Self: 1, SelfAt: max(progress[1], c.closed)}}
}

// Heads: every position that eu was told of names an entry.
func (c *cluster) Heads(s feature.Shard) hlc.Vector { return c.Acked("eu-1", s) }

func (c *cluster) Closed() hlc.Timestamp { return c.closed }

func (c *cluster) Wait(ctx context.Context, s feature.Shard, v hlc.Vector) error {
	for {
		changed := c.Changed()
		if c.Acked("eu-1", s).Covers(v) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// world is what a decision at eu-1 is made from at a moment.
func (c *cluster) world(now int64) world {
	c.now = func() int64 { return now }
	return world{self: euStore, membership: c.Membership(), peers: c, groups: c.group}
}

func (c *cluster) group(id feature.GroupID) *feature.Group { return c.groups[id] }

// coordinator is that of eu-1.
func (c *cluster) coordinator(t testing.TB, change ...func(*Config)) *Coordinator {
	t.Helper()
	cfg := Config{
		Store: c, Self: euStore, Peers: c, Group: c.group, Now: func() int64 { return time.Now().UnixNano() },
	}
	for _, f := range change {
		f(&cfg)
	}
	out, err := NewCoordinator(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// all is the same time for several origins.
func all(at hlc.Timestamp, origins ...hlc.Origin) hlc.Vector {
	v := hlc.Vector{}
	for _, o := range origins {
		v[o] = at
	}
	return v
}

// session is a read at one level with a token of one position.
func session(ps ...hlc.Position) *Read {
	r := &Read{Alternatives: []Alternative{{Level: Session}}, Fallback: DefaultFallback}
	for _, p := range ps {
		r.Token.Note(shard, p)
	}
	return r
}

// stamp is a number of milliseconds, as a timestamp.
func stamp(ms int64) hlc.Timestamp { return hlc.New(ms, 0) }
