package probe

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"featurestore/api"
)

// Objective is what settings are to meet.
type Objective struct {
	// Staleness is how long after its acknowledgement a write may be missing from
	// a read.
	Staleness time.Duration
	// StaleProbability is the part of reads that may miss it all the same; 0 takes
	// only settings whose promise excludes it.
	StaleProbability float64
	// Latency is what 99 of 100 reads may take at most, in every region.
	Latency time.Duration
	// WriteLatency is the same of writes; 0 is anything.
	WriteLatency time.Duration
}

// Candidate is a read level with a write concern, and what was measured of them.
type Candidate struct {
	// Level is as a request writes it, such as "bounded; max-staleness=500ms";
	// Fallback, what a view writes, "" where it has no part in it.
	Level, Fallback, Concern string
	// Stale is the probability that a read misses a write after Objective.Staleness,
	// in the region where it is the greatest; Promised says that it is excluded.
	Stale    float64
	Promised bool
	// Within is the staleness that the probability asked for is kept at.
	Within time.Duration
	// Read and Write are the latencies that 99 of 100 do not exceed, in the region
	// where they are the greatest.
	Read, Write time.Duration
	// Samples is the least number of requests that the latencies rest on, and Lags
	// of lags, of any pair of regions, that the probability rests on.
	Samples, Lags uint64
	// Unmet says what of the objective it does not meet; empty when it does.
	Unmet []string
	// Off is by what factor the worst of these is beyond the objective.
	Off float64
}

// Advice is what came of it.
type Advice struct {
	// Best is the cheapest that meets the objective; with Met false, the one that
	// comes nearest. Nil: nothing was measured.
	Best *Candidate
	Met  bool
	// All are those that were considered, the cheapest first.
	All []Candidate
	// Left says what was not considered, and why.
	Left []string
}

// option is a candidate before measurement. The order of options is that of their
// costs: a read that waits for another region costs more than a write that does,
// for reads are more.
type option struct {
	level, fallback, concern string
	promised                 bool // reads see every write acknowledged so
}

var options = []option{
	{"eventual", "", "local", false},
	{"bounded", "[wait: 30ms, forward, fail]", "local", true},
	{"eventual", "", "quorum", false},
	{"eventual", "", "all", true},
	{"leader", "", "local", true},
	{"quorum", "", "quorum", true},
}

// Advise names the cheapest settings that meet an objective, by what a probe
// measured.
func Advise(o Objective, r api.ProbeReport) Advice {
	var a Advice
	for _, opt := range options {
		c, why := measure(o, opt, r)
		if why != "" {
			a.Left = append(a.Left, fmt.Sprintf("read %s, write %s: %s", opt.level, opt.concern, why))
			continue
		}
		c.judge(o)
		a.All = append(a.All, c)
	}
	if len(a.All) == 0 {
		return a
	}
	if i := slices.IndexFunc(a.All, func(c Candidate) bool { return len(c.Unmet) == 0 }); i >= 0 {
		a.Best, a.Met = &a.All[i], true
		return a
	}
	near := slices.MinFunc(a.All, func(a, b Candidate) int { return cmp.Compare(a.Off, b.Off) })
	a.Best = &near
	return a
}

// measure fills a candidate from a report, or says why it cannot be.
func measure(o Objective, opt option, r api.ProbeReport) (Candidate, string) {
	c := Candidate{
		Level: opt.level, Fallback: opt.fallback, Concern: opt.concern, Promised: opt.promised,
		Samples: math.MaxUint64, Lags: math.MaxUint64,
	}
	for _, name := range []string{opt.level, "write " + opt.concern} {
		if why, ok := r.NotOffered[name]; ok {
			return c, why
		}
	}
	if opt.level == "bounded" {
		c.Level = fmt.Sprintf("bounded; max-staleness=%v", o.Staleness)
		if asked := duration(r.StalenessMs); asked > o.Staleness {
			return c, fmt.Sprintf("bounded was measured at %v, which is looser: probe with --staleness %v", asked, o.Staleness)
		}
	}
	failed := false
	for _, s := range r.Reads {
		if s.Level == opt.level {
			c.Read = max(c.Read, duration(s.Latency.P99Ms))
			c.Samples = min(c.Samples, s.Latency.Count)
			failed = failed || s.Failed > 0
		}
	}
	for _, s := range r.Writes {
		if s.Concern == opt.concern {
			c.Write = max(c.Write, duration(s.Latency.P99Ms))
			c.Samples = min(c.Samples, s.Latency.Count)
			failed = failed || s.Failed > 0
		}
	}
	if c.Read == 0 || c.Write == 0 || c.Samples == 0 {
		return c, "not measured"
	}
	if failed {
		c.Unmet = append(c.Unmet, "some reads or writes failed while it was measured")
	}
	if opt.promised {
		c.Lags = 0
		return c, ""
	}
	pairs := 0
	for _, p := range r.Pairs {
		if p.Concern != opt.concern || p.Lag.Count == 0 {
			continue
		}
		h := HistogramOf(p.Lag)
		pairs++
		c.Lags = min(c.Lags, h.total)
		c.Stale = max(c.Stale, h.Above(o.Staleness))
		c.Within = max(c.Within, h.Quantile(1-o.StaleProbability))
	}
	if pairs == 0 {
		return c, "its replication lag was not measured"
	}
	return c, ""
}

// certain is how many times a thing must have had the chance to happen before its
// absence tells, with 95 of 100 certainty, that it is as rare as that: the rule of
// three.
const certain = 3

// judge compares a candidate with the objective.
func (c *Candidate) judge(o Objective) {
	if len(c.Unmet) > 0 {
		c.Off = 2 // as bad as twice too slow
	}
	over := func(what string, got, want time.Duration) {
		if want > 0 && got > want {
			c.Unmet = append(c.Unmet, fmt.Sprintf("%s: 99 of 100 take up to %v, asked %v", what, got, want))
			c.Off = max(c.Off, float64(got)/float64(want))
		}
	}
	over("reads", c.Read, o.Latency)
	over("writes", c.Write, o.WriteLatency)
	switch {
	case c.Promised:
	case o.StaleProbability == 0:
		c.Unmet = append(c.Unmet, "no promise excludes a stale read")
		c.Off = max(c.Off, 1.0001, float64(c.Within)/float64(o.Staleness))
	case c.Stale > o.StaleProbability:
		c.Unmet = append(c.Unmet, fmt.Sprintf("stale after %v with probability %.4g, asked %.4g", o.Staleness, c.Stale, o.StaleProbability))
		c.Off = max(c.Off, 1.0001, float64(c.Within)/float64(o.Staleness))
	case float64(c.Lags)*o.StaleProbability < certain:
		c.Unmet = append(c.Unmet, fmt.Sprintf("%d measured lags of a pair of regions are too few to tell a probability of %g: it takes %.0f", c.Lags, o.StaleProbability, math.Ceil(certain/o.StaleProbability)))
		c.Off = max(c.Off, 1.0001)
	}
}
