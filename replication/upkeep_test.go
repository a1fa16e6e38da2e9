package replication

import (
	"testing"

	"featurestore/hlc"
	"featurestore/meta"
)

// I7: a store that copies may have a row whose delete it has not got, and may
// have to copy a second time when the tombstone is the only trace of it.
func TestTombstonesWaitForWhoJoins(t *testing.T) {
	for _, c := range []struct {
		claim string
		as    meta.Member
		told  bool
		want  hlc.Timestamp
	}{
		{"one that copies", meta.Member{State: meta.Joining, Origin: 1}, true, 30},
		{"one that was never heard of", meta.Member{State: meta.Joining, Origin: 1}, false, 0},
		{"one that is invited, and has nothing yet", meta.Member{State: meta.Joining}, false, 50},
		{"one that serves", meta.Member{State: meta.Active, Origin: 1}, true, 30},
	} {
		m := twoStores(t)
		for i := range m.Members {
			if x := &m.Members[i]; x.Store == "eu-1" {
				x.State, x.Origin = c.as.State, c.as.Origin
			}
		}
		core := NewCore(CoreConfig{Self: meta.Member{Store: "us-1", Region: "us", Origin: 2}, Local: &localFacts{progress: hlc.Vector{1: 60, 2: 50}}, Membership: m})
		if c.told {
			p := core.peer("eu-1")
			p.statusSeen, p.progress[onlyShard] = true, hlc.Vector{1: 60, 2: 30}
		}
		if got, _ := core.stableAt(onlyShard); got != c.want {
			t.Errorf("%s: everything up to %v is everywhere, want %v", c.claim, got, c.want)
		}
	}
}
