package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/sdk"
)

// alsoAt gives a client more stores.
func alsoAt(urls ...string) func(*sdk.Config) {
	return func(cfg *sdk.Config) { cfg.URLs = append(cfg.URLs, urls...) }
}

// servedBy looks something up and returns the region that answered.
func servedBy(t *testing.T, ctx context.Context, c *sdk.Client) string {
	t.Helper()
	r, err := sdk.Lookup[trip](ctx, c, sdk.Features(), sdk.Keys(trip{ID: 1}))
	if err != nil {
		t.Fatal(err)
	}
	return r.Met.Region
}

// tripsAt is what one store has of driver 1.
func tripsAt(t *testing.T, url string) int64 {
	t.Helper()
	return totals(t, newClient(t, url), 2)[1]
}

// K10.
func TestReadsAndWritesGoOnInTheNextRegionAtOnce(t *testing.T) {
	eu, us := newStoreIn(t, "eu"), newStoreIn(t, "us")
	c := newClient(t, eu.url, alsoAt(us.url), func(cfg *sdk.Config) {
		cfg.Retry.Backoff, cfg.Retry.MaxBackoff = time.Hour, time.Hour // no try may wait
	})
	if got := servedBy(t, t.Context(), c); got != "eu" {
		t.Fatalf("region %s answers first, want the first of the Config", got)
	}
	if err := eu.stop(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // one that was on its way to eu, and one after it
		if got := servedBy(t, t.Context(), c); got != "us" {
			t.Errorf("region %s answers, want us", got)
		}
	}
	r, err := sdk.Push(t.Context(), c, sdk.View("driver_stats"), trip{ID: 1, Trips: sdk.Increment[int64](1)})
	if err != nil || r.Region != "us" {
		t.Errorf("pushed in region %q, %v; want us", r.Region, err)
	}
	stores := c.Stores()
	if len(stores) != 2 || !stores[0].Away || stores[0].Reads || stores[1].Away || !stores[1].Reads || !stores[1].Writes || stores[1].Latency == 0 {
		t.Errorf("got %+v, want eu away, and us in use and measured", stores)
	}
}

// K10.
func TestRequestsStayInTheirRegionUnlessItIsAway(t *testing.T) {
	eu, us := newStoreIn(t, "eu"), newStoreIn(t, "us")
	c := newClient(t, eu.url, alsoAt(us.url), func(cfg *sdk.Config) { cfg.Region = "us" })
	if got := servedBy(t, t.Context(), c); got != "us" {
		t.Errorf("region %s answers, want us", got)
	}
	if err := us.stop(); err != nil {
		t.Fatal(err)
	}
	if got := servedBy(t, t.Context(), c); got != "eu" {
		t.Errorf("region %s answers, want eu while us is away", got)
	}
}

func TestProbesMeasureEveryStoreAndTellItsName(t *testing.T) {
	eu, us, gone := newStoreIn(t, "eu"), newStoreIn(t, "us"), newStoreIn(t, "ap")
	if err := gone.stop(); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, eu.url, alsoAt(us.url, gone.url))
	c.ProbeAll(t.Context())
	stores := c.Stores()
	for i, region := range []string{"eu", "us"} {
		if s := stores[i]; s.Region != region || s.Name != region+"-1" || s.Latency == 0 || s.Away || s.ReadOnly {
			t.Errorf("got %+v, want it in %s, measured and well", s, region)
		}
	}
	if !stores[2].Away {
		t.Errorf("got %+v, want it away", stores[2])
	}
}

// A namer is a store that names another one as of its deployment.
func newNamer(t *testing.T, s, other *store, probed chan<- struct{}) string {
	t.Helper()
	to, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // of probes that the test's end ends
	var probes atomic.Int64
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/regions":
			_ = json.NewEncoder(w).Encode(api.Regions{Region: "eu", Store: "eu-1", Regions: []api.RegionInfo{
				{Region: "eu", Store: "eu-1", State: "active", Self: true, URL: s.url},
				{Region: "us", Store: "us-1", State: "active", URL: other.url},
			}})
			return
		case r.URL.Path == "/readyz" && probed != nil && probes.Add(1) == 3:
			close(probed)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front.URL
}

func TestOtherStoresAreDiscovered(t *testing.T) {
	eu, us := newStoreIn(t, "eu"), newStoreIn(t, "us")
	c := newClient(t, newNamer(t, eu, us, nil), func(cfg *sdk.Config) { cfg.Discover, cfg.Region = true, "us" })
	if got := servedBy(t, t.Context(), c); got != "us" {
		t.Errorf("region %s answers, want us, which eu has named", got)
	}
	if stores := c.Stores(); len(stores) != 2 || stores[1].URL != us.url || stores[1].Name != "us-1" {
		t.Errorf("got %+v, want the Config's store and us-1", stores)
	}
}

// K9.
func TestRunProbesUntilItsContextEnds(t *testing.T) {
	eu, us := newStoreIn(t, "eu"), newStoreIn(t, "us")
	probed := make(chan struct{})
	c := newClient(t, newNamer(t, eu, us, probed), func(cfg *sdk.Config) { cfg.Discover, cfg.ProbeInterval = true, time.Millisecond })
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	ran := make(chan error, 1)
	go func() { ran <- c.Run(ctx) }()
	select {
	case <-probed:
	case <-ctx.Done():
		t.Fatal("no third probe")
	}
	if err := c.Run(ctx); err == nil {
		t.Error("a client runs twice at once")
	}
	cancel()
	if err := <-ran; err != nil {
		t.Errorf("got %v, want nil", err)
	}
	if stores := c.Stores(); len(stores) != 2 || stores[1].Region != "us" || stores[1].Latency == 0 {
		t.Errorf("got %+v, want us discovered and measured", stores)
	}
}

// lostAt returns a client whose first store takes a push and never answers it,
// as long as cutting says so.
func lostAt(t *testing.T, changes ...func(*sdk.Config)) (c *sdk.Client, cutting *atomic.Bool, eu, us *store) {
	t.Helper()
	eu, us, cutting = newStoreIn(t, "eu"), newStoreIn(t, "us"), new(atomic.Bool)
	r := newRelay(t, eu.url, func() int {
		if cutting.Load() {
			return 1
		}
		return 0
	})
	changes = append(changes, alsoAt(us.url), func(cfg *sdk.Config) {
		cfg.Retry.Tries, cfg.Retry.Backoff = 4, time.Millisecond
	})
	c = newClient(t, r.url, changes...)
	if got := servedBy(t, t.Context(), c); got != "eu" { // reads the definitions too
		t.Fatalf("region %s answers, want eu", got)
	}
	cutting.Store(true)
	c.Close() // the next request needs a new connection
	return c, cutting, eu, us
}

// K3.
func TestAWriteThatMayBeStoredIsNotRepeatedElsewhere(t *testing.T) {
	c, cutting, eu, us := lostAt(t)
	row := trip{ID: 1, Trips: sdk.Increment[int64](1)}
	_, err := sdk.Push(t.Context(), c, sdk.View("driver_stats"), row)
	var e *sdk.Error
	if !errors.Is(err, sdk.ErrOutcomeUnknown) || !errors.As(err, &e) || e.URL != c.Stores()[0].URL || e.Tries != 4 {
		t.Fatalf("got %v, want %v after 4 tries at the first store", err, sdk.ErrOutcomeUnknown)
	}
	if got := tripsAt(t, us.url); got != 0 {
		t.Errorf("the other region has %d trips, want none", got)
	}
	// The client asks the other store now; the write is repeated where it may be.
	cutting.Store(false)
	c.Close()
	to := sdk.View("driver_stats")
	to.IdempotencyKey, to.Store = e.IdempotencyKey, e.URL
	again, err := sdk.Push(t.Context(), c, to, row)
	if err != nil || !again.Repeated || again.Region != "eu" {
		t.Errorf("repeated at its store: got %+v, %v; want it known there", again, err)
	}
	if got := tripsAt(t, eu.url); got != 1 {
		t.Errorf("got %d trips, want 1", got)
	}
}

// K3.
func TestAWriteGoesOnElsewhereWhereTheConfigAllowsIt(t *testing.T) {
	c, _, eu, us := lostAt(t, func(cfg *sdk.Config) { cfg.WriteElsewhere = true })
	r, err := sdk.Push(t.Context(), c, sdk.View("driver_stats"), trip{ID: 1, Trips: sdk.Increment[int64](1)})
	if err != nil || r.Region != "us" {
		t.Fatalf("got %+v, %v; want it stored in us", r, err)
	}
	// What the option warns of: the first store has it as well.
	if at := []int64{tripsAt(t, eu.url), tripsAt(t, us.url)}; !slices.Equal(at, []int64{1, 1}) {
		t.Errorf("got %d trips, want 1 at each store", at)
	}
}

func TestAWriteIsBoundToAStoreByItsURL(t *testing.T) {
	eu, us := newStoreIn(t, "eu"), newStoreIn(t, "us")
	c := newClient(t, eu.url, func(cfg *sdk.Config) { cfg.Retry.Tries = 2 })
	to := sdk.View("driver_stats")
	to.Store = us.url + "/"
	row := trip{ID: 1, Trips: sdk.Increment[int64](1)}
	if r, err := sdk.Push(t.Context(), c, to, row); err != nil || r.Region != "us" {
		t.Errorf("got %+v, %v; want it stored in us", r, err)
	}
	if err := us.stop(); err != nil {
		t.Fatal(err)
	}
	if r, err := sdk.Push(t.Context(), c, to, row); !errors.Is(err, sdk.ErrUnreachable) {
		t.Errorf("got %+v, %v; want %v and no other store", r, err, sdk.ErrUnreachable)
	}
	to.Store = "us"
	if _, err := sdk.Push(t.Context(), c, to, row); err == nil {
		t.Error("a store that is no URL is taken")
	}
}

// K11.
func TestASlowReadIsHedgedOnce(t *testing.T) {
	eu, us := newStoreIn(t, "eu"), newStoreIn(t, "us")
	slow := newRelay(t, eu.url, never)
	c := newClient(t, slow.url, alsoAt(us.url))
	if got := servedBy(t, t.Context(), c); got != "eu" {
		t.Fatalf("region %s answers, want eu", got)
	}
	slow.hold.Store(true)
	q := sdk.Features().At(sdk.ReadOptions{Hedge: time.Millisecond})
	r, err := sdk.Lookup[trip](within(t, time.Minute), c, q, sdk.Keys(trip{ID: 1}))
	if err != nil || r.Met.Region != "us" || !r.Met.Hedged {
		t.Errorf("got %+v, %v; want the hedge answered by us", r, err)
	}
	if stores := c.Stores(); stores[0].Away {
		t.Errorf("got %+v, want that the first store is slow, and not away", stores[0])
	}
	bad := sdk.Features().At(sdk.ReadOptions{Hedge: -1})
	if _, err := sdk.Lookup[trip](t.Context(), c, bad, sdk.Keys(trip{ID: 1})); err == nil {
		t.Error("a negative Hedge is taken")
	}
}

// K11.
func TestAReadThatTwoStoresFailIsAskedAgain(t *testing.T) {
	eu, us := newStoreIn(t, "eu"), newStoreIn(t, "us")
	slow := newRelay(t, eu.url, never)
	c := newClient(t, slow.url, alsoAt(us.url), func(cfg *sdk.Config) {
		cfg.Retry.Tries, cfg.Retry.Backoff, cfg.Retry.TryTimeout = 3, time.Millisecond, 200*time.Millisecond
	})
	if got := servedBy(t, t.Context(), c); got != "eu" {
		t.Fatalf("region %s answers, want eu", got)
	}
	slow.hold.Store(true)
	if err := us.stop(); err != nil {
		t.Fatal(err)
	}
	q := sdk.Features().At(sdk.ReadOptions{Hedge: time.Millisecond})
	_, err := sdk.Lookup[trip](within(t, time.Minute), c, q, sdk.Keys(trip{ID: 1}))
	var e *sdk.Error
	if !errors.Is(err, sdk.ErrUnreachable) || !errors.As(err, &e) || e.Tries != 3 {
		t.Errorf("got %v, want %v after 3 tries", err, sdk.ErrUnreachable)
	}
}

func TestAHurriedCallerMakesNoStoreAway(t *testing.T) {
	eu, us := newStoreIn(t, "eu"), newStoreIn(t, "us")
	far := newRelay(t, us.url, never)
	far.hold.Store(true)
	c := newClient(t, eu.url, alsoAt(far.url))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	c.ProbeAll(ctx)
	if stores := c.Stores(); stores[1].Away || stores[1].Latency != 0 {
		t.Errorf("got %+v, want nothing told of a store that had no time to answer", stores[1])
	}
}
