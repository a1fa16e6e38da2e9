package main

import (
	"testing"

	"featurestore/api"
)

func TestALookupSaysWhatItGot(t *testing.T) {
	for _, c := range []struct {
		met  api.ConsistencyMet
		want string
	}{
		{api.ConsistencyMet{Asked: "session", Met: "session", Region: "eu", Store: "eu-1"}, "read level session, served by eu/eu-1"},
		{api.ConsistencyMet{Asked: "leader", Met: "leader", Region: "us", Store: "us-1", Forwarded: true, WaitedMs: 12, StalenessMs: map[string]int64{"eu": 40, "ap": 90, "sa": api.UnknownStalenessMs}},
			"read level leader, served by us/us-1, to which it was forwarded, after waiting 12 ms; at most 90 ms behind ap, at most 40 ms behind eu, nothing heard of sa yet"},
		{api.ConsistencyMet{Asked: "session", Met: "eventual", Degraded: true, Region: "eu", Store: "eu-1"}, "read level eventual in place of session, served by eu/eu-1"},
		{api.ConsistencyMet{Asked: "quorum", Met: "quorum", Members: &api.MembersRead{Read: 2, Of: 3}, Region: "eu", Store: "eu-1"}, "read level quorum of 2 of 3 members, served by eu/eu-1"},
	} {
		if got := describeMet(c.met); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestALoadTellsOfTheBatchThatFewestHave(t *testing.T) {
	concern := func(met bool, stores int) api.PushResponse {
		return api.PushResponse{Concern: api.ConcernMet{Asked: "quorum", Met: met, Acked: api.Acked{Stores: stores, Regions: []string{"eu", "us"}}}}
	}
	for want, answers := range map[string][]api.PushResponse{
		"write concern quorum met: 2 stores in eu, us":    {concern(true, 3), concern(true, 2), concern(true, 3)},
		"write concern quorum not met: 1 store in eu, us": {concern(true, 3), concern(false, 1), concern(true, 2)},
	} {
		var r loadResult
		for _, a := range answers {
			r.add(1, a)
		}
		if got := describeConcern(r.concern); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
