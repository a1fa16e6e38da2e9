package replication

import (
	"context"
	"errors"
	"testing"

	"featurestore/hlc"
	"featurestore/meta"
)

// keeps are the documents that outputs write.
func keeps(out []Output) (documents []*meta.Membership) {
	for _, o := range out {
		if k, ok := o.(Keep); ok {
			documents = append(documents, k.Membership)
		}
	}
	return documents
}

// A home whose disk is full does not ask it again and again.
func TestAMembershipThatTheDiskRefusedRests(t *testing.T) {
	moved := meta.Member{Store: "eu-1", Region: "eu", Origin: 1, URL: "http://eu.example:8080"}
	for claim, cfg := range map[string]CoreConfig{
		"a home":    {Self: moved, Membership: twoStores(t)},
		"a founder": {Self: moved, Founder: true},
	} {
		cfg.Local = &localFacts{progress: hlc.Vector{}}
		c := NewCore(cfg)
		first := keeps(drive(c, Tick{Closed: 40}))
		if len(first) != 1 {
			t.Fatalf("%s writes %d documents, want 1", claim, len(first))
		}
		if again := keeps(drive(c, Kept{Membership: first[0], Err: errors.New("the disk is full")})); len(again) > 0 {
			t.Errorf("%s writes it again at once", claim)
		}
		c.now.Mono += c.cfg.Stall
		if later := keeps(drive(c, Tick{Closed: 41})); len(later) != 1 {
			t.Errorf("%s writes %d documents after a while, want 1", claim, len(later))
		}
	}
}

// documents is a store that keeps memberships.
type documents struct {
	Store
	last []byte
}

func (d *documents) SetMembership(_ context.Context, encoded []byte) error {
	d.last = encoded
	return nil
}

// What others rely on is on disk after a restart, in whatever order documents
// come there.
func TestAnOlderMembershipIsNotWrittenOverANewer(t *testing.T) {
	older := twoStores(t)
	newer, err := older.TakeOver("us-1")
	if err != nil {
		t.Fatal(err)
	}
	var disk documents
	n := &Node{cfg: Config{Store: &disk}.withDefaults()}
	for _, m := range []*meta.Membership{newer, older} {
		if err := n.keep(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	got, err := meta.DecodeMembership(disk.last)
	if err != nil || got.Compare(newer) != 0 {
		t.Errorf("on disk is %+v, %v; want the newer", got, err)
	}
}

// While definitions are on their way to the disk no others are taken, however
// often they come.
func TestDefinitionsAreTakenOneAfterTheOther(t *testing.T) {
	c := coreOfTwo()
	takes := func(in Input) (n int) {
		for _, o := range c.Step(c.now, in) {
			if _, ok := o.(AdoptRegistry); ok {
				n++
			}
		}
		return n
	}
	news := Received{From: "us-1", Message: RegistryNews{Revision: 8}}
	if got := []int{takes(news), takes(news), takes(Adopted{}), takes(news)}; got[0] != 1 || got[1] != 0 || got[3] != 1 {
		t.Errorf("taken %v times, want once, then not before the answer", got)
	}
}
