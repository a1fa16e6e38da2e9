package replication

import (
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// Who joins counts in majorities once it has what all who serve had told of: one
// of them may be away since, and a copy from another would lack it.
func TestWhoJoinsHasWhatThoseWhoServeHad(t *testing.T) {
	m := twoStores(t)
	joins := meta.Member{Store: "ap-1", Region: "ap", Origin: 3, State: meta.Joining, Since: m.Revision, Address: "ap:1"}
	m.Members = append(meta.Members{joins}, m.Members...)
	c := NewCore(CoreConfig{Self: meta.Member{Store: "eu-1", Region: "eu", Origin: 1}, Local: &localFacts{progress: hlc.Vector{1: 50, 2: 30}}, Membership: m})
	tell := func(store meta.StoreID, region meta.Region, o hlc.Origin, v hlc.Vector) {
		drive(c, Opened{Hello: Hello{Member: meta.Member{Store: store, Region: region, Origin: o}}, Serving: true},
			Received{From: store, Message: Status{Membership: m.Version(), Whole: true, Progress: map[feature.Shard]hlc.Vector{onlyShard: v}}})
	}
	whole := func() bool {
		h, _ := c.heardOf("ap-1")
		return h.Whole
	}
	tell("ap-1", "ap", 3, hlc.Vector{1: 50, 2: 30})
	if whole() {
		t.Error("it may serve before us-1 has told what it has")
	}
	tell("us-1", "us", 2, hlc.Vector{1: 50, 2: 40})
	if whole() {
		t.Error("it may serve though it lacks what us-1 has")
	}
	tell("us-1", "us", 2, hlc.Vector{1: 50, 2: 90})
	tell("ap-1", "ap", 3, hlc.Vector{1: 50, 2: 40})
	if !whole() {
		t.Error("it may not serve though it has what us-1 had: what comes later it gets as others do")
	}
}
