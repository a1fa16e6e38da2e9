package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/sdk"
)

// ledBank is a project whose accounts us leads, in one group with require_live
// and in one without.
const ledBank = `
project: bank
entities: [{name: account, join_keys: [{name: account, type: int64}]}]
groups:
  - {name: accounts, placement: leader, home: [us], durability: quorum, write: {concern: quorum}, read: {level: session}}
  - {name: limits, placement: leader, home: [us], durability: quorum, write: {concern: local, require_live: {members: 1, max_lag: 1s}}}
views:
  - {name: balance, entity: account, group: accounts, features: [{name: cents, type: int64, conflict: write_time}]}
  - {name: limit, entity: account, group: limits, features: [{name: most, type: int64, conflict: write_time}]}
`

type balance struct {
	ID    int64               `key:"account"`
	Cents sdk.Optional[int64] `feature:"balance:cents"`
}

type limit struct {
	ID   int64               `key:"account"`
	Most sdk.Optional[int64] `feature:"limit:most"`
}

// bankClients ask the stores of a deployment, each alone, by REST and by the SDK.
type bankClients struct {
	testing.TB
	urls map[string]string // by region
	sdk  map[string]*sdk.Client
}

// rest returns the code of an answer, "" for a success, and its session.
func (c *bankClients) rest(region, path, body string, headers ...string) (api.Code, string) {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.urls[region]+"/v1/projects/bank/"+path, strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	r.Header.Set("Content-Type", api.MediaJSON)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		c.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.Fatal(err)
	}
	var p api.Problem
	if err := json.Unmarshal(text, &p); err != nil {
		c.Fatalf("%v in %s", err, text)
	}
	if answer.StatusCode == http.StatusOK {
		p.Code = ""
	}
	return p.Code, p.Session
}

// code of an error of the SDK.
func (c *bankClients) code(err error) api.Code {
	var p *api.Problem
	if err != nil && !errors.As(err, &p) {
		c.Errorf("got %v, which is no answer of a store", err)
	}
	if p == nil {
		return ""
	}
	return p.Code
}

func (c *bankClients) lookup(ctx context.Context, region string, read sdk.ReadOptions) api.Code {
	_, err := sdk.Lookup[balance](ctx, c.sdk[region], sdk.Features().At(read), sdk.Keys(balance{ID: 7}))
	return c.code(err)
}

// until asks again until a code comes, for a minute at most.
func (c *bankClients) until(want api.Code, what string, ask func() api.Code) {
	c.Helper()
	look, limit := time.NewTicker(20*time.Millisecond), time.Now().Add(time.Minute)
	defer look.Stop()
	for ; ; <-look.C {
		got := ask()
		if got == want {
			return
		}
		if time.Now().After(limit) {
			c.Fatalf("%s: got %q for a minute, want %q", what, got, want)
		}
	}
}

// TestErrorsOfLeadersReachClients: each error that leaders bring about, by REST and
// by the SDK, on three regions of which the leader's is cut off, deposed by force,
// and comes back.
func TestErrorsOfLeadersReachClients(t *testing.T) {
	binary, dir := featurestoreBinary(t), t.TempDir()
	p := startStore(t, dir, "dev", "--no-sample")
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), binary, append(args, "--url", p.url)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	file := filepath.Join(dir, "bank.yaml")
	if err := os.WriteFile(file, []byte(ledBank), 0o600); err != nil {
		t.Fatal(err)
	}
	run("apply", file)
	c := &bankClients{TB: t, urls: map[string]string{}, sdk: map[string]*sdk.Client{}}
	var list api.Regions
	if err := json.Unmarshal([]byte(run("regions", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	for _, x := range list.Regions {
		c.urls[x.Region] = x.URL
		client, err := sdk.New(sdk.Config{URLs: []string{x.URL}, Project: "bank", Timeout: time.Second, Retry: sdk.Retry{Tries: 1}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		c.sdk[x.Region] = client
	}
	const (
		look = `{"features": ["balance:cents"], "entities": {"account": [7]}}`
		push = `{"view": "balance", "rows": [{"account": 7, "cents": 100}]}`
		most = `{"view": "limit", "rows": [{"account": 7, "most": 9}]}`
	)
	both := func(want api.Code, rest, sdk api.Code) {
		t.Helper()
		if rest != want || sdk != want {
			t.Errorf("got %q by REST and %q by the SDK, want %q", rest, sdk, want)
		}
	}
	restCode := func(region, path, body string, headers ...string) api.Code {
		t.Helper()
		code, _ := c.rest(region, path, body, headers...)
		return code
	}
	leader := sdk.ReadOptions{Level: sdk.Leader}
	c.until("", "the first leader", func() api.Code { return restCode("eu", "push", push, api.HeaderTimeout, "1s") })

	// A read at level leader goes to the leader.
	both("", restCode("eu", "lookup", look, api.HeaderConsistency, "leader"), c.lookup(t.Context(), "eu", leader))

	// The leader is cut off: it cannot be certain, nor have its writes acknowledged.
	run("link", "us", "eu", "--both", "--cut")
	run("link", "us", "ap", "--both", "--cut")
	c.until(api.CodeNoLeader, "a leader that is cut off", func() api.Code {
		return restCode("us", "lookup", look, api.HeaderConsistency, "leader", api.HeaderTimeout, "300ms")
	})
	both(api.CodeNoLeader, restCode("us", "lookup", look, api.HeaderConsistency, "leader", api.HeaderTimeout, "300ms"), c.lookup(t.Context(), "us", leader))
	// Another store leads, and the read cannot be sent on to it. The SDK asks it
	// itself, and is told what it knows.
	if code := restCode("eu", "lookup", look, api.HeaderConsistency, "leader", api.HeaderTimeout, "1s"); code != api.CodeNotLeader {
		t.Errorf("got %q by REST, want %q", code, api.CodeNotLeader)
	}
	if code := c.lookup(t.Context(), "eu", leader); code != api.CodeNoLeader {
		t.Errorf("got %q by the SDK, want %q", code, api.CodeNoLeader)
	}
	code, token := c.rest("us", "push", push)
	ctx := sdk.WithSession(t.Context())
	_, err := sdk.Push(ctx, c.sdk["us"], sdk.View("balance"), balance{ID: 7, Cents: sdk.Some[int64](300)})
	both(api.CodeConcernTimeout, code, c.code(err))
	if token == "" || sdk.SessionToken(ctx) == "" {
		t.Errorf("the sessions of writes that exist: %q and %q", token, sdk.SessionToken(ctx))
	}
	c.until(api.CodeNotEnoughLive, "require_live", func() api.Code { return restCode("us", "push", most) })
	_, err = sdk.Push(t.Context(), c.sdk["us"], sdk.View("limit"), limit{ID: 7, Most: sdk.Some[int64](9)})
	both(api.CodeNotEnoughLive, restCode("us", "push", most), c.code(err))

	// It is deposed: who saw what it alone has is told.
	run("promote", "--group", "accounts", "--to", "eu", "--force", "--yes")
	lost := func() (rest, bySDK api.Code) {
		return restCode("eu", "lookup", look, api.HeaderSession, token), c.lookup(ctx, "eu", sdk.ReadOptions{Level: sdk.Session})
	}
	rest, bySDK := lost()
	both(api.CodeSessionLost, rest, bySDK)
	both("", restCode("ap", "push", push), c.lookup(t.Context(), "ap", leader))

	// It is back, and hands over what it has: the sessions are good again.
	run("link", "us", "eu", "--both", "--heal")
	run("link", "us", "ap", "--both", "--heal")
	c.until("", "the tail at its new place", func() api.Code { rest, _ := lost(); return rest })
	rest, bySDK = lost()
	both("", rest, bySDK)
}
