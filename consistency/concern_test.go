package consistency

import (
	"slices"
	"strings"
	"testing"

	"featurestore/meta"

	"pgregory.net/rapid"
)

var threeRegions = meta.Members{
	{Store: "eu-1", Region: "eu", State: meta.Active},
	{Store: "eu-2", Region: "eu", State: meta.Active},
	{Store: "eu-3", Region: "eu", State: meta.Active},
	{Store: "us-1", Region: "us", State: meta.Active},
	{Store: "ap-1", Region: "ap", State: meta.Active},
	{Store: "ap-2", Region: "ap", State: meta.Joining},
}

func TestConcernCountsWhoHasTheWrite(t *testing.T) {
	for _, tt := range []struct {
		concern string
		acked   []meta.StoreID
		met     bool
	}{
		{"local", []meta.StoreID{"eu-1"}, true},
		{"local", []meta.StoreID{"us-1"}, false},
		{"any:1", []meta.StoreID{"eu-1"}, false},
		{"any:1", []meta.StoreID{"eu-1", "eu-2"}, true},
		{"any:2", []meta.StoreID{"eu-1", "eu-2", "ap-2"}, false}, // joining members do not count
		{"regions:1", []meta.StoreID{"eu-1", "eu-2", "eu-3"}, false},
		{"regions:1", []meta.StoreID{"eu-1", "us-1"}, true},
		{"regions:2", []meta.StoreID{"eu-1", "us-1", "ap-1"}, true},
		{"region_quorum", []meta.StoreID{"eu-1", "us-1", "ap-1"}, false},
		{"region_quorum", []meta.StoreID{"eu-1", "eu-3"}, true},
		{"quorum", []meta.StoreID{"eu-1", "eu-2"}, false},
		{"quorum", []meta.StoreID{"eu-1", "eu-2", "us-1"}, true},
		{"each_region", []meta.StoreID{"eu-1", "eu-2", "us-1"}, false},
		{"each_region", []meta.StoreID{"eu-1", "eu-2", "us-1", "ap-1"}, true},
		{"all", []meta.StoreID{"eu-1", "eu-2", "eu-3", "us-1"}, false},
		{"all", []meta.StoreID{"eu-1", "eu-2", "eu-3", "us-1", "ap-1"}, true},
	} {
		c, err := ParseConcern(tt.concern)
		if err != nil {
			t.Fatal(err)
		}
		acks, met := c.Count(threeRegions, threeRegions[0], func(s meta.StoreID) bool { return slices.Contains(tt.acked, s) })
		if met != tt.met {
			t.Errorf("%s with %v: met %v, want %v (%+v)", tt.concern, tt.acked, met, tt.met, acks)
		}
	}
}

func TestConcernReadsBackAndRefusesOthers(t *testing.T) {
	for _, text := range []string{"local", "any:1", "any:64", "regions:2", "region_quorum", "quorum", "each_region", "all"} {
		if c, err := ParseConcern(text); err != nil || c.String() != text {
			t.Errorf("%s: read as %v, %v", text, c, err)
		}
	}
	for _, text := range []string{"", "any", "any:0", "any:65", "any:01", "local:1", "majority", "regions:", "regions:-1"} {
		if c, err := ParseConcern(text); err == nil {
			t.Errorf("%q: read as %v, want an error", text, c)
		}
	}
}

// More acknowledgements never unmeet a concern, and no concern is met by a
// write that its own origin does not have unless it counts others only.
func TestConcernsAreMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Concern{Kind: ConcernKind(rapid.IntRange(int(Local), int(All)).Draw(t, "kind")), K: rapid.IntRange(1, 4).Draw(t, "k")}
		origin := rapid.SampledFrom(threeRegions[:5]).Draw(t, "origin")
		few := map[meta.StoreID]bool{}
		more := map[meta.StoreID]bool{}
		for _, m := range threeRegions {
			few[m.Store] = rapid.Bool().Draw(t, "few")
			more[m.Store] = few[m.Store] || rapid.Bool().Draw(t, "more")
		}
		_, before := c.Count(threeRegions, origin, func(s meta.StoreID) bool { return few[s] })
		_, after := c.Count(threeRegions, origin, func(s meta.StoreID) bool { return more[s] })
		if before && !after {
			t.Fatalf("%v met by %v but not by %v", c, few, more)
		}
		if after && !c.Possible(threeRegions, origin) {
			t.Fatalf("%v was met but is not possible", c)
		}
	})
}

// A text counts one member as people do.
func TestTooFewMembersAreCountedInWords(t *testing.T) {
	us, ap := meta.Member{Store: "us-1", Region: "us"}, meta.Member{Store: "ap-1", Region: "ap"}
	for _, tt := range []struct {
		others meta.Members
		want   string
	}{
		{nil, "and none is there"},
		{meta.Members{us}, "and 1 is there, in [us]"},
		{meta.Members{ap, us}, "and 2 are there, in [ap us]"},
	} {
		err := &NotEnoughLiveError{Concern: Concern{Kind: Any, K: 3}, Others: tt.others}
		if !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("got %q, want it to end with %q", err, tt.want)
		}
	}
}
