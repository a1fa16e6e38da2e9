package server

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication"
)

// seen is what a test says of replication.
type seen struct{ view replication.View }

func (s *seen) View() replication.View { return s.view }

func TestReplicationTellsOfPeers(t *testing.T) {
	at := func(ago time.Duration) hlc.Timestamp { return hlc.FromTime(noon.Add(-ago)) }
	var x *pair
	told := &seen{}
	x = newPair(t, func(c *Config) { c.Replication = told })
	c, _ := x.eu.store.Registry().Catalog("rides")
	g, _ := c.Group("default")
	shard := feature.Shard{Group: g.ID}
	us := x.us.store.Identity().Origin
	member, _ := x.peers.Membership().Member("us-1")
	told.view = replication.View{
		Membership: x.peers.Membership(), Registry: 1, LogBytes: map[feature.Shard]int64{shard: 4096},
		Peers: []replication.PeerView{{
			Member: member, Live: true, Heard: noon, RoundTrip: 1500 * time.Microsecond, ClockOffset: -20 * time.Millisecond,
			Progress:   map[feature.Shard]hlc.Vector{shard: {us: at(time.Second)}},
			Membership: meta.Version{Epoch: 1, Home: "eu-1", Revision: 5}, Registry: 1, Following: []hlc.Origin{us},
		}},
	}
	got := answer[api.Replication](x.eu, x.eu.do(http.MethodGet, "/v1/replication", ""))
	if got.Shards[0].SafeTime != "" || got.Shards[0].SafeLagMs != api.UnknownStalenessMs {
		t.Errorf("before anything was heard of us: safe time %q, lag %d", got.Shards[0].SafeTime, got.Shards[0].SafeLagMs)
	}
	x.eu.store.Claim(shard, hlc.Position{Origin: us, At: at(2 * time.Second)})
	got = answer[api.Replication](x.eu, x.eu.do(http.MethodGet, "/v1/replication", ""))
	s := got.Shards[0]
	if s.LogBytes != 4096 || s.SafeTime != at(2*time.Second).String() || s.SafeLagMs != 2000 || got.Membership.Home != "eu-1" || got.RegistryRevision != 1 {
		t.Errorf("got %+v", got)
	}
	found := false
	for _, o := range s.Origins {
		if o.Origin == us.String() {
			found = o.Store == "us-1" && o.Region == "us" && o.LagMs == 2000 && !o.Self
		}
	}
	if !found {
		t.Errorf("us is not told: %+v", s.Origins)
	}
	for final, want := range map[time.Duration]int{2 * time.Second: 2, time.Second: 3} { // ago
		const ended = hlc.Origin(77)
		m := *x.peers.Membership()
		m.Seals = []meta.Seal{{Origin: ended, Store: "ap-1", Final: map[feature.Shard]hlc.Timestamp{shard: at(final)}}}
		told.view.Membership = &m
		x.eu.store.Claim(shard, hlc.Position{Origin: ended, At: at(2 * time.Second)})
		if now := answer[api.Replication](x.eu, x.eu.do(http.MethodGet, "/v1/replication", "")).Shards[0].Origins; len(now) != want {
			t.Errorf("a log that ended %v ago, and is here up to 2s ago: got %+v, want %d origins", final, now, want)
		}
	}
	p := got.Peers[0]
	if p.Store != "us-1" || p.State != "active" || !p.Live || p.RoundTripMs != 1.5 || p.ClockOffsetMs != -20 || p.Membership.Revision != 5 ||
		len(p.Following) != 1 || p.Acked[0].Origins[us.String()] != at(time.Second).String() {
		t.Errorf("got %+v", p)
	}
}

func TestVerifyTellsWhatDiffers(t *testing.T) {
	var report replication.Verification
	h := newHouse(t, func(c *Config) {
		c.Verify = func(context.Context) (replication.Verification, error) { return report, nil }
	})
	verified := func() api.Verification {
		return answer[api.Verification](h, h.do(http.MethodPost, "/v1/replication/verify", ""))
	}
	if got := verified(); !got.Equal {
		t.Errorf("got %+v", got)
	}
	c, _ := h.store.Registry().Catalog("rides")
	v, _ := c.View("driver_stats")
	key, err := feature.AppendKeyValue(nil, feature.OfInt64(7))
	if err != nil {
		t.Fatal(err)
	}
	report.Shards = []replication.ShardVerification{
		{Shard: feature.Shard{Group: v.Group.ID}, Peer: "us-1", Differing: 1, Examples: []replication.AuditedRow{{View: v.ID, Key: key}}},
		{Shard: feature.Shard{Group: v.Group.ID}, Peer: "ap-1", Err: "store ap-1 was not heard of"},
	}
	got := verified()
	if got.Equal || got.Shards[0].Group != "default" || got.Shards[0].Examples[0] != "driver_stats 7" || got.Shards[1].Skipped == "" {
		t.Errorf("got %+v", got)
	}
	h = newHouse(t)
	if p := h.problem(h.do(http.MethodPost, "/v1/replication/verify", "")); p.Code != api.CodeInvalidRequest || !strings.Contains(p.Detail, "alone") {
		t.Errorf("a store that is alone: got %+v", p)
	}
}

// TestReplicationOfOneStore: what was told before there were others.
func TestReplicationOfOneStore(t *testing.T) {
	h := newHouse(t)
	got := answer[api.Replication](h, h.do(http.MethodGet, "/v1/replication", ""))
	if len(got.Peers) != 0 || got.Shards[0].SafeLagMs != 0 || got.Shards[0].SafeTime == "" || got.Membership.Home != "eu-1" {
		t.Errorf("got %+v", got)
	}
	if regions := answer[api.Regions](h, h.do(http.MethodGet, "/v1/regions", "")); len(regions.Regions) != 1 || regions.Regions[0].State != meta.Active.String() {
		t.Errorf("got %+v", regions)
	}
}
