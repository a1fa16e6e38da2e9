package sdk

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"featurestore/api"
)

func TestALookupGotWhatItsWeakestPartGot(t *testing.T) {
	near := metOf(api.ConsistencyMet{Asked: "session", Met: "session", Region: "eu", Store: "eu-1", WaitedMs: 3, StalenessMs: map[string]int64{"us": 40, "ap": 7}})
	far := metOf(api.ConsistencyMet{Asked: "session", Met: "eventual", Degraded: true, Region: "us", Store: "us-1", Forwarded: true, StalenessMs: map[string]int64{"us": 10, "ap": 90}})
	far.Hedged = true
	want := Met{
		Asked: Session, Level: Eventual, Degraded: true, Region: "eu", Store: "eu-1", Forwarded: true, Hedged: true,
		Waited: 3 * time.Millisecond, Staleness: map[string]time.Duration{"us": 40 * time.Millisecond, "ap": 90 * time.Millisecond},
	}
	if got := near.and(far); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	want.Region, want.Store = "us", "us-1"
	if got := far.and(near); !reflect.DeepEqual(got, want) {
		t.Errorf("the other way round: got  %+v\nwant %+v", got, want)
	}
	if got := want.StalenessMax(); got != 90*time.Millisecond {
		t.Errorf("got staleness %v at most, want 90ms", got)
	}
	three := metOf(api.ConsistencyMet{Met: "quorum", Members: &api.MembersRead{Read: 3, Of: 5}})
	two := metOf(api.ConsistencyMet{Met: "quorum", Members: &api.MembersRead{Read: 2, Of: 3}})
	for _, got := range []Met{three.and(two), two.and(three)} {
		if got.Members != 2 || got.MembersOf != 3 {
			t.Errorf("got %d of %d members, want those of the part with the fewest", got.Members, got.MembersOf)
		}
	}
	unheard := metOf(api.ConsistencyMet{StalenessMs: map[string]int64{"us": 1, "ap": api.UnknownStalenessMs}})
	if got := unheard.StalenessMax(); got != UnknownStaleness {
		t.Errorf("got staleness %v of a region that was never heard of, want %v", got, UnknownStaleness)
	}
	if got := (Met{}).StalenessMax(); got != 0 {
		t.Errorf("got staleness %v without another region, want 0", got)
	}
}

func TestReadOptionsAreOneHeader(t *testing.T) {
	for _, c := range []struct {
		options ReadOptions
		want    string
		fault   string
	}{
		{ReadOptions{}, "", ""},
		{ReadOptions{Level: Bounded, MaxStaleness: time.Second, Hedge: time.Second}, "bounded; max-staleness=1s", ""},
		{ReadOptions{Prefer: []Alternative{{Level: Session, Within: 5 * time.Millisecond}, {Level: Eventual}}}, "session; within=5ms, eventual", ""},
		{ReadOptions{Level: Quorum, Members: 2, Repair: NoRepair}, "quorum; members=2; repair=none", ""},
		{ReadOptions{Level: Session, Members: 2}, "", "belong to read level quorum"},
		{ReadOptions{Level: Quorum, Members: -1}, "", "Members is -1"},
		{ReadOptions{Level: Quorum, Repair: "later"}, "", "use blocking or none"},
		{ReadOptions{Level: "strong"}, "", `read level "strong" is not known`},
		{ReadOptions{Level: Bounded}, "", "needs MaxStaleness"},
		{ReadOptions{Level: Session, MaxStaleness: 1}, "", "belongs to read level bounded"},
		{ReadOptions{Level: Session, Prefer: []Alternative{{Level: Eventual}}}, "", "both Level and Prefer"},
		{ReadOptions{Prefer: []Alternative{{Level: Session, Within: -1}}}, "", "Within is -1ns"},
		{ReadOptions{Hedge: -1}, "", "Hedge is -1ns"},
	} {
		got, err := c.options.header()
		if got != c.want || (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%+v: got %q, %v; want %q, %q", c.options, got, err, c.want, c.fault)
		}
	}
}
