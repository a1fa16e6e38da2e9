package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"featurestore/api"
	"featurestore/probe"
	"featurestore/sdk"
)

// fakeDeployment is two regions, eu and us, in virtual time: what is written
// comes to the other one after lag.
type fakeDeployment struct {
	lag time.Duration
	// twist changes what a region answers to a read: how it breaks its promise.
	twist func(region string, level sdk.Level, seen int64, met *sdk.Met) int64

	mu     sync.Mutex
	writes []fakeWrite
}

type fakeWrite struct {
	number int64
	origin string
	at     time.Time
}

type fakeCanary struct {
	of *fakeDeployment
	at string
}

func (c *fakeCanary) region() string { return c.at }

func (c *fakeCanary) write(_ context.Context, number int64, concern string) (string, error) {
	c.of.mu.Lock()
	c.of.writes = append(c.of.writes, fakeWrite{number, c.at, time.Now()})
	c.of.mu.Unlock()
	if concern != "local" {
		time.Sleep(c.of.lag + time.Microsecond) // the other one has it then
	}
	return c.at, nil
}

// read waits at all levels but eventual until everything is there.
func (c *fakeCanary) read(_ context.Context, o sdk.ReadOptions) (int64, sdk.Met, error) {
	level := o.Level
	if len(o.Prefer) > 0 {
		level = o.Prefer[0].Level
	}
	met := sdk.Met{Level: level, Region: c.at, Staleness: map[string]time.Duration{"eu": c.of.lag + time.Millisecond, "us": c.of.lag + time.Millisecond}}
	delete(met.Staleness, c.at)
	began := time.Now()
	if level != sdk.Eventual && c.of.lacks(c.at, began) {
		time.Sleep(c.of.lag)
		met.Waited = time.Since(began)
	}
	seen := c.of.seen(c.at, time.Now())
	if c.of.twist != nil {
		seen = c.of.twist(c.at, level, seen, &met)
	}
	return seen, met, nil
}

func (d *fakeDeployment) seen(region string, now time.Time) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	var newest int64
	for _, w := range d.writes {
		if w.origin == region || now.Sub(w.at) >= d.lag {
			newest = max(newest, w.number)
		}
	}
	return newest
}

func (d *fakeDeployment) lacks(region string, now time.Time) bool {
	all := d.seen(region, now.Add(time.Hour))
	return d.seen(region, now) < all
}

// probeFake probes for five virtual seconds.
func probeFake(t *testing.T, d *fakeDeployment) (api.ProbeReport, map[probe.Kind]uint64) {
	t.Helper()
	recorder, err := probe.NewRecorder(probe.Config{Regions: []string{"eu", "us"}, Staleness: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	canaries := []canary{&fakeCanary{d, "eu"}, &fakeCanary{d, "us"}}
	p := newProber(canaries, recorder, 100*time.Millisecond, 20*time.Millisecond, "leader")
	if err := p.run(t.Context(), 5*time.Second); err != nil {
		t.Fatal(err)
	}
	return recorder.Report(p.now()), recorder.Violations()
}

func TestARegionThatKeepsItsPromisesIsNotAccused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		report, violations := probeFake(t, &fakeDeployment{lag: 7 * time.Millisecond})
		if report.Violations != 0 || len(violations) != 0 {
			t.Errorf("got %v: %+v", violations, report.Examples)
		}
		// What is written at local comes 7 ms later: a read is stale before, and
		// never after, as predicted and as measured.
		checked := 0
		for _, s := range report.Stale {
			if s.Concern != "local" || s.From == s.To || s.Members != 1 || s.Reads == 0 {
				continue
			}
			checked++
			want := 0.0
			if s.AfterMs < 7 {
				want = 1
			}
			if s.Measured != want || s.Predicted != want {
				t.Errorf("%s to %s after %g ms: measured %g, predicted %g, want %g", s.From, s.To, s.AfterMs, s.Measured, s.Predicted, want)
			}
		}
		if checked < 2*len(probe.After) {
			t.Errorf("only %d shares were measured: %+v", checked, report.Stale)
		}
	})
}

// TestARegionThatBreaksAPromiseIsFound is the negative control of the probe: us
// breaks one promise after the other.
func TestARegionThatBreaksAPromiseIsFound(t *testing.T) {
	forgets := func(at sdk.Level) func(string, sdk.Level, int64, *sdk.Met) int64 {
		return func(region string, level sdk.Level, seen int64, met *sdk.Met) int64 {
			if region == "us" && level == at {
				met.Staleness = map[string]time.Duration{"eu": sdk.UnknownStaleness, "us": sdk.UnknownStaleness}
				return 0
			}
			return seen
		}
	}
	bounded := func(region string, level sdk.Level, seen int64, met *sdk.Met) int64 {
		if region == "us" && level == sdk.Bounded {
			met.Staleness = map[string]time.Duration{"eu": time.Second}
		}
		return seen
	}
	for _, c := range []struct {
		claim string
		d     *fakeDeployment
		want  probe.Kind
	}{
		{"a session is answered with what was there before", &fakeDeployment{twist: forgets(sdk.Session)}, probe.OwnWrite},
		{"a session that read elsewhere too", &fakeDeployment{twist: forgets(sdk.Session)}, probe.Monotonic},
		{"a bounded read tells more than it was asked", &fakeDeployment{twist: bounded}, probe.Bound},
		{"a quorum read forgets a write", &fakeDeployment{twist: forgets(sdk.Quorum)}, probe.Quorum},
		{"a leader forgets a write", &fakeDeployment{twist: forgets(sdk.Leader)}, probe.Leader},
		{"a store forgets what it acknowledged with all", &fakeDeployment{twist: forgets(sdk.Eventual)}, probe.Everyone},
		{"a bound is told too small", &fakeDeployment{lag: 50 * time.Millisecond, twist: func(region string, level sdk.Level, seen int64, met *sdk.Met) int64 {
			if region == "us" && level == sdk.Eventual {
				met.Staleness = map[string]time.Duration{"eu": time.Millisecond}
			}
			return seen
		}}, probe.Told},
	} {
		t.Run(c.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				report, violations := probeFake(t, c.d)
				if violations[c.want] == 0 {
					t.Errorf("got %v, want %s", violations, c.want)
				}
				if len(report.Examples) == 0 || report.Violations == 0 {
					t.Errorf("the report tells of none: %+v", report.Examples)
				}
				for _, v := range report.Examples {
					if v.Asked != "us" {
						t.Errorf("%s is accused: %+v", v.Asked, v)
					}
				}
			})
		})
	}
}

// refusing is a canary whose group offers less.
type refusing struct{ fakeCanary }

func (c *refusing) write(ctx context.Context, number int64, concern string) (string, error) {
	if concern == "local" {
		return "", fmt.Errorf("push: %w", api.Problemf(api.CodeInvalidHeader, "", "local is not at least quorum"))
	}
	return c.fakeCanary.write(ctx, number, concern)
}

func (c *refusing) read(ctx context.Context, o sdk.ReadOptions) (int64, sdk.Met, error) {
	switch o.Level {
	case sdk.Eventual:
		return 0, sdk.Met{}, fmt.Errorf("lookup: %w", api.Problemf(api.CodeInvalidRequest, "", "eventual is less than session"))
	case sdk.Quorum:
		return 0, sdk.Met{}, fmt.Errorf("lookup: %w", api.Problemf(api.CodeNotEnoughLive, "", "1 of 3 members answered"))
	}
	return c.fakeCanary.read(ctx, o)
}

func TestWhatIsNotOfferedIsSaidAndWhatFailsIsNoViolation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recorder, err := probe.NewRecorder(probe.Config{Regions: []string{"eu"}})
		if err != nil {
			t.Fatal(err)
		}
		p := newProber([]canary{&refusing{fakeCanary{&fakeDeployment{}, "eu"}}}, recorder, time.Second, 20*time.Millisecond, "leaderless")
		if err := p.run(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
		report := recorder.Report(p.now())
		for _, what := range []string{"write local", "eventual", "leader"} {
			if report.NotOffered[what] == "" {
				t.Errorf("it does not say that %s is not offered: %v", what, report.NotOffered)
			}
		}
		if report.Violations != 0 {
			t.Errorf("got %+v", report.Examples)
		}
		i := slices.IndexFunc(report.Reads, func(r api.ProbeReads) bool { return r.Level == "quorum" })
		if i < 0 || report.Reads[i].Failed == 0 || report.Reads[i].Latency.Count != 0 {
			t.Errorf("got reads %+v, want failed ones at quorum", report.Reads)
		}
	})
}
