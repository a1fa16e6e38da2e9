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

func TestLagsOfEachRegion(t *testing.T) {
	const now = int64(10_000)
	ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	for _, tt := range []struct {
		claim    string
		change   func(*cluster)
		shard    feature.Shard
		progress hlc.Vector
		want     map[meta.StoreID]time.Duration
	}{
		{"now minus progress", nil, shard, hlc.Vector{1: stamp(9_000), 2: stamp(9_900), 3: stamp(9_500)},
			map[meta.StoreID]time.Duration{"eu-1": 0, "us-1": ms(100), "ap-1": ms(500)}},
		{"a clock ahead may hide as much", func(c *cluster) { c.ahead["us-1"] = ms(30) }, shard, hlc.Vector{2: stamp(9_900), 3: stamp(10_020)},
			map[meta.StoreID]time.Duration{"eu-1": 0, "us-1": ms(130), "ap-1": 0}},
		{"never heard of is not fresh", nil, shard, hlc.Vector{2: stamp(9_900)},
			map[meta.StoreID]time.Duration{"eu-1": 0, "us-1": ms(100), "ap-1": UnknownLag}},
		{"regions that do not hold the group do not count", nil, feature.Shard{Group: 3}, hlc.Vector{2: stamp(9_900)},
			map[meta.StoreID]time.Duration{"eu-1": 0, "us-1": ms(100)}},
		{"a joining member may write before all know", func(c *cluster) { c.setState("ap-1", meta.Joining) }, shard, hlc.Vector{2: stamp(9_900), 3: stamp(9_000)},
			map[meta.StoreID]time.Duration{"eu-1": 0, "us-1": ms(100), "ap-1": ms(1_000)}},
		{"an ended log that is whole does not count", func(c *cluster) {
			c.setState("us-1", meta.Removed)
			c.change(func(m *meta.Membership) {
				m.Seals = []meta.Seal{{Origin: 2, Store: "us-1", Final: map[feature.Shard]hlc.Timestamp{shard: stamp(5_000)}}}
			})
		}, shard, hlc.Vector{2: stamp(5_000), 3: stamp(10_000)}, map[meta.StoreID]time.Duration{"eu-1": 0, "ap-1": 0}},
		{"an ended log of which something is missing counts", func(c *cluster) {
			c.setState("us-1", meta.Removed)
			c.change(func(m *meta.Membership) {
				m.Seals = []meta.Seal{{Origin: 2, Store: "us-1", Final: map[feature.Shard]hlc.Timestamp{shard: stamp(5_000)}}}
			})
		}, shard, hlc.Vector{2: stamp(4_000), 3: stamp(10_000)}, map[meta.StoreID]time.Duration{"eu-1": 0, "us-1": ms(6_000), "ap-1": 0}},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			c := newCluster()
			if tt.change != nil {
				tt.change(c)
			}
			got := map[meta.StoreID]time.Duration{}
			lags(c.world(now*int64(time.Millisecond)), tt.shard, tt.progress, 1, func(l Lag) { got[l.Store] = l.Time })
			if len(got) != len(tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			for store, want := range tt.want {
				if got[store] != want {
					t.Errorf("%s: got %v, want %v", store, got[store], want)
				}
			}
		})
	}
}

// Nothing accepted longer ago than the bound is missing, given facts that are
// true of stores whose clocks are off.
func TestLagIsTrueWhateverClocksSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const now = 100_000
		c := newCluster()
		offset := map[hlc.Origin]int64{}
		for o, store := range map[hlc.Origin]meta.StoreID{2: "us-1", 3: "ap-1"} {
			offset[o] = rapid.Int64Range(-300, 300).Draw(t, "offset")
			known := max(0, offset[o]) + rapid.Int64Range(0, 50).Draw(t, "margin")
			c.ahead[store] = time.Duration(known) * time.Millisecond
		}
		progress := hlc.Vector{2: stamp(rapid.Int64Range(1, now).Draw(t, "us")), 3: stamp(rapid.Int64Range(1, now).Draw(t, "ap"))}
		bound := worst(c.world(now*int64(time.Millisecond)), shard, progress, 1)
		for range 20 {
			o := rapid.SampledFrom([]hlc.Origin{2, 3}).Draw(t, "origin")
			accepted := rapid.Int64Range(1_000, now).Draw(t, "accepted")
			stamped := stamp(accepted + offset[o])
			if age := time.Duration(now-accepted) * time.Millisecond; age > bound.Time && stamped > progress[o] {
				t.Fatalf("accepted %v ago by %v and missing, bound %v: offset %d, progress %v", age, o, bound, offset[o], progress[o])
			}
		}
	})
}

func TestAnswersTellTheLagOfEveryOtherRegion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		now := time.Now()
		ago := func(d time.Duration) hlc.Timestamp { return hlc.FromTime(now.Add(-d)) }
		c.tell("eu-1", hlc.Vector{2: ago(40 * time.Millisecond)})
		r := &Read{Alternatives: []Alternative{{Level: Eventual}}}
		met, ok := c.coordinator(t).MeetsNow(r, target)
		want := []Lag{{Region: "ap", Time: UnknownLag}, {Region: "us", Time: 40 * time.Millisecond}}
		if !ok || !slices.Equal(met.Lags, want) || met.Lag != UnknownLag {
			t.Errorf("got %+v, want %v", met, want)
		}
		c.tell("eu-1", all(ago(7*time.Millisecond), 2, 3))
		if met, _ = c.coordinator(t).MeetsNow(r, target); met.Lag != 7*time.Millisecond || len(met.Lags) != 2 {
			t.Errorf("got %+v, want 7ms", met)
		}
		if met, _ = c.coordinator(t, func(c *Config) { c.Faults = fault.Of(fault.TellNoStaleness) }).MeetsNow(r, target); met.Lag != 0 {
			t.Errorf("the planted fault does nothing: %+v", met)
		}
	})
}

// A store that began anew has not all that was accepted in its region before:
// the answer says so, and does not once all of it is there.
func TestAnswersTellTheLagOfTheOwnRegionsFormerStore(t *testing.T) {
	c := newCluster()
	c.change(func(m *meta.Membership) {
		m.Seals = []meta.Seal{{Origin: 9, Store: "eu-1", Final: map[feature.Shard]hlc.Timestamp{shard: stamp(5)}}}
	})
	tellsOwn := func() bool {
		met, ok := c.coordinator(t).MeetsNow(&Read{Alternatives: []Alternative{{Level: Eventual}}}, target)
		return !ok || slices.ContainsFunc(met.Lags, func(l Lag) bool { return l.Region == "eu" })
	}
	if c.tell("eu-1", hlc.Vector{9: stamp(4)}); !tellsOwn() {
		t.Error("nothing is told of what the region wrote before, and is missing")
	}
	if c.tell("eu-1", hlc.Vector{9: stamp(5)}); tellsOwn() {
		t.Error("a lag of the own region is told, and nothing is missing")
	}
}

// Bounded reads of a multi-leader group stand still while a region is cut off,
// and say behind whom; other levels go on.
func TestBoundedReadsNameWhoIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.trips = nil
		c.closed = hlc.FromTime(time.Now())
		c.tell("eu-1", hlc.Vector{1: c.closed, 2: c.closed, 3: hlc.FromTime(time.Now().Add(-3 * time.Second))})
		r := &Read{Alternatives: []Alternative{{Level: Bounded, MaxStaleness: 2 * time.Second}}, Fallback: DefaultFallback}
		_, err := c.coordinator(t).AdmitRead(t.Context(), r, target)
		var stale *TooStaleError
		if !errors.As(err, &stale) || stale.Staleness.Store != "ap-1" || stale.Staleness.Time < 3*time.Second {
			t.Errorf("got %v, want ap-1 to be 3s behind", err)
		}
		if _, err := c.coordinator(t, func(c *Config) { c.Faults = fault.Of(fault.TellNoStaleness) }).AdmitRead(t.Context(), r, target); err != nil {
			t.Errorf("the planted fault does nothing: %v", err)
		}
		r.Alternatives[0].MaxStaleness = 4 * time.Second
		if met, err := c.coordinator(t).AdmitRead(t.Context(), r, target); err != nil || met.Met.Level != Bounded {
			t.Errorf("within the bound: %+v, %v", met, err)
		}
		if met, err := c.coordinator(t).AdmitRead(t.Context(), session(hlc.Position{Origin: 3, At: 1}), target); err != nil || met.Waited != 0 {
			t.Errorf("a session whose positions are here: %+v, %v", met, err)
		}
	})
}

func TestBoundedReadsWaitForTheirBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		late := hlc.FromTime(time.Now().Add(-3 * time.Second))
		c.tell("eu-1", hlc.Vector{2: late, 3: late})
		time.AfterFunc(18*time.Millisecond, func() { // between two looks
			now := hlc.FromTime(time.Now())
			c.tell("eu-1", hlc.Vector{2: now, 3: now})
		})
		r := &Read{Alternatives: []Alternative{{Level: Bounded, MaxStaleness: 2 * time.Second}}, Fallback: Fallback{Wait: time.Second}}
		met, err := c.coordinator(t).AdmitRead(t.Context(), r, target)
		if err != nil || met.Met.Level != Bounded || met.Waited != 20*time.Millisecond {
			t.Errorf("got %+v, %v; want bounded at the next look, after 20ms", met, err)
		}
	})
}
