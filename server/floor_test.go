package server

import (
	"strings"
	"testing"

	"featurestore/api"
)

// flooredGroup gives the definitions of rides a default group with settings.
const flooredGroup = `
groups:
  - {name: default, read: {level: quorum, at_least: session, read_repair: none}, write: {concern: quorum, at_least: quorum}}
`

// What a group wants at least, requests for less are refused, naming the setting.
func TestFloorsRefuseRequestsForLess(t *testing.T) {
	x := newPair(t)
	x.eu.apply(rides + flooredGroup)
	for _, ask := range []struct {
		name, value, field, says string
	}{
		{api.HeaderConsistency, "eventual", "consistency", "eventual is less than session, which read.at_least of group default"},
		{api.HeaderConsistency, "session, eventual", "consistency", "eventual is less than session"},
		{api.HeaderOnUnmet, "degrade", api.HeaderOnUnmet, "degrading: eventual is less than session"},
	} {
		p := x.eu.problem(x.eu.post("lookup", wanted, ask.name, ask.value))
		if p.Status != 400 || p.Field != ask.field || !strings.Contains(p.Detail, ask.says) {
			t.Errorf("%s: %s: got %+v, want a detail that says %q", ask.name, ask.value, p, ask.says)
		}
	}
	p := x.eu.problem(x.eu.post("push", pushed, api.HeaderWriteConcern, "any:1"))
	if p.Status != 400 || !strings.Contains(p.Detail, "any:1 is not at least quorum, which write.at_least of group default") {
		t.Errorf("got %+v", p)
	}
	if n, _ := x.eu.stored(); n != 0 {
		t.Errorf("%d entries were written", n)
	}
	for _, level := range []string{"", "session", "quorum"} {
		met := answer[api.LookupResponse](x.eu, x.eu.post("lookup", wanted, api.HeaderConsistency, level)).Consistency
		want := level
		if want == "" {
			want = "quorum"
		}
		if met.Met != want {
			t.Errorf("%q: got %+v", level, met)
		}
	}
	if p := x.eu.problem(x.eu.post("push", pushed)); p.Code != api.CodeConcernTimeout || p.Concern == nil || p.Concern.Asked != "quorum" {
		t.Errorf("a push that names no concern: got %+v, want quorum, which us-1 does not acknowledge", p)
	}
}

const votes = `
project: votes
entities: [{name: voter, join_keys: [{name: voter_id, type: int64}]}]
groups: [{name: votes, placement: leaderless}]
views: [{name: choice, entity: voter, group: votes, features: [{name: x, type: int64}]}]
`

// Leaderless groups are read and written at quorum where nothing else is named.
func TestLeaderlessGroupsDefaultToQuorum(t *testing.T) {
	x := newPair(t)
	x.eu.apply(votes)
	w := x.eu.do("POST", "/v1/projects/votes/push", `{"view": "choice", "rows": [{"voter_id": 1, "x": 2}]}`)
	if p := x.eu.problem(w); p.Code != api.CodeConcernTimeout || p.Concern == nil || p.Concern.Asked != "quorum" {
		t.Errorf("got %+v, want quorum, which us-1 does not acknowledge", p)
	}
	w = x.eu.do("POST", "/v1/projects/votes/lookup", `{"features": ["choice:x"], "entities": {"voter_id": [1]}}`)
	if p := x.eu.problem(w); p.Code != api.CodeNotEnoughLive || !strings.Contains(p.Detail, "1 of 2 members of group votes have what was read") {
		t.Errorf("got %+v, want that a majority does not have it", p)
	}
	w = x.eu.do("POST", "/v1/projects/votes/lookup", `{"features": ["choice:x"], "entities": {"voter_id": [1]}}`, api.HeaderConsistency, "quorum; repair=none")
	if met := answer[api.LookupResponse](x.eu, w).Consistency; met.Met != "quorum" || met.Members == nil {
		t.Errorf("got %+v", met)
	}
}
