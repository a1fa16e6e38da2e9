package consistency

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"

	"pgregory.net/rapid"
)

var written = []ShardPosition{{Shard: shard, Position: hlc.Position{Origin: 1, At: 100}}}

func mustConcern(t testing.TB, text string) Concern {
	t.Helper()
	c, err := ParseConcern(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWritesWaitForTheirConcern(t *testing.T) {
	for _, tt := range []struct {
		concern string
		us, ap  time.Duration // when each has it; 0 never
		met     bool
		waited  time.Duration
		regions []meta.Region
	}{
		{"local", 0, 0, true, 0, []meta.Region{"eu"}},
		{"region_quorum", 0, 0, true, 0, []meta.Region{"eu"}},
		{"any:1", 80 * time.Millisecond, 160 * time.Millisecond, true, 80 * time.Millisecond, []meta.Region{"eu", "us"}},
		{"regions:2", 80 * time.Millisecond, 160 * time.Millisecond, true, 160 * time.Millisecond, []meta.Region{"ap", "eu", "us"}},
		{"regions:2", 80 * time.Millisecond, 0, false, 500 * time.Millisecond, []meta.Region{"eu", "us"}},
		{"quorum", 0, 160 * time.Millisecond, true, 160 * time.Millisecond, []meta.Region{"ap", "eu"}},
		{"each_region", 80 * time.Millisecond, 0, false, 500 * time.Millisecond, []meta.Region{"eu", "us"}},
		{"all", 80 * time.Millisecond, 900 * time.Millisecond, false, 500 * time.Millisecond, []meta.Region{"eu", "us"}},
	} {
		t.Run(tt.concern, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				for store, after := range map[meta.StoreID]time.Duration{"us-1": tt.us, "ap-1": tt.ap} {
					if after > 0 {
						time.AfterFunc(after/2, func() { c.tell(store, hlc.Vector{1: 99}) }) // not yet
						time.AfterFunc(after, func() { c.tell(store, hlc.Vector{1: 100}) })
					}
				}
				begin := time.Now()
				got, err := c.coordinator(t).Acknowledge(t.Context(), &Write{Concern: mustConcern(t, tt.concern)}, written)
				if err != nil || got.Met != tt.met || got.Acks.Stores != len(tt.regions) || !slices.Equal(got.Acks.Regions, tt.regions) {
					t.Errorf("got %+v, %v; want met %v by %v", got, err, tt.met, tt.regions)
				}
				if waited := time.Since(begin); waited != tt.waited {
					t.Errorf("waited %v, want %v", waited, tt.waited)
				}
			})
		})
	}
}

// A write of several shards is where its last shard is.
func TestEveryShardOfAWriteCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.tell("us-1", hlc.Vector{1: 100})
		two := append(slices.Clone(written), ShardPosition{Shard: feature.Shard{Group: 1, Partition: 1}, Position: hlc.Position{Origin: 1, At: 101}})
		got, err := c.coordinator(t).Acknowledge(t.Context(), &Write{Concern: mustConcern(t, "any:1"), Timeout: time.Millisecond}, two)
		if err != nil || got.Met || got.Acks.Stores != 1 {
			t.Errorf("got %+v, %v; us-1 has one of two", got, err)
		}
	})
}

func TestWaitsForConcernsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		w := &Write{Concern: mustConcern(t, "any:1"), Timeout: time.Hour}
		begin := time.Now()
		soon, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if got, err := c.coordinator(t).Acknowledge(soon, w, written); err != nil || got.Met || time.Since(begin) != 900*time.Millisecond {
			t.Errorf("near the request's end: got %+v, %v after %v; want the answer with a tenth left", got, err, time.Since(begin))
		}
		gone, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if _, err := c.coordinator(t).Acknowledge(gone, w, written); !errors.Is(err, context.Canceled) {
			t.Errorf("the client went away: %v", err)
		}
	})
}

func TestWritesThatWaitAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		coordinator := c.coordinator(t, func(c *Config) { c.Waiters = 2 })
		w := &Write{Concern: mustConcern(t, "any:1"), Timeout: time.Second}
		for range 2 {
			go func() { _, _ = coordinator.Acknowledge(t.Context(), w, written) }()
		}
		synctest.Wait()
		if err := coordinator.AdmitWrite(t.Context(), w, target); !errors.Is(err, ErrOverloaded) {
			t.Errorf("the third: got %v, want ErrOverloaded", err)
		}
		begin := time.Now()
		if got, err := coordinator.Acknowledge(t.Context(), w, written); got.Met || err != nil || time.Since(begin) != 0 {
			t.Errorf("the third, had it come through: %+v, %v after %v", got, err, time.Since(begin))
		}
		if err := coordinator.AdmitWrite(t.Context(), &Write{Concern: mustConcern(t, "local")}, target); err != nil {
			t.Errorf("one that waits for nobody: %v", err)
		}
		time.Sleep(2 * time.Second)
		if err := coordinator.AdmitWrite(t.Context(), w, target); err != nil {
			t.Errorf("after they ended: %v", err)
		}
	})
}

func TestConcernsOfOneStoreARegionAllocateNothing(t *testing.T) {
	coordinator := newCluster().coordinator(t)
	for _, concern := range []string{"local", "region_quorum"} {
		w := &Write{Concern: mustConcern(t, concern)}
		if n := testing.AllocsPerRun(100, func() { _, _ = coordinator.Acknowledge(t.Context(), w, written) }); n != 0 {
			t.Errorf("%s: %v allocations", concern, n)
		}
	}
}

func TestOnlyActiveStoresTakeWrites(t *testing.T) {
	for state, want := range map[meta.State]error{
		meta.Joining: ErrNotActive, meta.Active: nil, meta.Leaving: ErrNotActive, meta.Fenced: ErrNotActive, meta.Removed: ErrNotActive,
	} {
		c := newCluster()
		c.setState("eu-1", state)
		if err := c.coordinator(t).AdmitWrite(t.Context(), &Write{Concern: Concern{Kind: Local}}, target); !errors.Is(err, want) {
			t.Errorf("%v: got %v, want %v", state, err, want)
		}
	}
}

func TestRequireLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		ago := func(d time.Duration) hlc.Timestamp { return hlc.FromTime(now.Add(-d)) }
		for _, tt := range []struct {
			claim   string
			us, ap  hlc.Timestamp // of what eu-1 wrote
			cut     bool
			members int
			want    error
		}{
			{"both have everything", ago(time.Minute), ago(time.Minute), false, 2, nil},
			{"one lags within the limit", ago(time.Minute) - 1, ago(time.Minute), false, 1, nil},
			{"one lags beyond the limit", ago(time.Hour), ago(time.Minute), false, 2, ErrNotEnoughLive},
			{"one is enough", ago(time.Hour), ago(time.Minute), false, 1, nil},
			{"nobody in reach", ago(time.Minute), ago(time.Minute), true, 1, ErrNotEnoughLive},
			{"more than there are", ago(time.Minute), ago(time.Minute), false, 3, ErrNotEnoughLive},
		} {
			c := newCluster()
			c.tell("eu-1", hlc.Vector{1: ago(time.Minute)})
			c.tell("us-1", hlc.Vector{1: tt.us})
			c.tell("ap-1", hlc.Vector{1: tt.ap})
			if tt.cut {
				c.trips = nil
			}
			w := &Write{Concern: Concern{Kind: Local}, RequireLive: feature.RequireLive{Members: tt.members, MaxLag: 10 * time.Second}}
			if err := c.coordinator(t).AdmitWrite(t.Context(), w, target); !errors.Is(err, tt.want) {
				t.Errorf("%s: got %v, want %v", tt.claim, err, tt.want)
			}
		}
	})
}

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
