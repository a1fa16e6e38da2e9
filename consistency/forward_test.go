package consistency

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"

	"pgregory.net/rapid"
)

func TestForwardsToTheNearestThatHasIt(t *testing.T) {
	const now = int64(10_000)
	p := hlc.Position{Origin: 2, At: stamp(9_000)}
	for _, tt := range []struct {
		claim   string
		level   Alternative
		targets []Target
		change  func(*cluster)
		want    []meta.StoreID
	}{
		{"nobody has told that it has it", Alternative{Level: Session}, target, nil, nil},
		{"the nearest first", Alternative{Level: Session}, target, func(c *cluster) {
			c.tell("us-1", hlc.Vector{2: p.At})
			c.tell("ap-1", hlc.Vector{2: p.At})
		}, []meta.StoreID{"us-1", "ap-1"}},
		{"only who has it", Alternative{Level: Session}, target, func(c *cluster) { c.tell("ap-1", hlc.Vector{2: p.At}) }, []meta.StoreID{"ap-1"}},
		{"not one that is out of reach", Alternative{Level: Session}, target, func(c *cluster) {
			c.tell("us-1", hlc.Vector{2: p.At})
			delete(c.trips, "us-1")
		}, nil},
		{"not one that is not active", Alternative{Level: Session}, target, func(c *cluster) {
			c.tell("us-1", hlc.Vector{2: p.At})
			c.setState("us-1", meta.Leaving)
		}, nil},
		{"not one that does not hold the group", Alternative{Level: Session}, []Target{{Shard: feature.Shard{Group: 3}}}, func(c *cluster) {
			c.tell("us-1", hlc.Vector{2: p.At})
			c.tell("ap-1", hlc.Vector{2: p.At})
		}, []meta.StoreID{"us-1"}},
		{"who holds the group, at whatever level", Alternative{Level: Eventual}, []Target{{Shard: feature.Shard{Group: 2}}}, nil, []meta.StoreID{"us-1"}},
		{"not one whose bound is beyond the one asked", Alternative{Level: Bounded, MaxStaleness: time.Second}, target, func(c *cluster) {
			c.tell("us-1", hlc.Vector{1: stamp(9_900), 2: stamp(9_900), 3: stamp(8_000)})
			c.tell("ap-1", all(stamp(9_900), 1, 2, 3))
		}, []meta.StoreID{"ap-1"}},
		{"leader reads not at all yet", Alternative{Level: Leader}, target, func(c *cluster) { c.tell("us-1", hlc.Vector{2: p.At}) }, nil},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			c := newCluster()
			if tt.change != nil {
				tt.change(c)
			}
			var token Token
			for _, target := range tt.targets {
				token.Note(target.Shard, p)
			}
			got := forwards(c.world(now*int64(time.Millisecond)), tt.level, &token, tt.targets)
			if len(got) != len(tt.want) {
				t.Fatalf("got %v, want %v", got, tt.want)
			}
			for i := range got {
				if got[i].Store != tt.want[i] {
					t.Fatalf("got %v, want %v", got, tt.want)
				}
			}
		})
	}
}

// A floor is forwarded to who has everything of everybody up to its time.
func TestFloorsAreForwardedBySafeTime(t *testing.T) {
	c := newCluster()
	var token Token
	token.raiseFloor(floor{group: 1, at: stamp(500)})
	session := Alternative{Level: Session}
	c.tell("us-1", hlc.Vector{1: stamp(500), 2: stamp(500)})
	if got := forwards(c.world(0), session, &token, target); got != nil {
		t.Errorf("us-1 has nothing of ap-1, and was chosen: %v", got)
	}
	c.tell("us-1", all(stamp(500), 1, 2, 3))
	if got := forwards(c.world(0), session, &token, target); len(got) != 1 {
		t.Errorf("us-1 has everything, got %v", got)
	}
}

// Whoever is chosen meets the read when it is asked, for it has at least what it
// told; and who does not is not chosen (C8).
func TestTheChosenMeetTheRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const now = int64(1_000)
		c := newCluster()
		at := func(name string) hlc.Timestamp { return stamp(rapid.Int64Range(1, now).Draw(t, name)) }
		draw := func(name string) hlc.Vector { return hlc.Vector{1: at(name), 2: at(name), 3: at(name)} }
		told := draw("told")
		c.tell("us-1", told)
		a := rapid.SampledFrom([]Alternative{{Level: Session}, {Level: Bounded, MaxStaleness: 500 * time.Millisecond}}).Draw(t, "level")
		var token Token
		for o := range hlc.Origin(3) {
			if rapid.Bool().Draw(t, "seen") {
				token.Note(shard, hlc.Position{Origin: o + 1, At: at("seen at")})
			}
		}
		if rapid.Bool().Draw(t, "floor") {
			token.raiseFloor(floor{group: shard.Group, at: at("floor at")})
		}
		chosen := len(forwards(c.world(now*int64(time.Millisecond)), a, &token, target)) > 0
		// The same store, as it decides itself: its own log is closed up to more.
		there := told.Merge(draw("since"))
		self := newCluster()
		self.tell("eu-1", there)
		us, err := NewCoordinator(Config{
			Store: &usStore{self}, Self: meta.Member{Store: "us-1", Region: "us"}, Peers: c, Group: c.group,
			Now: func() int64 { return now * int64(time.Millisecond) },
		})
		if err != nil {
			t.Fatal(err)
		}
		_, met := us.MeetsNow(&Read{Alternatives: []Alternative{a}, Token: token}, target)
		if chosen && !met {
			t.Fatalf("%v with %v was sent to who told %v, has %v and does not meet it", a, token, told, there)
		}
		if there.Equal(told) && met != chosen {
			t.Fatalf("%v with %v: chosen %v by %v, which meets it %v", a, token, chosen, told, met)
		}
	})
}

// usStore is the store of us-1.
type usStore struct{ *cluster }

func (s *usStore) Replica(x feature.Shard) Replica {
	return Replica{Progress: s.Acked("eu-1", x), Origins: Origins{Self: 2, SelfAt: stamp(1_000)}}
}

func TestFallbacks(t *testing.T) {
	missing := hlc.Position{Origin: 2, At: 99}
	for _, tt := range []struct {
		claim   string
		steps   []string
		ask     []Alternative
		token   bool
		there   bool // us-1 has it
		again   bool // the read was forwarded here
		leads   bool // the group is one with a leader
		want    error
		forward bool
		met     Level
		waited  time.Duration
	}{
		{claim: "wait, then forward", steps: nil, token: true, there: true, want: ErrBehind, forward: true, waited: 30 * time.Millisecond},
		{claim: "forward at once", steps: []string{"forward", "fail"}, token: true, there: true, want: ErrBehind, forward: true},
		{claim: "one hop only", steps: nil, token: true, there: true, again: true, want: ErrBehind, waited: 30 * time.Millisecond},
		{claim: "no forwarding unless allowed", steps: []string{"wait:10ms", "fail"}, token: true, there: true, want: ErrBehind, waited: 10 * time.Millisecond},
		{claim: "nobody has it", steps: nil, token: true, want: ErrBehind, waited: 30 * time.Millisecond},
		{claim: "degrade where nobody has it", steps: []string{"forward", "degrade"}, token: true, met: Eventual},
		{claim: "forward before degrading", steps: []string{"forward", "degrade"}, token: true, there: true, want: ErrBehind, forward: true},
		{claim: "degrade no further than said", steps: []string{"degrade:session"}, token: true, want: ErrTooStale,
			ask: []Alternative{{Level: Bounded, MaxStaleness: time.Second}}},
		{claim: "degrade to session", steps: []string{"degrade:session"}, met: Session,
			ask: []Alternative{{Level: Bounded, MaxStaleness: time.Second}}},
		{claim: "a later alternative before another store", steps: nil, token: true, there: true, met: Eventual, waited: 5 * time.Millisecond,
			ask: []Alternative{{Level: Session, Within: 5 * time.Millisecond}, {Level: Eventual}}},
		{claim: "each alternative has its time", steps: []string{"fail"}, token: true, want: ErrBehind, waited: 12 * time.Millisecond,
			ask: []Alternative{{Level: Session, Within: 5 * time.Millisecond}, {Level: Bounded, MaxStaleness: time.Hour, Within: 7 * time.Millisecond}}},
		{claim: "quorum of several is not claimed", ask: []Alternative{{Level: Quorum}}, want: ErrLevelNotOffered},
		{claim: "where nobody leads yet, none is claimed", ask: []Alternative{{Level: Leader}}, leads: true, want: ErrNoLeader, waited: 30 * time.Millisecond},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				if tt.there {
					c.tell("us-1", hlc.Vector{2: missing.At})
				}
				r := session()
				if tt.token {
					r = session(missing)
				}
				if tt.ask != nil {
					r.Alternatives = tt.ask
				}
				r.Forwarded = tt.again
				var err error
				if r.Fallback, err = ParseFallback(tt.steps); err != nil {
					t.Fatal(err)
				}
				asked := slices.Clone(target)
				if tt.leads {
					asked[0].Placement = feature.Leader
				}
				met, err := c.coordinator(t).AdmitRead(t.Context(), r, asked)
				var forward *ForwardError
				if !errors.Is(err, tt.want) || errors.As(err, &forward) != tt.forward {
					t.Fatalf("got %v, want %v, forwarded %v", err, tt.want, tt.forward)
				}
				if forward != nil && (forward.To[0].Store != "us-1" || forward.Waited != tt.waited) {
					t.Errorf("forwarded to %v after %v", forward.To, forward.Waited)
				}
				if met.Waited != tt.waited || err == nil && met.Met.Level != tt.met {
					t.Errorf("got %+v, want %v after %v", met, tt.met, tt.waited)
				}
				if err == nil && met.Degraded != (r.Fallback.Unmet == Degrade) {
					t.Errorf("degraded %v", met.Degraded)
				}
			})
		})
	}
}

// What is not met elsewhere either is answered as the fallback says.
func TestNobodyTookTheRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.tell("us-1", hlc.Vector{2: 99})
		r := session(hlc.Position{Origin: 2, At: 99})
		for _, unmet := range []Unmet{Fail, Degrade} {
			r.Fallback.Unmet = unmet
			_, err := c.coordinator(t).AdmitRead(t.Context(), r, target)
			var forward *ForwardError
			if !errors.As(err, &forward) {
				t.Fatalf("got %v, want it forwarded", err)
			}
			met, err := c.coordinator(t).NotForwarded(r, target, forward)
			if unmet == Fail != errors.Is(err, ErrBehind) || unmet == Degrade != met.Degraded || met.Waited != 30*time.Millisecond {
				t.Errorf("unmet %v: got %+v, %v", unmet, met, err)
			}
		}
	})
}

func TestGroupsOfOtherRegionsAreNotAnsweredHere(t *testing.T) {
	c := newCluster()
	r := &Read{Alternatives: []Alternative{{Level: Eventual}}, Fallback: Fallback{Unmet: Degrade}}
	there := []Target{{Shard: feature.Shard{Group: 2}}}
	_, err := c.coordinator(t).AdmitRead(t.Context(), r, there)
	var forward *ForwardError
	if !errors.As(err, &forward) || forward.To[0].Store != "us-1" || !errors.Is(err, ErrElsewhere) {
		t.Errorf("got %v, want it forwarded to us-1", err)
	}
	c.trips = nil
	if _, err := c.coordinator(t).AdmitRead(t.Context(), r, there); !errors.Is(err, ErrElsewhere) {
		t.Errorf("out of reach: got %v, want ErrElsewhere", err)
	}
	if err := c.coordinator(t).AdmitWrite(t.Context(), &Write{Concern: Concern{Kind: Local}}, there); !errors.Is(err, ErrElsewhere) {
		t.Errorf("a write: got %v, want ErrElsewhere", err)
	}
}

// A store that copies what it does not have yet answers nothing from it, not
// even at eventual, and one that was put out answers nothing any more.
func TestStoresThatServeNothingSendReadsOn(t *testing.T) {
	for state, serves := range map[meta.State]bool{
		meta.Joining: false, meta.Active: true, meta.Leaving: true, meta.Fenced: true, meta.Removed: false,
	} {
		c := newCluster()
		c.setState("eu-1", state)
		r := &Read{Alternatives: []Alternative{{Level: Eventual}}, Fallback: Fallback{Unmet: Degrade}}
		_, err := c.coordinator(t).AdmitRead(t.Context(), r, target)
		var forward *ForwardError
		if serves != (err == nil) || !serves && (!errors.As(err, &forward) || !errors.Is(err, ErrNotActive)) {
			t.Errorf("%v: got %v, want served %v, else sent on", state, err, serves)
		}
		c.trips = nil
		if _, err = c.coordinator(t).AdmitRead(t.Context(), r, target); !serves && !errors.Is(err, ErrNotActive) {
			t.Errorf("%v with nobody in reach: got %v, want ErrNotActive", state, err)
		}
	}
}

func TestTokensFromTheFutureAreRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		in := func(d time.Duration) *Read {
			return session(hlc.Position{Origin: 2, At: hlc.FromTime(time.Now().Add(d))})
		}
		if met, err := c.coordinator(t).AdmitRead(t.Context(), in(time.Minute), target); !errors.Is(err, ErrTokenInvalid) || met.Waited != 0 {
			t.Errorf("a minute ahead: got %v, want ErrTokenInvalid", err)
		}
		if _, err := c.coordinator(t).AdmitRead(t.Context(), in(time.Second), target); !errors.Is(err, ErrBehind) {
			t.Errorf("a second ahead, as a clock may be after a crash: got %v, want ErrBehind", err)
		}
		w := Write{Token: in(time.Minute).Token, Concern: Concern{Kind: Local}}
		if err := c.coordinator(t).AdmitWrite(t.Context(), &w, target); !errors.Is(err, ErrTokenInvalid) {
			t.Errorf("a write a minute ahead: got %v, want ErrTokenInvalid", err)
		}
	})
}

// The negative control of C1: with the wait left out, a read is answered that
// misses what its token names.
func TestSkippedWaitIsSeen(t *testing.T) {
	c := newCluster()
	r := session(hlc.Position{Origin: 2, At: 99})
	if _, ok := c.coordinator(t).MeetsNow(r, target); ok {
		t.Error("met without what the token names")
	}
	if _, ok := c.coordinator(t, func(c *Config) { c.Faults = fault.Of(fault.SkipSessionWait) }).MeetsNow(r, target); !ok {
		t.Error("the planted fault does nothing")
	}
}

// A covered token costs a comparison: nothing is allocated for it, nor for the
// lag that is told.
func TestMeetsNowAllocatesNothing(t *testing.T) {
	c := newCluster()
	c.tell("eu-1", all(stamp(500), 1, 2, 3))
	r := session(hlc.Position{Origin: 1, At: 5}, hlc.Position{Origin: 2, At: stamp(500)}, hlc.Position{Origin: 3, At: 7})
	coordinator := c.coordinator(t)
	coordinator.MeetsNow(r, target)
	if n := testing.AllocsPerRun(100, func() {
		if _, ok := coordinator.MeetsNow(r, target); !ok {
			t.Fatal("not met")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMeetsNow(b *testing.B) {
	c := newCluster()
	c.tell("eu-1", all(stamp(500), 1, 2, 3))
	coordinator := c.coordinator(b)
	for _, level := range []Level{Eventual, Session} {
		b.Run(level.String(), func(b *testing.B) {
			b.ReportAllocs()
			r := session(hlc.Position{Origin: 1, At: 5}, hlc.Position{Origin: 2, At: stamp(500)}, hlc.Position{Origin: 3, At: 7})
			r.Alternatives[0].Level = level
			for b.Loop() {
				coordinator.MeetsNow(r, target)
			}
		})
	}
}
