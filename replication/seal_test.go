package replication

import (
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication/oplog"
)

// threeOneEnded is a document of eu-1, us-1 and ap-1, and of origin 9, whose log
// ended at 100.
func threeOneEnded(us meta.State) *meta.Membership {
	return &meta.Membership{
		Epoch: 1, Revision: 7, Home: "ap-1",
		Members: meta.Members{member("ap-1", 30, meta.Active), member("eu-1", 10, meta.Active), member("us-1", 20, us)},
		Seals:   []meta.Seal{{Origin: 9, Store: "sa-1", Final: map[feature.Shard]hlc.Timestamp{onlyShard: 100}}},
	}
}

// statuses are the revisions and the heads of the ended log that outputs tell.
func statuses(out []Output) (revisions []uint64, heads []hlc.Timestamp) {
	for _, o := range out {
		if s, ok := o.(Send); ok {
			if m, ok := s.Message.(Status); ok {
				revisions, heads = append(revisions, m.Membership.Revision), append(heads, m.Heads[onlyShard][9])
			}
		}
	}
	return revisions, heads
}

// M6: what a member tells of an ended log, once it has told that it obeys the
// fence of another, is all that it may ever get from that other.
func TestNothingOfAnEndedLogIsTakenFromAFencedMember(t *testing.T) {
	local := &localFacts{progress: hlc.Vector{9: 50}, heads: hlc.Vector{9: 50}}
	before := threeOneEnded(meta.Active)
	before.Revision = 6
	c := NewCore(CoreConfig{Self: member("eu-1", 10, meta.Active), Local: local, Membership: before})
	drive(c, Opened{Hello: Hello{Member: member("us-1", 20, meta.Active)}}, Opened{Hello: Hello{Member: member("ap-1", 30, meta.Active)}}, Tick{Closed: 40}, WritingSet{Allowed: true})
	stretch := func(after, at hlc.Timestamp) Interval {
		return Interval{oplog.Interval{Shard: onlyShard, Origin: 9, After: after, Through: at, Entries: []oplog.Logged{{Entry: oplog.Entry{Origin: 9, At: at, Prev: after}}}}}
	}
	joins := func(out []Output) (n int) {
		for _, o := range out {
			if _, ok := o.(Join); ok {
				n++
			}
		}
		return n
	}
	if n := joins(drive(c, Received{From: "us-1", Message: stretch(50, 60)})); n != 1 {
		t.Fatalf("%d stretches were taken from a member, want 1", n)
	}
	fenced := threeOneEnded(meta.Fenced)
	revisions, _ := statuses(drive(c, Received{From: "ap-1", Message: MembershipNews{Membership: fenced}}, Kept{Membership: fenced}, Tick{Closed: 41}))
	for _, r := range revisions {
		if r >= fenced.Revision {
			t.Errorf("it tells that it obeys while what it took before is on its way to the disk")
		}
	}
	if n := joins(drive(c, Received{From: "us-1", Message: stretch(60, 70)})); n != 0 {
		t.Error("it takes more of an ended log from a fenced member")
	}
	local.progress, local.heads = hlc.Vector{9: 60}, hlc.Vector{9: 60}
	revisions, heads := statuses(drive(c, Joined{Shard: onlyShard, Position: hlc.Position{Origin: 9, At: 60}}, Tick{Closed: 42}))
	if n := len(revisions); n == 0 || revisions[n-1] != fenced.Revision || heads[n-1] != 60 {
		t.Errorf("it told revisions %v with heads %v of the ended log, want %d and 60 in the end", revisions, heads, fenced.Revision)
	}
	for _, s := range c.sources(9, c.inReach()) {
		if s.id == "us-1" {
			t.Error("it follows an ended log at a fenced member")
		}
	}
	if n := joins(drive(c, Received{From: "ap-1", Message: stretch(60, 70)})); n != 1 {
		t.Error("it takes no more of an ended log from another member")
	}
}

// M6: rows that a fenced member sent before land before it is told that the fence
// is obeyed: progress may rise with them.
func TestRowsOfAFencedMemberLandFirst(t *testing.T) {
	c := NewCore(CoreConfig{Self: member("eu-1", 10, meta.Active), Local: &localFacts{}, Membership: threeOneEnded(meta.Fenced)})
	c.shard(onlyShard).rebuild = &rebuild{joining: true, sender: "us-1"}
	x, _ := c.membership.Member("us-1")
	if !c.isLanding(x) {
		t.Error("a chunk of the fenced member is on its way into the store, and nothing waits for it")
	}
	if c.shards[onlyShard].rebuild.sender = "ap-1"; c.isLanding(x) {
		t.Error("a chunk of another member is waited for")
	}
}

// A store that is handing its tail over begins again where its seal is now.
func TestATailGrowsWhenItsSealIsLowered(t *testing.T) {
	local := &localFacts{heads: hlc.Vector{10: 150}}
	document := func(revision uint64, final hlc.Timestamp) *meta.Membership {
		return &meta.Membership{Epoch: 1, Revision: revision, Home: "us-1",
			Members: meta.Members{member("eu-1", 10, meta.Removed), member("us-1", 20, meta.Active)},
			Seals:   []meta.Seal{{Origin: 10, Store: "eu-1", Final: map[feature.Shard]hlc.Timestamp{onlyShard: final}}}}
	}
	c := NewCore(CoreConfig{Self: member("eu-1", 10, meta.Removed), Local: local, Membership: document(5, 100)})
	offers := func(out []Output) (after []hlc.Timestamp) {
		for _, o := range out {
			if s, ok := o.(Salvage); ok {
				after = append(after, s.After.At)
			}
		}
		return after
	}
	told := func(out []Output) (m Relogged) {
		for _, o := range out {
			if s, ok := o.(Send); ok {
				if r, ok := s.Message.(Relogged); ok {
					m = r
				}
			}
		}
		return m
	}
	if got := offers(drive(c, Opened{Hello: Hello{Member: member("us-1", 20, meta.Active)}})); len(got) != 1 || got[0] != 100 {
		t.Fatalf("offered after %v, want 100", got)
	}
	lower := document(6, 50)
	if got := offers(drive(c, Received{From: "us-1", Message: MembershipNews{Membership: lower}}, Kept{Membership: lower})); len(got) != 0 {
		t.Fatalf("offered after %v while a piece is being read", got)
	}
	if got := offers(drive(c, Salvaged{Shard: onlyShard, Origin: 10, Empty: true})); len(got) != 1 || got[0] != 50 {
		t.Fatalf("offered after %v once the seal is at 50", got)
	}
	as := hlc.Position{Origin: 20, At: 400}
	late := Relogged{Shard: onlyShard, Origin: 10, After: 100, UpTo: 150, As: as}
	if got := told(drive(c, Salvaged{Shard: onlyShard, Origin: 10}, Received{From: "us-1", Message: late})); got.UpTo != 0 {
		t.Errorf("it tells %+v, though what lies between the seals was not logged again", got)
	}
	if got := told(drive(c, Received{From: "us-1", Message: Relogged{Shard: onlyShard, Origin: 10, After: 40, UpTo: 150, As: as}})); got != (Relogged{Shard: onlyShard, Origin: 10, After: 50, UpTo: 150, As: as}) {
		t.Errorf("it tells %+v, want all after 50", got)
	}
}

// The home does not take what was logged again from an earlier, greater seal for
// all of the tail.
func TestAHoleBelowALoweredSealIsNoSalvage(t *testing.T) {
	m := threeOneEnded(meta.Active)
	m.Home = "eu-1"
	for _, c := range []struct {
		after hlc.Timestamp
		want  bool
	}{{120, false}, {100, true}, {90, true}} {
		core := NewCore(CoreConfig{Self: member("eu-1", 10, meta.Active), Local: &localFacts{}, Membership: m})
		drive(core, Opened{Hello: Hello{Member: member("sa-1", 9, meta.Removed)}, Serving: true})
		out := core.Step(Instant{Mono: time.Second}, Received{From: "sa-1", Message: Relogged{Shard: onlyShard, Origin: 9, After: c.after, UpTo: 150, As: hlc.Position{Origin: 10, At: 400}}})
		if got := len(keeps(out)) == 1; got != c.want {
			t.Errorf("a tail after %v of a log that ended at 100 is noted: %v, want %v", c.after, got, c.want)
		}
	}
}
