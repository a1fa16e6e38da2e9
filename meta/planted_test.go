package meta

import (
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
)

// A term that is deposed ends by the word of a quorum of those who hold the shard,
// and not before: one alone may lack what others acknowledged (fault seal_by_some).
func TestADeposedTermEndsByTheWordOfAQuorum(t *testing.T) {
	m := three(t)
	m.Terms = []Term{{Shard: shardA, Number: 1, Leader: "us-1", Origin: 11, State: Deposed, Next: "eu-1", Since: m.Revision}}
	rules := Rules{
		Groups:   []*feature.Group{{ID: shardA.Group, Placement: feature.Leader}},
		Distinct: func(*feature.Group, Members) int { return 2 }, Draw: func() hlc.Origin { return 77 },
	}
	head := func(at hlc.Timestamp) Heard {
		return Heard{Version: m.Version(), Whole: true, Head: func(feature.Shard, hlc.Origin) hlc.Timestamp { return at }, Covers: func(feature.Shard, hlc.Position) bool { return false }}
	}
	one := world{"eu-1": head(40)}
	both := world{"eu-1": head(40), "ap-1": head(50)}
	if got := m.Advance(one.heard, everyShard, rules); got != m {
		t.Error("it ended by the word of one of three")
	}
	next, _ := m.Advance(both.heard, everyShard, rules).Term(shardA)
	if len(next.Ended) != 1 || next.Ended[0].Final != 50 || next.Leader != "eu-1" || next.Number != 2 {
		t.Errorf("by the word of two it is %+v, want that it ended at 50 and eu-1 leads", next)
	}
	rules.Quorum = func(int, int) int { return 1 }
	if next, _ := m.Advance(one.heard, everyShard, rules).Term(shardA); len(next.Ended) != 1 || next.Ended[0].Final != 40 {
		t.Errorf("with the quorum of one planted it is %+v, want that it ended at 40", next)
	}
}
