package replication

import (
	"context"
	"errors"
	"strings"
	"testing"

	"featurestore/feature"
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
	news := Received{From: "us-1", Message: RegistryNews{Version: feature.RegistryVersion{Revision: 8}}}
	if got := []int{takes(news), takes(news), takes(Adopted{}), takes(news)}; got[0] != 1 || got[1] != 0 || got[3] != 1 {
		t.Errorf("taken %v times, want once, then not before the answer", got)
	}
}

// M3: two stores that take over at once, out of each other's reach, come to one
// document. What counts on the losing side is void, revisions go on rising, and
// the loser says so.
func TestTwoTakeOversAtOnceComeToOneDocument(t *testing.T) {
	before := threeOneEnded(meta.Active) // its home is ap-1
	take := func(by meta.StoreID, changes int) *meta.Membership {
		m, err := before.TakeOver(by)
		for i := 0; i < changes && err == nil; i++ {
			m, err = m.Invite(meta.Member{Store: meta.StoreID("sa-" + string(rune('1'+i))), Region: "sa", Address: "sa:" + string(rune('1'+i))})
		}
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	loses, holds := take("eu-1", 3), take("us-1", 0)
	core := func(self meta.Member, m *meta.Membership) *Core {
		return NewCore(CoreConfig{Self: self, Local: &localFacts{}, Membership: m})
	}
	eu, us := core(member("eu-1", 10, meta.Active), loses), core(member("us-1", 20, meta.Active), holds)

	if got := keeps(drive(us, Opened{Hello: Hello{Member: member("eu-1", 10, meta.Active)}}, Received{From: "eu-1", Message: MembershipNews{Membership: loses}})); len(got) != 0 {
		t.Errorf("us-1 takes the document of eu-1, which has more revisions")
	}
	status := Received{From: "eu-1", Message: Status{Membership: loses.Version()}}
	news := 0
	us.peers["eu-1"].nextNews = 0
	us.Step(us.now, status)
	for _, o := range us.Step(us.now, Tick{Closed: 40}) {
		if s, ok := o.(Send); ok {
			if m, ok := s.Message.(MembershipNews); ok && m.Membership == holds {
				news++
			}
		}
	}
	if news != 1 {
		t.Errorf("us-1 told its document %d times to who follows another home, want once", news)
	}
	if h, _ := us.heardOf("eu-1"); us.membership.Advance(func(meta.StoreID) (meta.Heard, bool) { return h, true }, func(meta.Member) []feature.Shard { return nil }) != us.membership {
		t.Error("who follows another home counts as having this document")
	}
	got := keeps(drive(us, status))
	if len(got) != 1 || got[0].Revision <= loses.Revision || got[0].Home != "us-1" {
		t.Fatalf("us-1 keeps %+v, want its own with a revision beyond %d: floors of sessions wait for that", got, loses.Revision)
	}
	final := got[0]
	if got := keeps(drive(us, Kept{Membership: final}, status)); len(got) != 0 {
		t.Errorf("us-1 raises its revision again and again")
	}

	drive(eu, Opened{Hello: Hello{Member: member("us-1", 20, meta.Active)}})
	if got := keeps(eu.Step(eu.now, Received{From: "us-1", Message: MembershipNews{Membership: final}})); len(got) != 1 || got[0] != final {
		t.Fatalf("eu-1 keeps %v, want the document of us-1", got)
	}
	drive(eu, Kept{Membership: final})
	if eu.membership != final || eu.isHome() {
		t.Errorf("eu-1 goes by %v, want the document of us-1", eu.membership.Version())
	}
	for _, c := range []struct {
		claim string
		self  meta.StoreID
		old   *meta.Membership
		says  string
	}{
		{"the other that took over", "eu-1", loses, "at the same time"},
		{"the home before", "ap-1", before, "another store has taken over"},
		{"one that was no home", "us-1", before, ""},
		{"one that knew nothing", "eu-1", &meta.Membership{}, ""},
	} {
		if got := deposed(c.self, c.old, final); !strings.Contains(got, c.says) || (c.says == "") != (got == "") {
			t.Errorf("%s logs %q, want %q", c.claim, got, c.says)
		}
	}
}
