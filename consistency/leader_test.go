package consistency

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

var (
	ledShard  = feature.Shard{Group: 4}
	ledTarget = []Target{{Shard: ledShard, Placement: feature.Leader}}
)

const euTerm = hlc.Origin(41) // what eu-1 writes as a leader

// newLed is a cluster with a leader group over three regions, led by eu-1: all
// that it wrote, up to 50, is acknowledged at us-1.
func newLed() *cluster {
	c := newCluster()
	c.groups[4] = &feature.Group{ID: 4, Name: "led", Placement: feature.Leader, Durability: "quorum"}
	c.change(func(m *meta.Membership) {
		m.Terms = []meta.Term{{Shard: ledShard, Number: 1, Leader: "eu-1", Origin: euTerm}}
	})
	c.leads, c.lease = map[feature.Shard]hlc.Position{ledShard: {Origin: euTerm, At: 10}}, true
	c.tell("eu-1", hlc.Vector{euTerm: 50})
	c.tell("us-1", hlc.Vector{euTerm: 50})
	return c
}

// setTerm edits the term of the led shard.
func (c *cluster) setTerm(edit func(*meta.Term)) {
	c.change(func(m *meta.Membership) {
		t := m.Terms[0]
		edit(&t)
		m.Terms = []meta.Term{t}
	})
}

// I12, C14: a store answers at level leader while it leads, is certain of it, and
// shows nothing that could be lost with it.
func TestWhoMayAnswerAtLevelLeader(t *testing.T) {
	for _, tt := range []struct {
		claim  string
		change func(*cluster)
		faults fault.Set
		want   error
		text   string
	}{
		{"it leads, has the lease, and a majority has its writes", nil, 0, nil, ""},
		{"nobody led yet", func(c *cluster) { c.leads = nil; c.change(func(m *meta.Membership) { m.Terms = nil }) }, 0, ErrNoLeader, "group led: its first leader is being chosen"},
		{"it hands over", func(c *cluster) {
			c.leads = nil
			c.setTerm(func(t *meta.Term) { t.State, t.Next = meta.Stopping, "us-1" })
		}, 0, ErrNoLeader, "store us-1 takes over from store eu-1"},
		{"it lacks some of the terms before", func(c *cluster) { c.leads = nil }, 0, ErrNoLeader, "store eu-1 is about to lead, and lacks some of the terms before"},
		{"another one leads", func(c *cluster) { c.leads = nil; c.setTerm(func(t *meta.Term) { t.Leader = "us-1" }) }, 0, ErrNotLeader, "partition 0 of group led is led by store us-1 in region us"},
		{"too few promised", func(c *cluster) { c.lease = false }, 0, ErrNoLeader, "too few members have promised"},
		{"too few promised, and the rule is off", func(c *cluster) { c.lease = false }, fault.Of(fault.SkipLease), nil, ""},
		{"a write that it alone has", func(c *cluster) { c.tell("eu-1", hlc.Vector{euTerm: 51}) }, 0, ErrNoLeader, "too few members have its last writes"},
		{"a write that it alone has, and the rule is off", func(c *cluster) { c.tell("eu-1", hlc.Vector{euTerm: 51}) }, fault.Of(fault.SkipCommitGate), nil, ""},
		{"its first entry, which nobody else has", func(c *cluster) { c.tell("us-1", hlc.Vector{euTerm: 9}); c.tell("eu-1", nil) }, 0, ErrNoLeader, "too few members have its last writes"},
		{"who has it is not active", func(c *cluster) { c.setState("us-1", meta.Joining); c.groups[4].Durability = "any:1" }, 0, ErrNoLeader, "too few members"},
		{"another one has it", func(c *cluster) { c.tell("us-1", nil); c.tell("ap-1", hlc.Vector{euTerm: 60}) }, 0, nil, ""},
		{"not all have it, and all must", func(c *cluster) { c.groups[4].Durability = "all" }, 0, ErrNoLeader, "too few members"},
		{"a local write is durable at once", func(c *cluster) { c.groups[4].Durability = "local"; c.tell("us-1", nil) }, 0, nil, ""},
	} {
		c := newLed()
		if tt.change != nil {
			tt.change(c)
		}
		err := c.coordinator(t, func(cfg *Config) { cfg.Faults = tt.faults }).leaderUnmet(ledTarget[0])
		if !errors.Is(err, tt.want) || tt.want != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: got %v, want %v with %q", tt.claim, err, tt.want, tt.text)
		}
	}
}

// I12, C14: what was admitted is looked at once more after the rows were read.
func TestAReadThatLostItsLeaderMeanwhileIsNotMet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leader := Alternative{Level: Leader, Within: time.Second}
		for _, tt := range []struct {
			claim   string
			between func(*cluster)
			degrade bool
			want    error
			met     Level
		}{
			{"nothing happened", func(*cluster) {}, false, nil, Leader},
			{"promises ran out", func(c *cluster) { c.lease = false }, false, ErrNoLeader, Unset},
			{"another write came, and nobody else has it", func(c *cluster) { c.tell("eu-1", hlc.Vector{euTerm: 70}) }, false, ErrNoLeader, Unset},
			{"another write came, and somebody gets it in time", func(c *cluster) {
				c.tell("eu-1", hlc.Vector{euTerm: 70})
				time.AfterFunc(300*time.Millisecond, func() { c.tell("ap-1", hlc.Vector{euTerm: 70}) })
			}, false, nil, Leader},
			{"another store leads", func(c *cluster) { c.leads = nil; c.setTerm(func(t *meta.Term) { t.Leader = "us-1" }) }, false, ErrNotLeader, Unset},
			{"promises ran out, and less will do", func(c *cluster) { c.lease = false }, true, nil, Eventual},
		} {
			c := newLed()
			k := c.coordinator(t)
			r := Read{Alternatives: []Alternative{leader}, Fallback: Fallback{Wait: 30 * time.Millisecond}}
			if tt.degrade {
				r.Fallback.Unmet = Degrade
			}
			met, err := k.AdmitRead(t.Context(), &r, ledTarget)
			if err != nil || met.Met.Level != Leader {
				t.Fatalf("%s: admitted with %v, %v", tt.claim, met.Met, err)
			}
			tt.between(c)
			met, err = k.Confirm(t.Context(), &r, ledTarget, met)
			switch {
			case !errors.Is(err, tt.want):
				t.Errorf("%s: got %v, want %v", tt.claim, err, tt.want)
			case err == nil && (met.Met.Level != tt.met || met.Degraded != tt.degrade):
				t.Errorf("%s: met %v, degraded %v", tt.claim, met.Met, met.Degraded)
			}
			var none *NoLeaderError
			if errors.As(err, &none) && none.Waited != time.Second {
				t.Errorf("%s: waited %v, want the second that it may take", tt.claim, none.Waited)
			}
		}
		// Other levels are not asked again.
		c := newLed()
		c.lease = false
		met := Met{Met: Alternative{Level: Session}}
		if got, err := c.coordinator(t).Confirm(t.Context(), &Read{}, ledTarget, met); err != nil || got.Met.Level != Session {
			t.Errorf("session: got %v, %v", got.Met, err)
		}
	})
}

// A read at level leader waits for its leader to be certain, for as long as it
// may take, and goes to the leader where that is another store.
func TestReadsAtLevelLeaderWaitOrAreForwarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newLed()
		c.lease = false
		k := c.coordinator(t)
		r := Read{Alternatives: []Alternative{{Level: Leader, Within: time.Second}}}
		begun := time.Now()
		time.AfterFunc(200*time.Millisecond, func() { c.lease = true; c.tell("us-1", hlc.Vector{euTerm: 50}) })
		met, err := k.AdmitRead(t.Context(), &r, ledTarget)
		if err != nil || met.Met.Level != Leader || time.Since(begun) < 200*time.Millisecond {
			t.Errorf("got %v, %v after %v", met.Met, err, time.Since(begun))
		}
	})
	c := newLed()
	c.leads = nil
	c.setTerm(func(t *meta.Term) { t.Leader = "us-1" })
	if got := leaderToAsk(c.world(0), ledTarget); len(got) != 1 || got[0].Store != "us-1" {
		t.Errorf("it asks %v, want us-1", got)
	}
	for claim, change := range map[string]func(*cluster){
		"it is out of reach":      func(c *cluster) { delete(c.trips, "us-1") },
		"it hands over":           func(c *cluster) { c.setTerm(func(t *meta.Term) { t.State = meta.Stopping }) },
		"nobody leads":            func(c *cluster) { c.change(func(m *meta.Membership) { m.Terms = nil }) },
		"it has not said its URL": func(c *cluster) { c.change(func(m *meta.Membership) { m.Members[2].URL = "" }) },
		"it is this one":          func(c *cluster) { c.setTerm(func(t *meta.Term) { t.Leader = "eu-1" }) },
	} {
		c := newLed()
		c.setTerm(func(t *meta.Term) { t.Leader = "us-1" })
		change(c)
		if got := leaderToAsk(c.world(0), ledTarget); len(got) > 0 {
			t.Errorf("%s: it asks %v", claim, got)
		}
	}
	// Two shards of two leaders: nobody leads both.
	two := append([]Target{{Shard: feature.Shard{Group: 4, Partition: 1}, Placement: feature.Leader}}, ledTarget...)
	c.change(func(m *meta.Membership) {
		m.Terms = append(m.Terms, meta.Term{Shard: two[0].Shard, Number: 1, Leader: "ap-1", Origin: 42})
	})
	if got := leaderToAsk(c.world(0), two); len(got) > 0 {
		t.Errorf("of two shards with two leaders it asks %v", got)
	}
}

// C15: writes are made where the store leads, and nowhere else.
func TestWritesAreTakenByTheLeaderAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newLed()
		k := c.coordinator(t)
		w := &Write{Concern: Concern{Kind: Local}, Timeout: time.Second}
		if err := k.AdmitWrite(t.Context(), w, ledTarget); err != nil {
			t.Errorf("the leader: %v", err)
		}
		if got := k.OwnLog(ledTarget[0]); got != euTerm {
			t.Errorf("it writes the log of %v, want that of its term", got)
		}
		if got := k.OwnLog(target[0]); got != euStore.Origin {
			t.Errorf("elsewhere it writes the log of %v, want its own", got)
		}
		if _, elsewhere := k.LedElsewhere(ledTarget[0]); elsewhere {
			t.Error("its own shard is led elsewhere")
		}
		// Another one leads.
		c.leads = nil
		c.setTerm(func(t *meta.Term) { t.Leader = "us-1" })
		var not *NotLeaderError
		if err := k.AdmitWrite(t.Context(), w, ledTarget); !errors.As(err, &not) || not.Leader.Store != "us-1" {
			t.Errorf("another one: got %v", err)
		}
		if x, elsewhere := k.LedElsewhere(ledTarget[0]); !elsewhere || x.Store != "us-1" {
			t.Errorf("it is led by %v, %v", x.Store, elsewhere)
		}
		if _, elsewhere := k.LedElsewhere(target[0]); elsewhere {
			t.Error("a shard of another placement is led elsewhere")
		}
		// Nobody leads: it is waited for somebody who does.
		c.setTerm(func(t *meta.Term) { t.State, t.Next = meta.Stopping, "eu-1" })
		begun := time.Now()
		var none *NoLeaderError
		if err := k.AdmitWrite(t.Context(), w, ledTarget); !errors.As(err, &none) || time.Since(begun) != time.Second || none.Waited != time.Second {
			t.Errorf("nobody: got %v after %v", err, time.Since(begun))
		}
		if _, elsewhere := k.LedElsewhere(ledTarget[0]); elsewhere {
			t.Error("what nobody leads is led elsewhere")
		}
		time.AfterFunc(300*time.Millisecond, func() {
			c.leads = map[feature.Shard]hlc.Position{ledShard: {Origin: 43, At: 60}}
			c.setTerm(func(t *meta.Term) { t.Number, t.Leader, t.Origin, t.State, t.Next = 2, "eu-1", 43, meta.Open, "" })
			c.tell("us-1", nil)
		})
		if err := k.AdmitWrite(t.Context(), w, ledTarget); err != nil {
			t.Errorf("somebody in time: got %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		c.leads = nil
		if err := k.AdmitWrite(ctx, w, ledTarget); !errors.Is(err, ErrNoLeader) {
			t.Errorf("its time was up: got %v", err)
		}
	})
}

// C15: require_live looks at the log that the leader writes, not at that of its store.
func TestRequireLiveAsksForTheLeadersLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newLed()
		now := time.Now().UnixMilli()
		c.tell("eu-1", hlc.Vector{euTerm: stamp(now)})
		w := &Write{Concern: Concern{Kind: Local}, RequireLive: feature.RequireLive{Members: 1, MaxLag: 10 * time.Second}}
		for has, want := range map[int64]error{now: nil, now - 9_000: nil, now - 20_000: ErrNotEnoughLive} {
			c.tell("us-1", hlc.Vector{euTerm: stamp(has)})
			if err := c.coordinator(t).AdmitWrite(t.Context(), w, ledTarget); !errors.Is(err, want) {
				t.Errorf("us-1 is %d ms behind: got %v, want %v", now-has, err, want)
			}
		}
	})
}

// C15: a concern of a leader group counts positions of the leader's log.
func TestAcknowledgementsCountTheLeadersLog(t *testing.T) {
	c := newLed()
	w := c.world(0)
	for store, want := range map[meta.StoreID]bool{"us-1": true, "ap-1": false} {
		if got := w.acked(store, ledShard, hlc.Position{Origin: euTerm, At: 50}); got != want {
			t.Errorf("%s has acknowledged: %v, want %v", store, got, want)
		}
	}
	for durability, want := range map[string]int{"": 1, "local": 1, "any:1": 2, "any:9": 3, "quorum": 2, "all": 3, "each_region": 3, "region_quorum": 1, "regions:1": 2} {
		g := &feature.Group{Durability: durability}
		if got := Distinct(g, c.Membership().Members); got != want {
			t.Errorf("durability %q names %d members, want %d", durability, got, want)
		}
	}
}
