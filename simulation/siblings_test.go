package simulation

import (
	"strings"
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/online"
)

// V3: the checker fires when a value is gone that nobody had seen, and when one
// is there that somebody replaced.
func TestTheCheckerOfSiblingsFires(t *testing.T) {
	shard := feature.Shard{Group: 1}
	one, two, three := int64(1), int64(2), int64(3)
	op := func(d *int64, origin hlc.Origin, at hlc.Timestamp, saw ...hlc.Position) Operation {
		o := Operation{Push: &Push{D: d}, Driver: 2, Position: online.ShardPosition{Shard: shard, Position: hlc.Position{Origin: origin, At: at}}}
		for _, p := range saw {
			o.Seen.Note(shard, p)
		}
		return o
	}
	row := func(versions ...feature.Version) map[meta.Region]map[int64]feature.Row {
		c := feature.Cell{Rule: feature.Siblings, Version: versions[0]}
		if len(versions) > 1 {
			c.Siblings = &feature.SiblingSet{Beside: []feature.Sibling{{Version: versions[1]}}}
		}
		return map[meta.Region]map[int64]feature.Row{"eu": {2: {Cells: []feature.Cell{c}}}}
	}
	a, b, c := feature.Version{Origin: 1, At: 10}, feature.Version{Origin: 2, At: 20}, feature.Version{Origin: 1, At: 30}
	history := []Operation{op(&one, 1, 10), op(&two, 2, 20), op(&three, 1, 30, a.Position())}
	for _, tc := range []struct {
		name  string
		final map[meta.Region]map[int64]feature.Row
		want  string // "" for nothing
	}{
		{"what nobody replaced", row(c, b), ""},
		{"one that nobody had seen is gone", row(c), "keeps [3] for driver 2, nobody who had seen them replaced [2 3]"},
		{"one that was seen and replaced is there", row(b, a), "keeps [1 2]"},
	} {
		got := checkSiblings(&Evidence{Operations: history, Membership: &meta.Membership{}, Final: tc.final})
		switch {
		case tc.want == "" && len(got) > 0, tc.want != "" && (len(got) != 1 || !strings.Contains(got[0].Text, tc.want)):
			t.Errorf("%s: got %v, want %q", tc.name, got, tc.want)
		}
	}
	unclear := append(history, Operation{Push: &Push{D: &one}, Driver: 2, Offered: true})
	if got := checkSiblings(&Evidence{Operations: unclear, Membership: &meta.Membership{}, Final: row(c)}); len(got) > 0 {
		t.Errorf("with a write that may have been made: %v, want no judgement", got)
	}
}
