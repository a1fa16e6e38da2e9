package probe

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"featurestore/api"
)

// times is n durations of d.
func times(d time.Duration, n int) api.ProbeTimes {
	var h Histogram
	for range n {
		h.Add(d)
	}
	return h.Report()
}

// measurements are those of two regions 80 ms apart: reads at eventual and bounded
// take 2 ms, at quorum 90 ms; writes 3 ms at local, 85 at quorum, 95 at all.
func measurements(lag time.Duration, lags int, change func(*api.ProbeReport)) api.ProbeReport {
	r := api.ProbeReport{StalenessMs: 500, NotOffered: map[string]string{"leader": "the group has no leader"}}
	for _, region := range []string{"eu", "us"} {
		for level, d := range map[string]time.Duration{"eventual": 2 * at, "bounded": 2 * at, "quorum": 90 * at} {
			r.Reads = append(r.Reads, api.ProbeReads{Level: level, Region: region, Latency: times(d, 100)})
		}
		for concern, d := range map[string]time.Duration{"local": 3 * at, "quorum": 85 * at, "all": 95 * at} {
			r.Writes = append(r.Writes, api.ProbeWrites{Concern: concern, Region: region, Latency: times(d, 100)})
		}
	}
	for _, concern := range []string{"local", "quorum", "all"} {
		r.Pairs = append(r.Pairs, api.ProbePair{Concern: concern, From: "eu", To: "us", Lag: times(lag, lags)})
	}
	if change != nil {
		change(&r)
	}
	return r
}

func TestTheCheapestThatMeetsTheObjectiveIsAdvised(t *testing.T) {
	slowBounded := func(r *api.ProbeReport) {
		for i := range r.Reads {
			if r.Reads[i].Level == "bounded" {
				r.Reads[i].Latency = times(70*at, 100)
			}
		}
	}
	for _, c := range []struct {
		claim     string
		objective Objective
		report    api.ProbeReport
		want      string // level and concern
		met       bool
		lacks     string // of the nearest
	}{
		{"lags far below the objective, and enough of them", Objective{500 * at, .001, 20 * at, 0}, measurements(40*at, 3000, nil), "eventual, local", true, ""},
		{"too few lags to tell so small a probability", Objective{500 * at, .001, 20 * at, 0}, measurements(40*at, 2999, nil), "bounded; max-staleness=500ms, local", true, ""},
		{"lags beyond the objective", Objective{500 * at, .001, 20 * at, 0}, measurements(600*at, 3000, nil), "bounded; max-staleness=500ms, local", true, ""},
		{"no stale read at all", Objective{500 * at, 0, 20 * at, 0}, measurements(40*at, 3000, nil), "bounded; max-staleness=500ms, local", true, ""},
		{"bounded is slow", Objective{500 * at, 0, 20 * at, 0}, measurements(40*at, 3000, slowBounded), "eventual, all", true, ""},
		{"bounded is slow and writes must be fast", Objective{500 * at, 0, 20 * at, 10 * at}, measurements(40*at, 3000, slowBounded), "eventual, local", false, "no promise excludes a stale read"},
		{"measured at a looser bound", Objective{100 * at, 0, 20 * at, 0}, measurements(40*at, 3000, nil), "eventual, all", true, ""},
		{"nothing is so fast", Objective{500 * at, .001, at, 0}, measurements(40*at, 3000, nil), "eventual, local", false, "asked 1ms"},
		{"all is not offered", Objective{100 * at, 0, 200 * at, 0}, measurements(40*at, 3000, func(r *api.ProbeReport) { r.NotOffered["write all"] = "no" }), "quorum, quorum", true, ""},
		{"only a floor of quorum", Objective{500 * at, .5, 200 * at, 0}, measurements(40*at, 3000, func(r *api.ProbeReport) {
			r.NotOffered["eventual"], r.NotOffered["bounded"] = "less than quorum", "less than quorum"
		}), "quorum, quorum", true, ""},
		{"a leader", Objective{100 * at, 0, 50 * at, 20 * at}, measurements(40*at, 3000, func(r *api.ProbeReport) {
			delete(r.NotOffered, "leader")
			r.Reads = append(r.Reads, api.ProbeReads{Level: "leader", Region: "us", Latency: times(45*at, 100)})
		}), "leader, local", true, ""},
		{"failures while measured", Objective{500 * at, .001, 20 * at, 0}, measurements(40*at, 3000, func(r *api.ProbeReport) {
			for i := range r.Reads {
				if r.Reads[i].Level == "eventual" {
					r.Reads[i].Failed = 1
				}
			}
		}), "bounded; max-staleness=500ms, local", true, ""},
	} {
		t.Run(c.claim, func(t *testing.T) {
			a := Advise(c.objective, c.report)
			if a.Best == nil {
				t.Fatalf("nothing is advised: %v", a.Left)
			}
			if got := a.Best.Level + ", " + a.Best.Concern; got != c.want || a.Met != c.met {
				t.Errorf("got %s, met %v; want %s, met %v\n%+v", got, a.Met, c.want, c.met, a.All)
			}
			if lacks := strings.Join(a.Best.Unmet, "; "); !strings.Contains(lacks, c.lacks) || a.Met != (lacks == "") {
				t.Errorf("it lacks %q, want %q", lacks, c.lacks)
			}
			if again := Advise(c.objective, c.report); !reflect.DeepEqual(a, again) { // J4
				t.Errorf("got %+v and then %+v", a, again)
			}
		})
	}
}

func TestNothingMeasuredIsNothingAdvised(t *testing.T) {
	a := Advise(Objective{Staleness: time.Second, Latency: time.Second}, api.ProbeReport{})
	if a.Best != nil || a.Met || len(a.Left) != len(options) {
		t.Errorf("got %+v", a)
	}
}
