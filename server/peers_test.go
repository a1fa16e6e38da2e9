package server

import (
	"context"
	"errors"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/online"
)

// peers is what a house knows of the others, as a test says.
type peers struct {
	mu struct {
		sync.Mutex
		membership *meta.Membership
		changed    chan struct{}
	}
	// acked says how far a store is.
	acked func(meta.StoreID, feature.Shard) hlc.Vector
	// far are those out of reach.
	far map[meta.StoreID]bool
	// stores are those whose rows can be asked for.
	stores map[meta.StoreID]*online.Store
}

// silent is what stores told that have told nothing.
func silent(meta.StoreID, feature.Shard) hlc.Vector { return nil }

// newPeers returns a deployment of eu-1, the home, and us-1.
func newPeers(acked func(meta.StoreID, feature.Shard) hlc.Vector) *peers {
	p := &peers{acked: acked, far: map[meta.StoreID]bool{}, stores: map[meta.StoreID]*online.Store{}}
	p.mu.changed = make(chan struct{})
	p.mu.membership = &meta.Membership{Epoch: 1, Revision: 3, Home: "eu-1", Members: meta.Members{
		{Store: "eu-1", Region: "eu", State: meta.Active}, {Store: "us-1", Region: "us", State: meta.Active},
	}}
	return p
}

// change edits a copy of the membership.
func (p *peers) change(edit func(*meta.Membership)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := *p.mu.membership
	m.Members = append(meta.Members(nil), m.Members...)
	edit(&m)
	m.Revision++
	p.mu.membership = &m
}

// put replaces a member, or adds it.
func (p *peers) put(x meta.Member) {
	p.change(func(m *meta.Membership) {
		for i := range m.Members {
			if m.Members[i].Store == x.Store {
				m.Members[i] = x
				return
			}
		}
		m.Members = append(m.Members, x)
	})
}

// told says that what stores have told has changed.
func (p *peers) told() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.mu.changed)
	p.mu.changed = make(chan struct{})
}

func (p *peers) Membership() *meta.Membership {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.membership
}

func (p *peers) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.changed
}

func (p *peers) Acked(store meta.StoreID, shard feature.Shard) hlc.Vector {
	return p.acked(store, shard)
}

// Reach: the nearer, the sooner in the alphabet.
func (p *peers) Reach(store meta.StoreID) (time.Duration, bool) {
	return time.Duration(store[0]) * time.Millisecond, !p.far[store]
}

func (p *peers) IsWhole(feature.Shard) bool               { return true }
func (p *peers) Leads(feature.Shard) (hlc.Position, bool) { return hlc.Position{}, false }
func (p *peers) HasLease(feature.Shard) bool              { return false }

// AsOf: what is stamped was accepted 7 ms before, by the clock at noon.
func (p *peers) AsOf(_ hlc.Origin, at hlc.Timestamp) (time.Duration, bool) {
	return max(0, noon.Sub(at.Time())) + 7*time.Millisecond, at > 0
}

// otherRows are those of a store, and of others that can be reached.
type otherRows struct {
	*peers
	self meta.StoreID
}

func (r otherRows) ReadRows(ctx context.Context, keys []feature.RowKey) (map[feature.Shard]hlc.Vector, [][]byte, error) {
	return r.read(ctx, r.self, keys)
}

func (r otherRows) AskLeader(ctx context.Context, store meta.StoreID, keys []feature.RowKey, answer func(map[feature.Shard]hlc.Vector, [][]byte, error)) {
	r.AskRows(ctx, store, keys, answer)
}

func (r otherRows) AskRows(ctx context.Context, store meta.StoreID, keys []feature.RowKey, answer func(map[feature.Shard]hlc.Vector, [][]byte, error)) {
	if r.far[store] {
		answer(nil, nil, errors.New("it is not in reach"))
		return
	}
	go func() { answer(r.read(ctx, store, keys)) }()
}

func (r otherRows) read(ctx context.Context, store meta.StoreID, keys []feature.RowKey) (map[feature.Shard]hlc.Vector, [][]byte, error) {
	progress := map[feature.Shard]hlc.Vector{}
	for _, k := range keys {
		progress[k.Shard] = r.stores[store].Progress(k.Shard)
	}
	found, err := r.stores[store].ReadRows(ctx, keys, 1<<20)
	return progress, found, err
}

// withPeers gives a house others.
func withPeers(p *peers) func(*Config) {
	return func(c *Config) {
		var err error
		c.Coordinator, err = consistency.NewCoordinator(consistency.Config{
			Store: consistency.OwnStore{Log: c.Online}, Self: meta.Member{Store: meta.StoreID(c.Store), Region: meta.Region(c.Region)}, Peers: p,
			Rows:  otherRows{p, meta.StoreID(c.Store)},
			Group: func(id feature.GroupID) *feature.Group { return c.Online.Registry().Group(id) },
			Now:   func() int64 { return noon.UnixNano() },
		})
		if err != nil {
			panic(err)
		}
		p.stores[meta.StoreID(c.Store)] = c.Online
	}
}

// pair is two stores that know of each other; nothing is replicated between
// them but what a test carries over.
type pair struct {
	eu, us *house
	peers  *peers
}

// newPair starts two houses, of which us-1 can be reached over HTTP. What each
// has told is what it has.
func newPair(t testing.TB, change ...func(*Config)) *pair {
	t.Helper()
	x := &pair{}
	x.peers = newPeers(func(store meta.StoreID, shard feature.Shard) hlc.Vector {
		if store == "us-1" {
			return x.us.store.Progress(shard)
		}
		return x.eu.store.Progress(shard)
	})
	x.us = houseOf(t, openStoreOf(t, "us", t.TempDir(), -1), withPeers(x.peers))
	there := httptest.NewServer(x.us.server.Handler())
	t.Cleanup(there.Close)
	x.eu = houseOf(t, openStoreOf(t, "eu", t.TempDir(), -1), append([]func(*Config){withPeers(x.peers)}, change...)...)
	x.peers.put(meta.Member{Store: "eu-1", Region: "eu", State: meta.Active, Origin: x.eu.store.Identity().Origin, URL: "http://127.0.0.1:1"})
	x.peers.put(meta.Member{Store: "us-1", Region: "us", State: meta.Active, Origin: x.us.store.Identity().Origin, URL: there.URL})
	return x
}
