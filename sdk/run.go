package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"featurestore/api"

	"golang.org/x/sync/errgroup"
)

const (
	// probeTimeout bounds one probe: a store that is farther is no nearer for it.
	probeTimeout = time.Second
	// probesAtOnce bounds the probes in flight.
	probesAtOnce = 4
	// discoverTries is how many stores are asked, one after the other, for the
	// others.
	discoverTries = 3
)

// Run keeps the client's knowledge of its stores fresh until ctx ends, and
// returns nil then: it probes each every Config.ProbeInterval, by GET /readyz,
// and, with Config.Discover, asks for the stores of the deployment every
// Config.DiscoverInterval. One Run goes on at a time.
//
// It is optional. Without it, latencies are those of the client's own requests,
// so that a store which was never asked is taken for farther than any that was;
// and with Discover or Region, a request that finds them due asks and probes
// the stores itself before it goes on, within two seconds.
func (c *Client) Run(ctx context.Context) error {
	if !c.running.CompareAndSwap(false, true) {
		return errors.New("run client: it runs already")
	}
	defer c.running.Store(false)
	tick := time.NewTicker(c.cfg.ProbeInterval)
	defer tick.Stop()
	for ctx.Err() == nil {
		if c.cfg.Discover && c.stores.claimSurvey(time.Now(), c.cfg.DiscoverInterval) && !c.discover(ctx) {
			c.stores.surveyAgain(time.Now().Add(c.cfg.ProbeInterval))
		}
		c.probeAll(ctx)
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return nil
}

// survey does what Run does, once, for a client that nobody runs. A caller that
// finds another at it goes on with what is known.
func (c *Client) survey(ctx context.Context) {
	if c.running.Load() || !c.cfg.Discover && (c.cfg.Region == "" || len(c.cfg.URLs) == 1) ||
		!c.stores.claimSurvey(time.Now(), c.cfg.DiscoverInterval) {
		return
	}
	if deadline, ok := ctx.Deadline(); ok { // most of the time is the request's
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/4)
		defer cancel()
	}
	found := !c.cfg.Discover || c.discover(ctx)
	c.probeAll(ctx)
	if !found || ctx.Err() != nil {
		c.stores.surveyAgain(time.Now().Add(c.cfg.ProbeInterval))
	}
}

// probeAll probes every store, and returns when all have answered or not.
func (c *Client) probeAll(ctx context.Context) {
	var group errgroup.Group
	group.SetLimit(probesAtOnce)
	for _, r := range c.stores.list() {
		group.Go(func() error {
			c.probe(ctx, r)
			return nil
		})
	}
	_ = group.Wait() // no probe returns an error: a store tells by not answering
}

// probe asks one store how it is, and who.
func (c *Client) probe(ctx context.Context, r *remote) {
	a, _, o, _ := c.try(ctx, r.url, &request{
		op: "probe", method: http.MethodGet, path: "/readyz", read: true, retry: Retry{TryTimeout: probeTimeout},
	}, nil)
	sign, said := o.sign(true), api.Health{}
	if o.cut == cutByTime { // a hurried caller tells nothing of the store
		sign = nothing
	}
	if a != nil {
		// Another body is another service's, which passes requests on.
		if json.Unmarshal(a.body(), &said) == nil && said.Status == "read_only" {
			sign = writeless
		}
		a.free()
	}
	c.stores.probed(r, sign, o.took, said.Region, said.Store, time.Now())
}

// discover asks a store for the others, and reports whether one has told; what
// it cannot learn stays as it is.
func (c *Client) discover(ctx context.Context) bool {
	var tried []*remote
	for range discoverTries {
		r, _ := c.stores.pick(time.Now(), false, tried)
		a, _, _, _ := c.try(ctx, r.url, &request{
			op: "get regions", method: http.MethodGet, path: "/v1/regions", read: true, retry: Retry{TryTimeout: probeTimeout},
		}, nil)
		if a != nil {
			list, err := decodeAs[api.Regions](a)
			a.free()
			if err == nil {
				c.stores.learned(r, list)
				return true
			}
		}
		tried = append(tried, r)
	}
	return false
}
