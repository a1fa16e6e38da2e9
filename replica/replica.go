package replica

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/feature/ondemand"
	"featurestore/offline/batch"
	"featurestore/offline/flight"
	"featurestore/offline/jobs"
	"featurestore/offline/served"
	"featurestore/online"
	"featurestore/replication"
	"featurestore/replication/peer"
	"featurestore/server"
)

// Replica is one running store. New builds it, Run works until its context
// ends.
type Replica struct {
	cfg         Config
	telemetry   *telemetry
	store       *online.Store
	peers       *peer.Transport // nil for a store that talks to no other
	node        *replication.Node
	coordinates *consistency.Coordinator // set before anything runs
	server      *server.Server
	past        *past          // nil for a store that keeps no history
	flight      *flight.Server // nil for a store that does not serve it
	served      *served.Log    // nil for a store that logs nothing it serves
	jobs        *jobs.Registry
	sources     sources             // nil for a store that reads no batch sources
	batches     *batch.Materializer // the same
	listener    net.Listener
	ready       chan struct{}
	ran         bool
}

// What an idle or slow connection may take of the edge.
const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 64 << 10
	flushTimeout   = 3 * time.Second // telemetry, at the end
)

// New opens the store's data and its listener, and answers nothing yet. After
// an error nothing is left open. Errors to act on are those of
// online.Open: online.ErrInUse when another process has the directory.
func New(cfg Config) (_ *Replica, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := &Replica{cfg: cfg.withDefaults(), ready: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close(context.Background()))
		}
	}()
	if r.telemetry, err = newTelemetry(context.Background(), r.cfg); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(r.cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	r.limitHeap()
	if r.store, err = online.Open(r.onlineConfig()); err != nil {
		return nil, err
	}
	if r.jobs, err = jobs.New(jobs.Config{Prefix: r.cfg.Store, Wall: r.cfg.Wall, Logger: r.telemetry.log.With("room", "jobs")}); err != nil {
		return nil, err
	}
	if r.cfg.History {
		if err = r.newPast(context.Background()); err != nil {
			return nil, err
		}
	}
	if r.cfg.ServedLog > 0 || r.hasServedLog() {
		if r.served, err = served.New(r.servedConfig()); err != nil {
			return nil, err
		}
	}
	if r.cfg.BatchSources != "" {
		if err := r.openBatches(context.Background()); err != nil {
			return nil, err
		}
	}
	// Before the edge, which tells the address; nobody is answered until Run.
	if r.listener = r.cfg.Listener; r.listener == nil {
		if r.listener, err = new(net.ListenConfig).Listen(context.Background(), "tcp", r.cfg.Listen); err != nil {
			return nil, fmt.Errorf("%w; set listen to another address, port 0 for a free one", err)
		}
	}
	if r.flight, err = r.openFlight(); err != nil {
		return nil, err
	}
	// The secret is made only now: a directory in use is not touched.
	secret, err := loadSecret(r.cfg, r.telemetry.log)
	if err != nil {
		return nil, err
	}
	if err := r.replicate(secret); err != nil {
		return nil, err
	}
	edge, err := r.serverConfig(secret)
	if err != nil {
		return nil, err
	}
	if r.server, err = server.New(edge); err != nil {
		return nil, err
	}
	return r, nil
}

// limitHeap keeps garbage from standing about: by itself the collector lets as
// much of it gather as there is live, and a load makes it quickly.
func (r *Replica) limitHeap() {
	if r.limitsHeap() {
		heap.Lock()
		defer heap.Unlock()
		debug.SetMemoryLimit(r.cfg.HeapBytes)
	}
}

// limitsHeap reports whether the heap's limit is the store's to set.
func (r *Replica) limitsHeap() bool {
	_, set := os.LookupEnv("GOMEMLIMIT")
	return !set && r.cfg.HeapBytes > 0
}

func (r *Replica) onlineConfig() online.Config {
	c := r.cfg.online()
	c.Logger = r.telemetry.log.With("room", "online")
	c.Meter = r.telemetry.meter("online")
	c.Checks = checks()
	return c
}

// serverConfig builds what stands between the store and the edge.
func (r *Replica) serverConfig(secret []byte) (server.Config, error) {
	var err error
	c := r.cfg.server()
	if c.Signer, err = consistency.NewSigner(secret, r.store.Identity().Incarnation); err != nil {
		return server.Config{}, err
	}
	if c.Coordinator, err = r.coordinator(); err != nil {
		return server.Config{}, err
	}
	r.coordinates = c.Coordinator
	if r.peers != nil {
		c.Replication, c.Members, c.Verify = r.node, members{r.node, r.store}, r.node.Verify
	}
	c.Forward = r.cfg.Forward
	if r.past != nil {
		c.Exports, c.ExportJobs, c.Eraser = r.past, exportJobs{r.past}, r.past
	}
	if r.cfg.Links != nil {
		c.Links = edgeLinks{r.cfg.Links}
	}
	c.LogAge = r.cfg.Replication.WithDefaults().LogMaxAge
	if r.served != nil {
		c.Served = r.served
	}
	c.URL = r.reachable()
	c.Online, c.Jobs, c.Batches = r.store, r.jobs, r.batches
	c.Ready = r.Started
	c.Logger = r.telemetry.log.With("room", "server")
	c.Meter = r.telemetry.meter("server")
	c.Tracer = r.telemetry.tracer()
	return c, nil
}

// Started is what /readyz asks: nil once the store takes part and definitions
// are applied, before that the reason why not. A store that can no longer write
// stays ready, and says so: its lookups work.
func (r *Replica) Started() error {
	select {
	case <-r.ready:
		return nil
	default:
		if err := r.node.Writable(); err != nil {
			return fmt.Errorf("starting: %w%s", err, r.strangers())
		}
		return errors.New("starting")
	}
}

// strangers says which peers did not fit lately, "" for none: a store that waits
// for others may wait for one of them.
func (r *Replica) strangers() string {
	if r.peers == nil {
		return ""
	}
	var b strings.Builder
	for _, x := range r.peers.Refused() {
		fmt.Fprintf(&b, "; peer %s does not fit: %v", cmp.Or(x.Peer, "without a name"), x.Err)
	}
	return b.String()
}

// Addr returns the address of the REST edge, with the port that was taken.
func (r *Replica) Addr() net.Addr { return r.listener.Addr() }

// URL returns the address of the REST edge as clients write it.
func (r *Replica) URL() string { return "http://" + r.listener.Addr().String() }

// reachable returns URL, what the configuration says instead, or "" when the
// edge listens on every address of the machine: which of them clients use is
// not known here.
func (r *Replica) reachable() string {
	if r.cfg.URL != "" {
		return r.cfg.URL
	}
	if a, ok := r.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		return ""
	}
	return r.URL()
}

// Ready returns a channel that is closed once definitions are applied and
// requests are answered.
func (r *Replica) Ready() <-chan struct{} { return r.ready }

// Home returns the name of the store that changes definitions and membership, as
// far as this one knows; "" when it knows of none.
func (r *Replica) Home() string { return string(r.node.Membership().Home) }

// IsHome reports whether that is this store.
func (r *Replica) IsHome() bool { return r.Home() == r.cfg.Store }

// Registry returns the definitions that are applied now.
func (r *Replica) Registry() *feature.Registry { return r.store.Registry() }

// Apply applies definitions as the edge would; see online.Store.Apply.
func (r *Replica) Apply(ctx context.Context, d feature.Definitions) (feature.Plan, error) {
	return r.store.Apply(ctx, d, nil)
}

// Close gives back what New opened, for a Replica that is not run.
func (r *Replica) Close() error { return r.close(context.Background()) }

// Run serves until ctx ends, then stops in the order of P3 and returns nil. An
// error means that something could not start, ended by itself, or did not stop
// in order; everything is closed all the same. ErrRetired and ErrDrained mean
// that the store was removed from its deployment. It is called once.
func (r *Replica) Run(ctx context.Context) error {
	r.ran = true
	// Each layer runs until the one above it has ended, not until ctx does.
	storeCtx, stopStore := context.WithCancel(context.WithoutCancel(ctx))
	defer stopStore()
	nodeCtx, stopNode := context.WithCancel(storeCtx)
	defer stopNode()
	var store, node errgroup.Group
	store.Go(func() error { return r.store.Run(storeCtx) })
	ctx, stopServing := context.WithCancel(ctx)
	defer stopServing()
	node.Go(func() error {
		defer stopServing() // a store that was removed answers nobody
		return r.node.Run(nodeCtx)
	})
	if r.peers != nil {
		node.Go(func() error {
			defer stopServing() // else nobody would notice that it is cut off
			return r.peers.Run(nodeCtx)
		})
	}
	pastCtx, stopPast := context.WithCancel(storeCtx)
	defer stopPast()
	var past errgroup.Group
	if r.past != nil {
		r.past.life = ctx
		past.Go(func() error { r.keepHistory(pastCtx); return nil })
	}
	if r.served != nil {
		past.Go(func() error { return r.served.Run(pastCtx) })
	}
	// Jobs use the edge, and end with the first who stops it.
	var work errgroup.Group
	work.Go(func() error { return r.jobs.Run(ctx) })
	err := r.serve(ctx)
	stopServing()
	err = errors.Join(err, work.Wait())
	stopNode()
	err = errors.Join(err, node.Wait())
	stopPast()
	_ = past.Wait() // it never fails
	stopStore()
	if err = errors.Join(err, store.Wait()); err != nil {
		err = fmt.Errorf("store %s: %w", r.cfg.Store, err)
	}
	return errors.Join(err, r.close(context.WithoutCancel(ctx)))
}

// serve answers requests until ctx ends; it is ready once the store takes part
// and its definitions are applied.
func (r *Replica) serve(ctx context.Context) error {
	edge := &http.Server{
		Handler:           r.routes(),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
	}
	var serving errgroup.Group
	failed, fail := context.WithCancel(context.WithoutCancel(ctx))
	defer fail()
	flightCtx, stopFlight := context.WithCancel(context.WithoutCancel(ctx))
	defer stopFlight()
	if r.flight != nil {
		serving.Go(func() error {
			defer fail()
			return r.flight.Run(flightCtx)
		})
	}
	serving.Go(func() error {
		defer fail()
		if err := edge.Serve(r.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", r.Addr(), err)
		}
		return nil
	})
	err := r.begin(ctx)
	if err == nil && ctx.Err() == nil {
		close(r.ready)
		r.announce()
		select {
		case <-ctx.Done():
		case <-failed.Done():
		}
	}
	stopFlight()
	return errors.Join(err, r.drain(ctx, edge), serving.Wait())
}

// announce logs that the store is ready, and where.
func (r *Replica) announce() {
	where := []any{"url", r.URL(), "data", r.cfg.Data, "projects", r.store.Registry().Projects()}
	if r.flight != nil {
		where = append(where, "flight", r.FlightAddr().String())
	}
	r.telemetry.log.Info("ready", where...)
}

// begin waits until the store takes part, and applies its definitions.
func (r *Replica) begin(ctx context.Context) error {
	if err := r.node.Active(ctx); err != nil {
		return nil // ctx has ended
	}
	if !r.IsHome() {
		if r.cfg.Definitions != "" {
			r.telemetry.log.Info("definitions of the configuration are left to the home of the deployment", "home", r.Home())
		}
		return nil
	}
	return r.applyConfigured(ctx)
}

// drain refuses new requests and waits, within limits, for those in flight.
func (r *Replica) drain(ctx context.Context, edge *http.Server) error {
	r.server.Drain()
	r.telemetry.log.Info("stopping", "in_flight", r.server.InFlight())
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.Drain)
	defer cancel()
	if err := edge.Shutdown(limit); err != nil {
		r.telemetry.log.Warn("requests did not end in time and were cut off", "drain", r.cfg.Drain, "in_flight", r.server.InFlight())
		return edge.Close()
	}
	return nil
}

// routes puts the metrics page beside the edge. A comparison is enough: a
// second router in front of Echo's cost a lookup half a microsecond.
func (r *Replica) routes() http.Handler {
	edge := r.server.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/metrics" && q.Method == http.MethodGet {
			r.telemetry.page.ServeHTTP(w, q)
			return
		}
		edge.ServeHTTP(w, q)
	})
}

func (r *Replica) applyConfigured(ctx context.Context) error {
	if r.cfg.Definitions == "" {
		return nil
	}
	d, err := definition.Load(r.cfg.Definitions)
	if err != nil {
		return err
	}
	if _, err := r.Apply(ctx, d); err != nil { // the store logs what changed
		return fmt.Errorf("apply %s: %w", r.cfg.Definitions, err)
	}
	return nil
}

// close closes what is open, from the edge down to the data.
func (r *Replica) close(ctx context.Context) error {
	var errs []error
	if r.listener != nil {
		if err := r.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if r.flight != nil && !r.ran {
		errs = append(errs, r.flight.Close())
	}
	if r.peers != nil && !r.ran { // else its Run has closed it
		errs = append(errs, r.peers.Close())
	}
	if r.sources != nil {
		errs = append(errs, r.sources.Close())
	}
	if r.store != nil {
		errs = append(errs, r.store.Close())
	}
	if r.telemetry != nil {
		limit, cancel := context.WithTimeout(ctx, flushTimeout)
		defer cancel()
		if err := r.telemetry.stop(limit); err != nil {
			// A collector that is away is no fault of the store.
			r.telemetry.log.Warn("telemetry was not sent in full", "error", err)
		}
	}
	return errors.Join(errs...)
}

// checks is what validates definitions beyond the registry's own rules.
func checks() feature.Checks {
	return feature.Checks{
		Words: consistency.CheckWord, Reads: consistency.CheckRead, Floors: consistency.CheckFloors, OnDemand: ondemand.Check,
	}
}
