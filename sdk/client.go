package sdk

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Client reads and writes the features of one project. It is safe for
// concurrent use; make one and keep it, for it keeps connections.
type Client struct {
	cfg     Config
	http    *http.Client
	owned   *http.Transport // nil when the Config brought an HTTPClient
	metrics *metrics
	schemas schemas
	plans   sync.Map // planKey -> *binding
	pushes  sync.Map // pushKey -> *pushBinding
	stores  stores
	hedges  *hedgeBudget
	running atomic.Bool // Run goes on
}

// New returns a client, or every fault of cfg. It asks no store yet.
func New(cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.URLs = slices.Clone(cfg.URLs)
	for i, u := range cfg.URLs {
		cfg.URLs[i] = strings.TrimRight(u, "/")
	}
	c := &Client{cfg: cfg, http: cfg.HTTPClient}
	if c.http == nil {
		c.owned = newTransport(cfg.Connections)
		c.http = &http.Client{Transport: c.owned}
	}
	c.stores.region = cfg.Region
	c.stores.set(cfg.URLs)
	c.hedges = newHedgeBudget(cfg.HedgeShare)
	var err error
	if c.metrics, err = newMetrics(cfg.Meter); err != nil {
		return nil, fmt.Errorf("sdk: make instruments: %w", err)
	}
	return c, nil
}

// Close closes idle connections of the client's own transport. Requests in
// flight end as they would.
func (c *Client) Close() {
	if c.owned != nil {
		c.owned.CloseIdleConnections()
	}
}

// Project returns the project whose features the client reads and writes.
func (c *Client) Project() string { return c.cfg.Project }

func (c *Client) path(operation string) string {
	return "/v1/projects/" + c.cfg.Project + "/" + operation
}

// withDeadline returns ctx with the client's timeout where it has none.
func (c *Client) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.cfg.Timeout)
}
