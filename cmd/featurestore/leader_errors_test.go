package main

import (
	"testing"

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

// TestErrorsOfLeadersReachClients: each error that leaders bring about, by REST and
// by the SDK, on three regions of which the leader's is cut off, deposed by force,
// and comes back.
func TestErrorsOfLeadersReachClients(t *testing.T) {
	c := startBank(t, ledBank)
	const (
		look = `{"features": ["balance:cents"], "entities": {"account": [7]}}`
		push = `{"view": "balance", "rows": [{"account": 7, "cents": 100}]}`
		most = `{"view": "limit", "rows": [{"account": 7, "most": 9}]}`
	)
	leader := sdk.ReadOptions{Level: sdk.Leader}
	c.until("", "the first leader", func() api.Code { return c.restCode("eu", "push", push, api.HeaderTimeout, "1s") })

	// A read at level leader goes to the leader.
	c.both("", c.restCode("eu", "lookup", look, api.HeaderConsistency, "leader"), c.lookup(t.Context(), "eu", leader))

	// The leader is cut off: it cannot be certain, nor have its writes acknowledged.
	c.run("link", "us", "eu", "--both", "--cut")
	c.run("link", "us", "ap", "--both", "--cut")
	c.until(api.CodeNoLeader, "a leader that is cut off", func() api.Code {
		return c.restCode("us", "lookup", look, api.HeaderConsistency, "leader", api.HeaderTimeout, "300ms")
	})
	c.both(api.CodeNoLeader, c.restCode("us", "lookup", look, api.HeaderConsistency, "leader", api.HeaderTimeout, "300ms"), c.lookup(t.Context(), "us", leader))
	// Another store leads, and the read cannot be sent on to it. The SDK asks it
	// itself, and is told what it knows.
	if code := c.restCode("eu", "lookup", look, api.HeaderConsistency, "leader", api.HeaderTimeout, "1s"); code != api.CodeNotLeader {
		t.Errorf("got %q by REST, want %q", code, api.CodeNotLeader)
	}
	if code := c.lookup(t.Context(), "eu", leader); code != api.CodeNoLeader {
		t.Errorf("got %q by the SDK, want %q", code, api.CodeNoLeader)
	}
	code, token := c.rest("us", "push", push)
	ctx := sdk.WithSession(t.Context())
	_, err := sdk.Push(ctx, c.sdk["us"], sdk.View("balance"), balance{ID: 7, Cents: sdk.Some[int64](300)})
	c.both(api.CodeConcernTimeout, code, c.code(err))
	if token == "" || sdk.SessionToken(ctx) == "" {
		t.Errorf("the sessions of writes that exist: %q and %q", token, sdk.SessionToken(ctx))
	}
	c.until(api.CodeNotEnoughLive, "require_live", func() api.Code { return c.restCode("us", "push", most) })
	_, err = sdk.Push(t.Context(), c.sdk["us"], sdk.View("limit"), limit{ID: 7, Most: sdk.Some[int64](9)})
	c.both(api.CodeNotEnoughLive, c.restCode("us", "push", most), c.code(err))

	// It is deposed: who saw what it alone has is told.
	c.run("promote", "--group", "accounts", "--to", "eu", "--force", "--yes")
	lost := func() (rest, bySDK api.Code) {
		return c.restCode("eu", "lookup", look, api.HeaderSession, token), c.lookup(ctx, "eu", sdk.ReadOptions{Level: sdk.Session})
	}
	rest, bySDK := lost()
	c.both(api.CodeSessionLost, rest, bySDK)
	c.both("", c.restCode("ap", "push", push), c.lookup(t.Context(), "ap", leader))

	// It is back, and hands over what it has: the sessions are good again.
	c.run("link", "us", "eu", "--both", "--heal")
	c.run("link", "us", "ap", "--both", "--heal")
	c.until("", "the tail at its new place", func() api.Code { rest, _ := lost(); return rest })
	rest, bySDK = lost()
	c.both("", rest, bySDK)
}
