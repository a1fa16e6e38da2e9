package simulation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"featurestore/consistency"
	"featurestore/fault"
	"featurestore/feature"
	"featurestore/meta"
	"featurestore/online"
	"featurestore/replication"
)

// Config says what a cluster is made of.
type Config struct {
	// Dir holds the stores' directories.
	Dir string
	// Regions have one store each, called REGION-1.
	Regions []meta.Region
	// Definitions are applied at the first region's store.
	Definitions feature.Definitions
	Seed        uint64
	Timing      replication.Timing
	Faults      fault.Set
	Logger      *slog.Logger
}

// Cluster is a deployment in virtual time. Its methods are safe for concurrent
// use, but starting and stopping one store is the business of one goroutine.
type Cluster struct {
	cfg     Config
	Network *Network
	ledger  *ledger
	mu      struct {
		sync.Mutex
		replicas map[meta.Region]*Replica
	}
}

// Replica is one running store.
type Replica struct {
	Region      meta.Region
	Store       *online.Store
	Node        *replication.Node
	Coordinator *consistency.Coordinator
	dir         string
	skew        *skew
	cancel      context.CancelFunc
	done        chan struct{}
	err         error // of Run, once done
}

// skew is how far a store's clock is off.
type skew struct {
	mu struct {
		sync.Mutex
		by time.Duration
	}
}

func (s *skew) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.mu.by)
}

func (s *skew) set(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.by = by
}

// NewCluster starts a store in every region and applies the definitions.
func NewCluster(ctx context.Context, cfg Config) (*Cluster, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Cluster{cfg: cfg, Network: NewNetwork(cfg.Seed), ledger: newLedger()}
	c.mu.replicas = map[meta.Region]*Replica{}
	for _, r := range cfg.Regions {
		if err := c.Start(ctx, r); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	if len(cfg.Definitions.Views) > 0 {
		if err := c.settleMembers(ctx); err != nil {
			return nil, errors.Join(err, c.Close())
		}
		if _, err := c.Replica(cfg.Regions[0]).Store.Apply(ctx, cfg.Definitions, nil); err != nil {
			return nil, errors.Join(err, c.Close())
		}
		if err := c.settleDefinitions(ctx); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	if err := c.settleLogs(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, sleep(ctx, 500*time.Millisecond)
}

// settleMembers waits until every store is active.
func (c *Cluster) settleMembers(ctx context.Context) error {
	return c.until(ctx, "every store is active", func() bool {
		for _, r := range c.running() {
			x, ok := r.Node.Membership().Member(storeOf(r.Region))
			if !ok || x.State != meta.Active || r.Node.NotWriting() != "" {
				return false
			}
		}
		return true
	})
}

func (c *Cluster) settleDefinitions(ctx context.Context) error {
	return c.until(ctx, "every store has the definitions", func() bool {
		for _, r := range c.running() {
			if r.Store.Registry().Revision() == 0 {
				return false
			}
		}
		return true
	})
}

// settleLogs waits until every store follows the logs of all others in the
// shards that the definitions brought.
func (c *Cluster) settleLogs(ctx context.Context) error {
	return c.until(ctx, "every store has heard of every log", func() bool {
		for _, r := range c.running() {
			for _, other := range c.running() {
				for _, shard := range other.Store.Shards(other.Region) {
					if r.Store.IsLed(shard.Group) {
						if t, led := r.Node.Membership().Term(shard); !led || r.Store.Progress(shard)[t.Origin] == 0 {
							return false
						}
						continue
					}
					if other != r && slices.Contains(r.Store.Shards(r.Region), shard) && r.Store.Progress(shard)[other.Store.Identity().Origin] == 0 {
						return false
					}
				}
			}
		}
		return true
	})
}

// until waits for something that must come by itself within two minutes.
func (c *Cluster) until(ctx context.Context, what string, holds func() bool) error {
	for range 6000 {
		if holds() {
			return nil
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("two minutes passed and not %s", what)
}

func storeOf(r meta.Region) meta.StoreID { return meta.StoreID(r) + "-1" }

// Replica returns the store that runs in a region, nil when none does.
func (c *Cluster) Replica(r meta.Region) *Replica {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.replicas[r]
}

// running returns the stores that run, by region.
func (c *Cluster) running() []*Replica {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*Replica
	for _, r := range c.mu.replicas {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *Replica) int {
		if a.Region < b.Region {
			return -1
		}
		return 1
	})
	return out
}

// Start starts the store of a region, which does not run, from its directory.
func (c *Cluster) Start(ctx context.Context, region meta.Region) error {
	return c.start(ctx, region, 0)
}

func (c *Cluster) start(ctx context.Context, region meta.Region, off time.Duration) error {
	r := &Replica{Region: region, dir: c.dir(region), skew: &skew{}, done: make(chan struct{})}
	r.skew.set(off)
	var err error
	r.Store, err = online.Open(online.Config{
		Dir: r.dir, Store: string(storeOf(region)), Region: string(region), Deployment: "simulation",
		HotBytes: 64 << 10, IndexBytes: 1 << 20, MinFreeBytes: -1, CloseTimeout: time.Hour,
		Wall: r.skew.now, Faults: c.cfg.Faults, Logger: c.cfg.Logger.With("store", storeOf(region)),
	})
	if err != nil {
		return err
	}
	self := meta.Member{Store: storeOf(region), Region: region, Origin: r.Store.Identity().Origin, Address: string(region), URL: "http://" + string(region)}
	r.Node, err = replication.New(replication.Config{
		Store: c.ledger.record(r.Store), Transport: c.Network.Endpoint(region, string(region)), Self: self, Deployment: "simulation",
		Founder: region == c.cfg.Regions[0], Founding: c.others(region), Seeds: c.seeds(region), Invited: func(x meta.Member) bool { return slices.Contains(c.cfg.Regions, x.Region) },
		Distinct: consistency.Distinct, Stands: func(shard feature.Shard) error { return r.Coordinator.Stands(shard) }, Timing: c.cfg.Timing, ChunkBytes: chunkBytes, Faults: c.cfg.Faults, Logger: c.cfg.Logger.With("store", self.Store),
	})
	if err != nil {
		return errors.Join(err, r.Store.Close())
	}
	r.Coordinator, err = consistency.NewCoordinator(consistency.Config{
		Store: consistency.OwnStore{Log: r.Store}, Self: self, Peers: r.Node, Rows: r.Node,
		Group: func(id feature.GroupID) *feature.Group { return r.Store.Registry().Group(id) },
		Now:   func() int64 { return r.skew.now().UnixNano() }, Writable: r.Node.Writable, Faults: c.cfg.Faults,
	})
	if err != nil {
		return errors.Join(err, r.Store.Close())
	}
	c.run(ctx, r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.replicas[region] = r
	return nil
}

// chunkBytes is so small that a copy of a few rows takes several chunks.
const chunkBytes = 200

// run runs a replica until it is stopped.
func (c *Cluster) run(ctx context.Context, r *Replica) {
	storeCtx, stopStore := context.WithCancel(context.WithoutCancel(ctx))
	nodeCtx, stopNode := context.WithCancel(storeCtx)
	r.cancel = stopNode
	store := make(chan error, 1)
	go func() { store <- r.Store.Run(storeCtx) }()
	go func() {
		defer close(r.done)
		defer stopStore()
		r.err = r.Node.Run(nodeCtx)
		stopStore()
		r.err = errors.Join(r.err, <-store)
	}()
}

func (c *Cluster) others(self meta.Region) []meta.Region {
	return slices.DeleteFunc(slices.Clone(c.cfg.Regions), func(r meta.Region) bool { return r == self })
}

func (c *Cluster) seeds(self meta.Region) []meta.Member {
	var out []meta.Member
	for _, r := range c.others(self) {
		out = append(out, meta.Member{Region: r, Address: string(r)})
	}
	return out
}

// take takes a replica out of the cluster and stops it.
func (c *Cluster) take(region meta.Region) (*Replica, error) {
	c.mu.Lock()
	r := c.mu.replicas[region]
	delete(c.mu.replicas, region)
	c.mu.Unlock()
	if r == nil {
		return nil, fmt.Errorf("no store runs in %s", region)
	}
	c.Network.Remove(string(region))
	r.cancel()
	<-r.done
	return r, nil
}

// Stop stops a store in order.
func (c *Cluster) Stop(region meta.Region) error {
	r, err := c.take(region)
	if err != nil {
		return err
	}
	if errors.Is(r.err, replication.ErrRetired) {
		r.err = nil
	}
	return errors.Join(r.err, r.Store.Close())
}

// Crash stops a store as a power failure would: what is on disk at that moment
// is what is left, and nothing was told to the directory about an end.
func (c *Cluster) Crash(region meta.Region) error {
	r, err := c.take(region)
	if err != nil {
		return err
	}
	left := r.dir + ".left"
	err = copyWhole(left, r.dir)
	_ = r.Store.Close() // of a directory that nobody opens again
	return errors.Join(err, os.RemoveAll(r.dir), os.Rename(left, r.dir))
}

// Restart starts a store that was stopped or has crashed, with its clock off by
// so much.
func (c *Cluster) Restart(ctx context.Context, region meta.Region, off time.Duration) error {
	return c.start(ctx, region, off)
}

// Skew steps the clock of a store.
func (c *Cluster) Skew(region meta.Region, by time.Duration) error {
	r := c.Replica(region)
	if r == nil {
		return fmt.Errorf("no store runs in %s", region)
	}
	r.skew.set(by)
	return nil
}

// Renew begins a retired store anew, with an empty directory.
func (c *Cluster) Renew(ctx context.Context, region meta.Region) error {
	r, err := c.take(region)
	if err != nil {
		return err
	}
	err = r.Store.Close()
	if !errors.Is(r.err, replication.ErrRetired) {
		err = errors.Join(err, fmt.Errorf("the store in %s was not retired: %w", region, r.err))
	}
	if err != nil {
		return err
	}
	if err := os.Rename(r.dir, r.dir+".retired"); err != nil {
		return err
	}
	return c.Start(ctx, region)
}

// Save keeps a copy of the directory of a store, which does not run, for
// Restore.
func (c *Cluster) Save(region meta.Region) error {
	return copyTree(c.dir(region)+".saved", c.dir(region))
}

// Restore gives a store, which does not run, the directory that Save kept.
func (c *Cluster) Restore(region meta.Region) error {
	if err := c.Lose(region); err != nil {
		return err
	}
	return copyTree(c.dir(region), c.dir(region)+".saved")
}

// Copy gives the store of one region, which does not run, the directory of
// another's, which does not run either.
func (c *Cluster) Copy(from, to meta.Region) error {
	if err := c.Lose(to); err != nil {
		return err
	}
	return copyTree(c.dir(to), c.dir(from))
}

// Lose removes the directory of a store, which does not run.
func (c *Cluster) Lose(region meta.Region) error {
	if c.Replica(region) != nil {
		return fmt.Errorf("a store runs in %s", region)
	}
	return os.RemoveAll(c.dir(region))
}

func (c *Cluster) dir(region meta.Region) string { return filepath.Join(c.cfg.Dir, string(region)) }

// Close stops every store.
func (c *Cluster) Close() error {
	var errs []error
	for _, r := range c.running() {
		errs = append(errs, c.Stop(r.Region))
	}
	return errors.Join(errs...)
}

// copyWhole copies a store's directory as it is at one moment: Badger may be
// writing tables and removing logs in the background.
func copyWhole(to, from string) error {
	for range 20 {
		before, err := files(from)
		if err != nil {
			return err
		}
		err = errors.Join(os.RemoveAll(to), copyTree(to, from))
		after, listErr := files(from)
		switch {
		case listErr != nil:
			return listErr
		case before != after || errors.Is(err, fs.ErrNotExist):
			continue
		}
		return err
	}
	return fmt.Errorf("%s does not come to rest", from)
}

// files names what a store consists of: its files, and which of them count.
func files(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	text := ""
	for _, e := range entries {
		text += e.Name() + "\n"
	}
	manifest, err := os.ReadFile(filepath.Join(dir, "MANIFEST"))
	return text + string(manifest), err
}

// copyTree copies files with the holes that they have.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		if d.Name() == "LOCK" {
			return nil
		}
		return copySparse(target, path)
	})
}

// copySparse copies a file and leaves out pages of zeros: a memtable's log is
// as long as it may become.
func copySparse(to, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	const page = 64 << 10
	zeros := make([]byte, page)
	for at := 0; at < len(data); at += page {
		part := data[at:min(at+page, len(data))]
		if !slices.Equal(part, zeros[:len(part)]) {
			if _, err := f.WriteAt(part, int64(at)); err != nil {
				return errors.Join(err, f.Close())
			}
		}
	}
	return errors.Join(f.Truncate(int64(len(data))), f.Close())
}
