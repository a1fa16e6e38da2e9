package meta

import (
	"slices"
	"testing"
)

func TestOnlyActiveMembersCount(t *testing.T) {
	members := Members{
		{Store: "eu-1", Region: "eu", State: Active},
		{Store: "us-1", Region: "us", State: Joining},
		{Store: "eu-2", Region: "eu", State: Active},
		{Store: "ap-1", Region: "ap", State: Removed},
	}
	if got := members.Active(); len(got) != 2 || got[0].Store != "eu-1" || got[1].Store != "eu-2" {
		t.Errorf("active members are %v, want eu-1 and eu-2", got)
	}
	if got, want := members.Regions(), []Region{"eu", "us", "ap"}; !slices.Equal(got, want) {
		t.Errorf("regions are %v, want %v", got, want)
	}
	if got := members.In("us"); len(got) != 1 || got[0].Store != "us-1" {
		t.Errorf("members in us are %v, want us-1", got)
	}
	if len(members) != 4 || members[1].Store != "us-1" {
		t.Errorf("asking changed the members: %v", members)
	}
}

func TestStatesPrintTheirNames(t *testing.T) {
	for s, want := range map[State]string{Joining: "joining", Active: "active", Leaving: "leaving", Fenced: "fenced", Removed: "removed", 9: "unknown"} {
		if got := s.String(); got != want {
			t.Errorf("state %d prints %q, want %q", s, got, want)
		}
	}
}
