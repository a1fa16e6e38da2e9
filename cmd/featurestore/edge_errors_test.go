package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/replica"
	"featurestore/sdk"
)

// freeBank is a project whose every region takes writes.
const freeBank = `
project: bank
entities: [{name: account, join_keys: [{name: account, type: int64}]}]
views:
  - {name: balance, entity: account, max_lateness: 24h, features: [{name: cents, type: int64}]}
`

// timedBalance is a balance with its event time.
type timedBalance struct {
	ID    int64     `key:"account"`
	At    time.Time `feature:"@event_time"`
	Cents int64     `feature:"balance:cents"`
}

// TestErrorsOfSessionsAndTimesReachClients: each error that a session, a bound or
// an event time brings about, by REST and by the SDK, in three regions of which one
// is cut off.
func TestErrorsOfSessionsAndTimesReachClients(t *testing.T) {
	c := startBank(t, freeBank)
	const (
		look = `{"features": ["balance:cents"], "entities": {"account": [7]}}`
		push = `{"view": "balance", "rows": [{"account": 7, "cents": 100}]}`
	)
	c.until("", "the definitions at us", func() api.Code { return c.restCode("us", "lookup", look) })
	for _, bad := range []struct {
		when time.Time
		want api.Code
	}{{time.Now().Add(-48 * time.Hour), api.CodeEventTooOld}, {time.Now().Add(time.Hour), api.CodeEventInFuture}} {
		body := fmt.Sprintf(`{"view": "balance", "rows": [{"account": 7, "cents": 1, "event_time": %q}]}`, bad.when.Format(time.RFC3339))
		_, err := sdk.Push(t.Context(), c.sdk["eu"], sdk.View("balance"), timedBalance{ID: 7, At: bad.when, Cents: 1})
		c.both(bad.want, c.restCode("eu", "push", body), c.code(err))
	}
	const forged = "AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	session := sdk.ReadOptions{Level: sdk.Session}
	c.both(api.CodeTokenInvalid, c.restCode("eu", "lookup", look, api.HeaderSession, forged), c.lookup(sdk.WithSessionToken(t.Context(), forged), "eu", session))

	// What eu wrote reaches nobody: us can neither show it nor write after it.
	c.run("link", "eu", "us", "--both", "--cut")
	c.run("link", "eu", "ap", "--both", "--cut")
	code, token := c.rest("eu", "push", push)
	if code != "" || token == "" {
		t.Fatalf("a region that is cut off takes no write: %q", code)
	}
	ctx := sdk.WithSessionToken(t.Context(), token)
	brief := []string{api.HeaderSession, token, api.HeaderTimeout, "500ms"}
	c.both(api.CodeBehind, c.restCode("us", "lookup", look, brief...), c.lookup(ctx, "us", session))
	_, err := sdk.Push(ctx, c.sdk["us"], sdk.View("balance"), balance{ID: 8, Cents: sdk.Some[int64](1)})
	c.both(api.CodeDependencyUnavailable, c.restCode("us", "push", push, brief...), c.code(err))
	bounded := func() api.Code {
		return c.restCode("us", "lookup", look, api.HeaderConsistency, "bounded; max-staleness=200ms", api.HeaderTimeout, "500ms")
	}
	c.until(api.CodeTooStale, "a bound", bounded)
	c.both(api.CodeTooStale, bounded(), c.lookup(t.Context(), "us", sdk.ReadOptions{Level: sdk.Bounded, MaxStaleness: 200 * time.Millisecond}))

	// Nothing of this lasts.
	c.run("link", "eu", "us", "--both", "--heal")
	c.until("", "what eu wrote", func() api.Code { return c.restCode("us", "lookup", look, brief...) })
	c.both("", c.restCode("us", "push", push, brief...), c.lookup(ctx, "us", session))
}

// TestAFencedClockReachesClients: a store whose clock steps away from those of the
// two others takes no writes until it is right again, and serves reads meanwhile.
func TestAFencedClockReachesClients(t *testing.T) {
	dir := t.TempDir()
	secret, definitions := filepath.Join(dir, "secret"), filepath.Join(dir, "bank.yaml")
	for path, text := range map[string]string{secret: strings.Repeat("s", 32), definitions: freeBank} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	regions := []string{"ap", "eu", "us"}
	listeners := map[string]net.Listener{}
	for _, region := range regions {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[region] = l
	}
	var stores []*replica.Replica
	var off atomic.Int64 // what eu's clock is ahead
	c := &bankClients{T: t, urls: map[string]string{}, sdk: map[string]*sdk.Client{}}
	for _, region := range regions {
		cfg := replica.Config{
			Region: region, Store: region + "-1", Data: filepath.Join(dir, region), SecretFile: secret, Definitions: definitions, HeapBytes: -1,
			Listen: "127.0.0.1:0", PeerListener: listeners[region], PeerListen: listeners[region].Addr().String(),
		}
		for _, other := range regions {
			if other != region {
				cfg.Peers = append(cfg.Peers, replica.Peer{Region: other, Address: listeners[other].Addr().String()})
			}
		}
		if region == "eu" {
			cfg.Wall = func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
		}
		r, err := replica.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		t.Cleanup(func() {
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		stores = append(stores, r)
	}
	for i, r := range stores { // the first waits for the others
		<-r.Ready()
		c.ask(regions[i], r.URL())
	}
	const (
		look = `{"features": ["balance:cents"], "entities": {"account": [7]}}`
		push = `{"view": "balance", "rows": [{"account": 7, "cents": 100}]}`
	)
	write := func() api.Code { return c.restCode("eu", "push", push, api.HeaderTimeout, "1s") }
	c.until("", "the first write", write)
	off.Store(int64(2 * time.Second))
	c.until(api.CodeClockFenced, "a clock that is off", write)
	_, err := sdk.Push(t.Context(), c.sdk["eu"], sdk.View("balance"), balance{ID: 7, Cents: sdk.Some[int64](1)})
	c.both(api.CodeClockFenced, write(), c.code(err))
	c.both("", c.restCode("eu", "lookup", look), c.lookup(t.Context(), "eu", sdk.ReadOptions{Level: sdk.Eventual}))
	off.Store(0)
	c.until("", "a clock that is right again", write)
}
