package server

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication"
)

// bank is a project with a leader group of two shards, beside one of another
// placement.
const bank = `
project: bank
entities: [{name: account, join_keys: [{name: account, type: int64}]}]
groups: [{name: accounts, placement: leader, home: [eu], partitions: 2, durability: quorum}]
views:
  - {name: balance, entity: account, group: accounts, features: [{name: cents, type: int64, conflict: write_time}]}
  - {name: note, entity: account, features: [{name: text, type: string}]}
`

// homeOf changes a membership as the home of a test does, at once.
type homeOf struct{ *peers }

func (h homeOf) Change(_ context.Context, c meta.Change) (*meta.Membership, error) {
	var err error
	h.change(func(m *meta.Membership) {
		var next *meta.Membership
		groups := []*feature.Group{{Name: "accounts", ID: c.Group, Placement: feature.Leader, Partitions: 2, Durability: "quorum"}}
		if next, err = m.Apply(c, meta.Rules{Groups: groups, Distinct: consistency.Distinct}); err == nil {
			*m = *next
		}
	})
	return h.Membership(), err
}

// A branch is the store eu-1 of three, with the project bank, whose shards it
// leads, and what it heard of the others.
type branch struct {
	*house
	peers *peers
	heard *seen
	group feature.GroupID
	term  hlc.Origin
}

const euTerm = 901

func newBranch(t *testing.T) *branch {
	b := &branch{heard: &seen{}, term: euTerm}
	b.peers = newPeers(silent)
	b.house = newHouse(t, withPeers(b.peers), func(c *Config) { c.Replication, c.Members = b.heard, homeOf{b.peers} })
	b.apply(bank)
	c, _ := b.store.Registry().Catalog("bank")
	g, _ := c.Group("accounts")
	b.group = g.ID
	b.peers.put(meta.Member{Store: "eu-1", Region: "eu", State: meta.Active, Origin: b.store.Identity().Origin})
	b.peers.put(meta.Member{Store: "sa-1", Region: "sa", State: meta.Active, Origin: 78, URL: "http://127.0.0.1:1"})
	b.peers.change(func(m *meta.Membership) {
		m.Terms = []meta.Term{
			{Shard: feature.Shard{Group: g.ID}, Number: 2, Leader: "eu-1", Origin: euTerm, Since: 4, Ended: []meta.TermEnd{{Origin: 801, Leader: "us-1", Final: hlc.FromTime(noon.Add(-time.Hour))}}},
			{Shard: feature.Shard{Group: g.ID, Partition: 1}, Number: 1, Leader: "us-1", Origin: 902, Since: 4},
		}
	})
	b.hear(true, true)
	return b
}

// hear says which of the others are in reach.
func (b *branch) hear(us, sa bool) {
	m := b.peers.Membership()
	shard := feature.Shard{Group: b.group, Partition: 1}
	b.heard.view = replication.View{Membership: m}
	for store, live := range map[meta.StoreID]bool{"us-1": us, "sa-1": sa} {
		x, _ := m.Member(store)
		ago := map[meta.StoreID]time.Duration{"us-1": 0, "sa-1": time.Second}[store]
		b.heard.view.Peers = append(b.heard.view.Peers, replication.PeerView{
			Member: x, Live: live, Progress: map[feature.Shard]hlc.Vector{shard: {902: hlc.FromTime(noon.Add(-ago))}},
		})
	}
}

func (b *branch) promote(body string) api.Problem {
	b.Helper()
	return b.problem(b.do(http.MethodPost, "/v1/projects/bank/groups/accounts/promote", body))
}

func TestLeadersTellWhatAPromotionWouldKeep(t *testing.T) {
	b := newBranch(t)
	b.hear(true, false)
	got := answer[api.Leaders](b.house, b.do(http.MethodGet, "/v1/projects/bank/groups/accounts/leaders", ""))
	if got.Group != "accounts" || got.Durability != "quorum" || len(got.Shards) != 2 {
		t.Fatalf("got %+v", got)
	}
	first, second := got.Shards[0], got.Shards[1]
	if first.Store != "eu-1" || first.Region != "eu" || first.Term != 2 || first.State != "open" || !first.Live || first.Origin != hlc.Origin(euTerm).String() ||
		first.Before == nil || first.Before.Store != "us-1" || first.Before.Term != 1 || first.Before.Final == "" {
		t.Errorf("partition 0: got %+v, before %+v", first, first.Before)
	}
	if second.Store != "us-1" || second.Distinct != 2 || second.SealQuorum != 2 || !second.Keeps || second.Has != hlc.FromTime(noon).String() || second.Before != nil {
		t.Errorf("partition 1: got %+v", second)
	}
	want := []api.LogHolder{{Store: "eu-1", Region: "eu", Live: true}, {Store: "sa-1", Region: "sa", Has: hlc.FromTime(noon.Add(-time.Second)).String()}}
	if len(second.Others) != 2 || second.Others[0] != want[0] || second.Others[1] != want[1] {
		t.Errorf("others: got %+v, want %+v", second.Others, want)
	}
	for path, code := range map[string]api.Code{"groups/default/leaders": api.CodeInvalidRequest, "groups/none/leaders": api.CodeGroupNotFound} {
		if p := b.problem(b.do(http.MethodGet, "/v1/projects/bank/"+path, "")); p.Code != code {
			t.Errorf("%s: got %v, want %s", path, p, code)
		}
	}
}

func TestPromotionBeginsOrSaysWhatItWould(t *testing.T) {
	b := newBranch(t)
	const path = "/v1/projects/bank/groups/accounts/promote"
	got := answer[api.Promotion](b.house, b.do(http.MethodPost, path, `{"to": "sa", "force": true, "dry_run": true}`))
	if got.Begun || got.Store != "sa-1" || len(got.Leaders.Shards) != 2 {
		t.Errorf("a dry run: got %+v", got)
	}
	if terms := b.peers.Membership().Terms; terms[0].State != meta.Open || terms[1].State != meta.Open {
		t.Errorf("after a dry run the terms are %+v", terms)
	}
	got = answer[api.Promotion](b.house, b.do(http.MethodPost, path, `{"to": "us"}`))
	if !got.Begun || got.Store != "us-1" || len(got.Leaders.Shards) != 1 || got.Leaders.Shards[0].Partition != 0 || got.Revision != b.peers.Membership().Revision {
		t.Errorf("in order, of what us-1 does not lead yet: got %+v", got)
	}
	if term := b.peers.Membership().Terms[0]; term.State != meta.Stopping || term.Next != "us-1" || term.Lossy {
		t.Errorf("in order: got %+v", term)
	}
	b.hear(false, true)
	got = answer[api.Promotion](b.house, b.do(http.MethodPost, path, `{"to": "sa", "partition": 1, "force": true}`))
	if term := b.peers.Membership().Terms[1]; !got.Begun || term.State != meta.Deposed || term.Next != "sa-1" || !term.Lossy {
		t.Errorf("by force: got %+v, %+v", got, term)
	}
	// What is on its way is told too.
	b.hear(true, true)
	view := answer[api.Replication](b.house, b.do(http.MethodGet, "/v1/replication", ""))
	led := 0
	for _, s := range view.Shards {
		if s.Group == "accounts" && s.Leader != nil {
			led++
			if want := [...]string{"stopping", "deposed"}[s.Partition]; s.Leader.State != want {
				t.Errorf("partition %d: got %+v, want %s", s.Partition, s.Leader, want)
			}
		} else if s.Leader != nil {
			t.Errorf("group %s has a leader", s.Group)
		}
	}
	if led != 2 {
		t.Errorf("%d shards have leaders, want 2", led)
	}
	regions := answer[api.Regions](b.house, b.do(http.MethodGet, "/v1/regions", ""))
	if got := regions.Regions[0].Leads; len(got) != 1 || got[0] != (api.LedGroup{Group: "accounts", Shards: 1, Of: 2}) {
		t.Errorf("eu-1 leads %+v", got)
	}
}

func TestPromotionsThatCannotEndAreRefused(t *testing.T) {
	b := newBranch(t)
	b.hear(false, true)
	for body, want := range map[string]string{
		`{"to": "sa"}`:                                "store us-1, which leads partition 1, is not in reach",
		`{"to": "us", "partition": 0}`:                "store us-1 is not in reach of store eu-1, the home",
		`{"to": "us", "partition": 0, "force": true}`: "store us-1 is not in reach of store eu-1, the home",
		`{"to": "mars"}`:                              `region "mars" has no active store`,
		`{"to": "sa", "partition": 2}`:                "has no partition 2",
		`{"to": "eu", "partition": 0}`:                "store eu-1 leads group accounts already",
	} {
		if p := b.promote(body); p.Code != api.CodeMembershipRefused || !strings.Contains(p.Detail, want) {
			t.Errorf("%s: got %v, want %q", body, p, want)
		}
	}
	if p := b.promote(`{"to": "sa", "partition": -1}`); p.Status != http.StatusBadRequest && p.Status != http.StatusUnprocessableEntity {
		t.Errorf("a partition below zero: got %v", p)
	}
	p := b.problem(b.do(http.MethodPost, "/v1/members", `{"action": "promote", "store": "sa-1"}`))
	if p.Code != api.CodeInvalidRequest || !strings.Contains(p.Detail, "/promote") {
		t.Errorf("as a change of members: got %v", p)
	}
	alone := newHouse(t)
	alone.apply(bank)
	if p := alone.problem(alone.do(http.MethodPost, "/v1/projects/bank/groups/accounts/promote", `{"to": "eu"}`)); p.Code != api.CodeMembershipRefused {
		t.Errorf("a store alone: got %v", p)
	}
}

// TestPromotionsAreMadeAtTheHome: the home's answer is relayed.
func TestPromotionsAreMadeAtTheHome(t *testing.T) {
	x := newPair(t)
	x.atUs()
	p := x.eu.problem(x.eu.do(http.MethodPost, "/v1/projects/rides/groups/default/promote", `{"to": "us"}`))
	if p.Code != api.CodeInvalidRequest || !strings.Contains(p.Detail, "multi_leader") {
		t.Errorf("got %v", p)
	}
	us, _ := x.peers.Membership().Member("us-1")
	us.URL = "http://127.0.0.1:1"
	x.peers.put(us)
	if p := x.eu.problem(x.eu.do(http.MethodPost, "/v1/projects/rides/groups/default/promote", `{"to": "us"}`)); p.Code != api.CodeHomeUnreachable {
		t.Errorf("the home is away: got %v", p)
	}
}
