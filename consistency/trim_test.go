package consistency

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"featurestore/hlc"
	"featurestore/meta"

	"pgregory.net/rapid"
)

// A floor made here is covered only by those who know the origins it spans.
func TestFloorsNameTheMembershipTheySpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		coordinator := c.coordinator(t)
		r := session()
		for o := range MaxPositions + 1 {
			r.Token.Note(shard, hlc.Position{Origin: hlc.Origin(o + 1), At: 50})
		}
		if r.Token.Revision != 0 || !r.Token.hasFloors() {
			t.Fatalf("token %+v", r.Token)
		}
		coordinator.Trim(&r.Token)
		if r.Token.Revision != 7 {
			t.Errorf("revision %d, want 7", r.Token.Revision)
		}
		c.tell("eu-1", all(stamp(1), 1, 2, 3))
		if _, ok := coordinator.MeetsNow(r, target); !ok {
			t.Error("not met by who has everything")
		}
		c.change(func(m *meta.Membership) { m.Revision = 5 })
		if _, err := coordinator.AdmitRead(t.Context(), r, target); !errors.Is(err, ErrBehind) {
			t.Errorf("with an older membership: got %v, want ErrBehind", err)
		}
		c.change(func(m *meta.Membership) { m.Revision = 20 })
		if coordinator.Trim(&r.Token); r.Token.Revision != 7 {
			t.Errorf("revision %d of a floor that was made before", r.Token.Revision)
		}
	})
}

// What a trimmed token leaves out, every member has that may answer it.
func TestTrimDropsWhatEveryMemberHas(t *testing.T) {
	const now = int64(10_000_000)
	rapid.Check(t, func(t *rapid.T) {
		c := newCluster()
		c.setState("ap-1", rapid.SampledFrom([]meta.State{meta.Active, meta.Joining, meta.Removed}).Draw(t, "ap"))
		at := func(name string) hlc.Timestamp { return stamp(rapid.Int64Range(1, now/1e3).Draw(t, name)) }
		for _, store := range []meta.StoreID{"eu-1", "us-1", "ap-1"} {
			v := hlc.Vector{}
			for o := range 12 {
				v[hlc.Origin(o+1)] = at("acked")
			}
			c.tell(store, v)
		}
		coordinator, err := NewCoordinator(Config{Store: c, Self: euStore, Peers: c, Group: c.group, Now: func() int64 { return now * 1e6 }})
		if err != nil {
			t.Fatal(err)
		}
		var token, trimmed Token
		for o := range rapid.IntRange(0, 12).Draw(t, "positions") {
			p := hlc.Position{Origin: hlc.Origin(o + 1), At: at("position")}
			token.Note(shard, p)
			trimmed.Note(shard, p)
		}
		coordinator.Trim(&trimmed)
		left := hlc.Vector{}
		trimmed.Positions(shard, func(p hlc.Position) bool { left[p.Origin] = p.At; return true })
		token.Positions(shard, func(p hlc.Position) bool {
			everywhere := true
			for _, m := range c.Membership().Members {
				everywhere = everywhere && (m.State == meta.Removed || c.Acked(m.Store, shard)[p.Origin] >= p.At)
			}
			few := len(token.positions) <= keptPositions
			if kept := left[p.Origin] == p.At; kept != (few || !everywhere) {
				t.Fatalf("%v: kept %v of %d positions, everywhere %v", p, kept, len(token.positions), everywhere)
			}
			return true
		})
	})
}

// Who read siblings may mean to replace them, however old they are: the token of
// that answer is stamped, not trimmed.
func TestStampKeepsWhatTrimDrops(t *testing.T) {
	c := newCluster()
	everything := hlc.Vector{}
	var token Token
	for o := range hlc.Origin(keptPositions + 2) {
		everything[o+1] = stamp(9)
		token.Note(shard, hlc.Position{Origin: o + 1, At: stamp(9)})
	}
	for _, store := range []meta.StoreID{"eu-1", "us-1", "ap-1"} {
		c.tell(store, everything)
	}
	coordinator, err := NewCoordinator(Config{
		Store: c, Self: euStore, Peers: c, Group: c.group, Now: func() int64 { return int64(time.Hour) },
	})
	if err != nil {
		t.Fatal(err)
	}
	coordinator.Stamp(&token)
	if n := len(token.positions); n != keptPositions+2 {
		t.Errorf("stamped: %d positions, want all %d", n, keptPositions+2)
	}
	if coordinator.Trim(&token); len(token.positions) != 0 {
		t.Errorf("trimmed: %d positions, want none, for every member has them", len(token.positions))
	}
}
