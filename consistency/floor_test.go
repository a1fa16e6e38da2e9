package consistency

import (
	"slices"
	"strings"
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/meta"

	"pgregory.net/rapid"
)

func TestLevelsAreOrderedByWhatTheyPromise(t *testing.T) {
	for _, x := range []struct {
		a, b string
		want bool
	}{
		{"eventual", "eventual", true},
		{"session", "eventual", true},
		{"eventual", "session", false},
		{"bounded; max-staleness=2s", "session", true},
		{"quorum", "session", true},
		{"leader", "quorum", true},
		{"quorum", "leader", false},
		{"bounded; max-staleness=1s", "bounded; max-staleness=2s", true},
		{"bounded; max-staleness=3s", "bounded; max-staleness=2s", false},
		{"quorum", "bounded; max-staleness=2s", false},
		{"bounded; max-staleness=2s", "quorum", false},
		{"quorum; members=2", "quorum", true}, // of three
		{"quorum; members=1", "quorum", false},
		{"quorum; repair=none", "quorum", true},
	} {
		a, _ := ParseAlternative(x.a)
		b, _ := ParseAlternative(x.b)
		if got := a.Implies(b, 3); got != x.want {
			t.Errorf("%s implies %s: got %v", x.a, x.b, got)
		}
	}
}

// A concern implies another only if, whoever has a write, it never holds without
// the other: checked against Count, for all small deployments.
func TestConcernsImplyWhatHoldsWithThem(t *testing.T) {
	var all []Concern
	for _, text := range []string{"local", "any:1", "any:2", "regions:1", "regions:2", "region_quorum", "quorum", "each_region", "all"} {
		c, err := ParseConcern(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	broken := map[[2]Concern]bool{}
	rapid.Check(t, func(t *rapid.T) {
		var members meta.Members
		have := map[meta.StoreID]bool{"s0": true} // it took the write
		for i := range rapid.IntRange(1, 6).Draw(t, "members") {
			x := meta.Member{Store: meta.StoreID("s" + string(rune('0'+i))), State: meta.Active, Region: rapid.SampledFrom([]meta.Region{"eu", "us", "ap"}).Draw(t, "region")}
			members = append(members, x)
			have[x.Store] = have[x.Store] || rapid.Bool().Draw(t, "has")
		}
		for _, c := range all {
			for _, d := range all {
				acked := func(s meta.StoreID) bool { return have[s] }
				_, one := c.Count(members, members[0], acked)
				_, other := d.Count(members, members[0], acked)
				if one && !other {
					broken[[2]Concern{c, d}] = true
					if c.Implies(d) {
						t.Fatalf("%v holds and %v does not, of %v", c, d, members)
					}
				}
			}
		}
	})
	few := !broken[[2]Concern{{Kind: MemberQuorum}, {Kind: RegionQuorum}}] || len(broken) < len(all)
	if few && !testing.Short() { // which draws little
		t.Errorf("too little was drawn: only %v were told apart", broken)
	}
}

func TestDefaultsAreNoLessThanFloors(t *testing.T) {
	type d = feature.ResolvedView
	for _, x := range []struct {
		claim string
		edit  func(*d)
		want  []string
	}{
		{"none", func(*d) {}, nil},
		{"what the placement means is enough", func(v *d) {
			v.Group.Placement, v.Group.Read.AtLeast, v.Group.Write.AtLeast = feature.Leaderless, "quorum", "quorum"
		}, nil},
		{"it is not", func(v *d) { v.Group.Read.AtLeast, v.Write.AtLeast = "quorum", "quorum" },
			[]string{"read.level: the default session is less than quorum, which read.at_least of group g", "write.concern: the default region_quorum is not at least quorum, which write.at_least of view v"}},
		{"a view below its group", func(v *d) { v.Group.Read.AtLeast, v.Read.Level = "session", "eventual" }, []string{"the default eventual is less than session"}},
		{"a view may ask for more than its group", func(v *d) {
			v.Group.Read.AtLeast, v.Read.AtLeast, v.Read.Level, v.Read.MaxStaleness = "session", "bounded; max-staleness=2s", "bounded", time.Second
		}, nil},
		{"degrading below it", func(v *d) { v.Read.AtLeast, v.Read.Fallback = "session", []string{"degrade"} }, []string{"read.fallback: degrading to eventual is less than session"}},
		{"degrading to it", func(v *d) { v.Read.AtLeast, v.Read.Fallback = "session", []string{"degrade:session"} }, nil},
		{"words that are refused elsewhere", func(v *d) { v.Read.AtLeast, v.Write.AtLeast = "strong", "most" }, nil},
	} {
		v := &d{View: feature.View{Name: "v"}, Group: &feature.Group{Name: "g"}}
		x.edit(v)
		text := ""
		if err := CheckFloors(v); err != nil {
			text = err.Error()
		}
		if (text == "") != (x.want == nil) || slices.ContainsFunc(x.want, func(w string) bool { return !strings.Contains(text, w) }) {
			t.Errorf("%s: got %q, want %q", x.claim, text, x.want)
		}
	}
}
