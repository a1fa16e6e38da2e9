package consistency

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
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

func TestAStoreSaysWhyItTakesNoWrites(t *testing.T) {
	c := newCluster()
	var why error
	coordinator := c.coordinator(t, func(c *Config) { c.Writable = func() error { return why } })
	w := &Write{Concern: Concern{Kind: Local}}
	if err := coordinator.AdmitWrite(t.Context(), w, target); err != nil {
		t.Error(err)
	}
	why = errors.New("its clock is off")
	if err := coordinator.AdmitWrite(t.Context(), w, target); !errors.Is(err, ErrNotActive) || !errors.Is(err, why) || !strings.Contains(err.Error(), why.Error()) {
		t.Errorf("got %v, want ErrNotActive with the reason", err)
	}
	c.mu.membership = nil
	if err := coordinator.AdmitWrite(t.Context(), w, target); !errors.Is(err, ErrNotActive) {
		t.Errorf("before a membership is known: got %v, want ErrNotActive", err)
	}
	if _, ok := coordinator.MeetsNow(session(), target); ok {
		t.Error("before a membership is known, reads are answered")
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
