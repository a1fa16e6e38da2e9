package replication

import (
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// followed is a core of us-1 with a follower, eu-1, of its log in some shards.
func followed(t *testing.T, local *localFacts) *Core {
	t.Helper()
	c := NewCore(CoreConfig{Self: meta.Member{Store: "us-1", Region: "us", Origin: 2}, Local: local, Membership: twoStores(t)})
	after := map[feature.Shard]hlc.Timestamp{}
	for _, id := range local.Shards("us") {
		after[id] = 0
	}
	c.Step(c.now, Opened{Hello: Hello{Member: meta.Member{Store: "eu-1", Region: "eu", Origin: 1}}, Serving: true})
	c.Step(c.now, Received{From: "eu-1", Message: Follow{Origin: 2, After: after}})
	return c
}

// More logs are written to all the time than one Serve reads: all have their
// turn.
func TestBusyLogsKeepNoOtherWaiting(t *testing.T) {
	local := &localFacts{progress: hlc.Vector{}, heads: hlc.Vector{}}
	for p := range uint16(3 * maxReads) {
		local.shards = append(local.shards, feature.Shard{Group: 1, Partition: p})
	}
	c := followed(t, local)
	served := map[feature.Shard]int{}
	for round := range hlc.Timestamp(6) {
		at := 10 * (round + 1)
		local.progress, local.heads = hlc.Vector{2: at}, hlc.Vector{2: at}
		for _, o := range c.Settle(c.now) {
			if o, ok := o.(Serve); ok {
				for _, r := range o.Reads {
					served[r.Shard]++
					c.Step(c.now, Served{To: "eu-1", Read: r, Through: at})
				}
				c.Step(c.now, ServeEnded{To: "eu-1"})
			}
		}
	}
	for _, id := range local.shards {
		if served[id] != 2 {
			t.Fatalf("shard %v was read %d times in six turns of a third each, want 2", id, served[id])
		}
	}
}

// Definitions that take a group from a region end what is sent there of it,
// whatever was asked for before.
func TestARegionThatMayNotHoldAGroupAnyMoreIsSentNoneOfIt(t *testing.T) {
	local := &localFacts{progress: hlc.Vector{2: 10}, heads: hlc.Vector{2: 10}}
	c := followed(t, local)
	local.shards, local.revision = []feature.Shard{}, 2
	for _, o := range c.Settle(c.now) {
		if o, ok := o.(Serve); ok {
			t.Errorf("it reads %v for a region that may not hold it", o.Reads)
		}
	}
}
