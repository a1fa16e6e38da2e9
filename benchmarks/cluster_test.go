package benchmarks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/online"
	"featurestore/relay"
	"featurestore/replication"
	"featurestore/replication/peer"
)

// cluster is stores of several regions in this process, with files and gRPC
// streams of their own: what a replica has beneath its edge.
type cluster struct {
	names    []string
	dir      string
	links    *relay.Links // nil: streams go straight from store to store
	relays   map[[2]string]string
	places   map[string]string // where each store's peers reach it
	listener map[string]net.Listener
	stores   []*member
}

// member is one store of a cluster.
type member struct {
	region string
	store  *online.Store
	node   *replication.Node
	bytes  atomic.Int64 // of the connections that its peers opened, both ways
	// disconnect ends replication, as if the store were out of reach.
	disconnect func()
}

// startCluster starts a store in each region and waits until all take part
// under the bench project.
func startCluster(b *testing.B, relayed bool, names ...string) *cluster {
	b.Helper()
	c := prepareCluster(b, relayed, names...)
	for _, name := range names {
		c.start(b, name)
	}
	c.apply(b)
	return c
}

// prepareCluster makes the places of stores and the ways between them.
func prepareCluster(b *testing.B, relayed bool, names ...string) *cluster {
	b.Helper()
	c := &cluster{names: names, dir: b.TempDir(), relays: map[[2]string]string{}, places: map[string]string{}, listener: map[string]net.Listener{}}
	for _, name := range names {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		c.listener[name], c.places[name] = l, l.Addr().String()
	}
	if !relayed {
		return c
	}
	c.links = relay.NewLinks(names...)
	for _, from := range names {
		for _, to := range names {
			if from == to {
				continue
			}
			r, err := relay.New(relay.Config{From: from, To: to, Links: c.links, Listen: "127.0.0.1:0", Target: c.places[to], BufferBytes: 16 << 20})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(run(b, r.Run))
			c.relays[[2]string{from, to}] = r.Addr().String()
		}
	}
	return c
}

// address is where one region reaches another.
func (c *cluster) address(from, to string) string {
	if a, ok := c.relays[[2]string{from, to}]; ok {
		return a
	}
	return c.places[to]
}

// start starts the store of one region and waits until it takes part. The first
// region by name begins the deployment; the others join it by saying hello.
func (c *cluster) start(b *testing.B, name string) *member {
	b.Helper()
	m := &member{region: name}
	var err error
	m.store, err = online.Open(online.Config{Dir: filepath.Join(c.dir, name), Region: name, Store: name + "-1", Deployment: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	stop := run(b, m.store.Run)
	b.Cleanup(func() {
		m.disconnect()
		stop()
		if err := m.store.Close(); err != nil && !errors.Is(err, online.ErrClosed) {
			b.Error(err)
		}
	})
	c.stores = append(c.stores, m)
	c.connect(b, m)
	if err := m.node.Active(b.Context()); err != nil {
		b.Fatal(err)
	}
	return m
}

// connect begins to replicate a store.
func (c *cluster) connect(b *testing.B, m *member) {
	b.Helper()
	name := m.region
	if c.listener[name] == nil {
		l, err := net.Listen("tcp", c.places[name])
		if err != nil {
			b.Fatal(err)
		}
		c.listener[name] = l
	}
	transport, err := peer.New(peer.Config{Secret: []byte("secret of benchmarks"), Listener: &countingListener{Listener: c.listener[name], bytes: &m.bytes}})
	if err != nil {
		b.Fatal(err)
	}
	var seeds []meta.Member
	for _, other := range c.names {
		if other != name {
			seeds = append(seeds, meta.Member{Region: meta.Region(other), Address: c.address(name, other)})
		}
	}
	m.node, err = replication.New(replication.Config{
		Store: m.store, Transport: transport, Deployment: "bench", Incarnation: m.store.Identity().Incarnation,
		Self: meta.Member{
			Store: meta.StoreID(name + "-1"), Region: meta.Region(name), Origin: m.store.Identity().Origin, Address: c.places[name],
		},
		Founder: name == c.names[0], Seeds: seeds, Invited: func(meta.Member) bool { return true },
	})
	if err != nil {
		b.Fatal(err)
	}
	stopNode, stopPeers := run(b, m.node.Run), run(b, transport.Run)
	m.disconnect = sync.OnceFunc(func() {
		stopNode()
		stopPeers()
		c.listener[name] = nil
	})
}

// apply applies the bench project at the first store and waits until all have
// it.
func (c *cluster) apply(b *testing.B) {
	b.Helper()
	definitions, err := definition.Parse("bench.yaml", bytes.NewReader([]byte(benchDefinitions)))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := c.stores[0].store.Apply(b.Context(), definitions, nil); err != nil {
		b.Fatal(err)
	}
	for _, m := range c.stores {
		for m.store.Registry().Revision() < c.stores[0].store.Registry().Revision() {
			if err := c.turn(b.Context(), c.stores[0]); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// turn waits for the next thing that peers tell a store.
func (c *cluster) turn(ctx context.Context, m *member) error {
	select {
	case <-m.node.Changed():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for peers of %s: %w", m.region, ctx.Err())
	}
}

func (c *cluster) view(b *testing.B) *feature.ResolvedView {
	b.Helper()
	catalog, ok := c.stores[0].store.Registry().Catalog("bench")
	if !ok {
		b.Fatal("the bench project is not applied")
	}
	view, _ := catalog.View("driver_stats")
	return view
}

// write appends drivers at one store and returns where they went.
func (m *member) write(ctx context.Context, w online.Write) (online.ShardPosition, error) {
	r, err := m.store.Append(ctx, w)
	if err != nil {
		return online.ShardPosition{}, err
	}
	return r.Positions[len(r.Positions)-1], nil
}

// countingListener counts what is written to the connections that come in. Each
// pair of stores has a connection in either direction, so that what all stores
// write and read together is counted at the one that accepts.
type countingListener struct {
	net.Listener
	bytes *atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countingConn{Conn: c, bytes: l.bytes}, nil
}

type countingConn struct {
	net.Conn
	bytes *atomic.Int64
}

func (c *countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}

func (c *countingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.bytes.Add(int64(n))
	return n, err
}

// percentiles returns the middle and the 99th of a hundred.
func percentiles[T int64 | float64](all []T) (p50, p99 T) {
	slices.Sort(all)
	return all[len(all)/2], all[len(all)*99/100]
}

// vectorOf is what a store has that has a write.
func vectorOf(p online.ShardPosition) hlc.Vector {
	return hlc.Vector{p.Position.Origin: p.Position.At}
}
