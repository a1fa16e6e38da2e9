package probe

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"featurestore/api"
)

// After is when reads are sent, counted from a write's acknowledgement, to measure
// how many are stale by then.
var After = []time.Duration{
	0, time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
}

// MaxRegions bounds what is kept of pairs of regions (J2).
const MaxRegions = 8

// keptViolations is how many violations are kept as examples (J2).
const keptViolations = 20

// Config says what a Recorder is about.
type Config struct {
	View, Placement string
	Regions         []string      // at most MaxRegions
	Staleness       time.Duration // that bounded reads ask for
	Meter           metric.Meter  // nil counts nothing
}

// Recorder gathers what a probe saw. It is safe for concurrent use.
type Recorder struct {
	cfg     Config
	metrics metrics
	mu      struct {
		sync.Mutex
		ledger     ledger
		violations map[Kind]uint64
		examples   []Violation
		notOffered map[string]string
		reads      map[readKey]*readStats
		writes     map[writeKey]*writeStats
		pairs      map[pairKey]*pairStats
	}
}

type readKey struct{ level, region string }

type readStats struct {
	latency, waited             Histogram
	forwarded, degraded, failed uint64
}

type writeKey struct{ concern, region string }

type writeStats struct {
	latency Histogram
	failed  uint64
}

type pairKey struct{ concern, from, to string }

type pairStats struct {
	lag, staleness, told Histogram
	unknown              uint64
	stale                map[int][]staleStats // by members, of each of After
}

type staleStats struct {
	reads, stale uint64
	after        time.Duration // the sum of all
}

// NewRecorder returns a Recorder that has seen nothing.
func NewRecorder(cfg Config) (*Recorder, error) {
	if len(cfg.Regions) == 0 || len(cfg.Regions) > MaxRegions {
		return nil, fmt.Errorf("%d regions to probe: give one to %d", len(cfg.Regions), MaxRegions)
	}
	r := &Recorder{cfg: cfg}
	r.mu.violations, r.mu.notOffered = map[Kind]uint64{}, map[string]string{}
	r.mu.reads, r.mu.writes, r.mu.pairs = map[readKey]*readStats{}, map[writeKey]*writeStats{}, map[pairKey]*pairStats{}
	if err := r.instruments(cfg.Meter); err != nil {
		return nil, err
	}
	return r, nil
}

func of[K comparable, V any](m map[K]*V, key K) *V {
	v, ok := m[key]
	if !ok {
		v = new(V)
		m[key] = v
	}
	return v
}

// Wrote tells of a write that was acknowledged.
func (r *Recorder) Wrote(ctx context.Context, w Write) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.ledger.acknowledged(w)
	of(r.mu.writes, writeKey{w.Concern, w.Asked}).latency.Add(w.Acked - w.Sent)
	r.metrics.writes.Record(ctx, (w.Acked - w.Sent).Seconds(), metric.WithAttributes(attribute.String("concern", w.Concern), attribute.String("region", w.Asked)))
}

// WriteFailed tells of a write that was not acknowledged: nothing is expected of
// it, for it may be there or not.
func (r *Recorder) WriteFailed(concern, region string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of(r.mu.writes, writeKey{concern, region}).failed++
}

// Read tells of a read, and returns what it broke.
func (r *Recorder) Read(ctx context.Context, read Read) []Violation {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := of(r.mu.reads, readKey{read.Level, read.Region})
	s.latency.Add(read.Answered - read.Sent)
	s.waited.Add(read.Waited)
	if read.Forwarded {
		s.forwarded++
	}
	if read.Degraded {
		s.degraded++
	}
	broken := r.mu.ledger.judge(read)
	for _, v := range broken {
		r.mu.violations[v.Kind]++
		if len(r.mu.examples) < keptViolations {
			r.mu.examples = append(r.mu.examples, v)
		}
	}
	r.metrics.read(ctx, read, broken)
	return broken
}

// ReadFailed tells of a read without an answer, or with an error.
func (r *Recorder) ReadFailed(level, region string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of(r.mu.reads, readKey{level, region}).failed++
}

// NotOffered says that a level or a concern is not to be had, and why.
func (r *Recorder) NotOffered(what, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.notOffered[what] = why
}

// Lagged tells how long after its acknowledgement a write was seen in a region.
func (r *Recorder) Lagged(ctx context.Context, w Write, to string, lag time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of(r.mu.pairs, pairKey{w.Concern, w.Origin, to}).lag.Add(lag)
	r.metrics.lags.Record(ctx, lag.Seconds(), metric.WithAttributes(attribute.String("concern", w.Concern), attribute.String("from", w.Origin), attribute.String("to", to)))
}

// Sampled tells of a read of so many members that was sent to find out whether it
// misses w; at is the place of its time in After.
func (r *Recorder) Sampled(w Write, at, members int, read Read) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := of(r.mu.pairs, pairKey{w.Concern, w.Origin, read.Region})
	if p.stale == nil {
		p.stale = map[int][]staleStats{}
	}
	if p.stale[members] == nil {
		p.stale[members] = make([]staleStats, len(After))
	}
	s := &p.stale[members][at]
	s.reads++
	s.after += read.Sent - w.Acked
	if read.Seen < w.Number {
		s.stale++
	}
	if members != 1 {
		return
	}
	p.staleness.Add(r.mu.ledger.missing(w.Origin, read))
	switch told, ok := read.Told[w.Origin]; {
	case told == Unknown || !ok && w.Origin != read.Served:
		p.unknown++
	default:
		p.told.Add(told)
	}
}

// Violations is how many there were of each kind.
func (r *Recorder) Violations() map[Kind]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.mu.violations)
}

// Report returns what was seen until now, in an order of its own.
func (r *Recorder) Report(lasted time.Duration) api.ProbeReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := api.ProbeReport{
		View: r.cfg.View, Placement: r.cfg.Placement, Seconds: lasted.Seconds(), StalenessMs: ms(r.cfg.Staleness),
		Regions: r.cfg.Regions, NotOffered: maps.Clone(r.mu.notOffered),
		Examples: []api.ProbeViolation{}, Reads: []api.ProbeReads{}, Writes: []api.ProbeWrites{}, Pairs: []api.ProbePair{}, Stale: []api.ProbeStale{},
	}
	for _, n := range r.mu.violations {
		out.Violations += n
	}
	for _, v := range r.mu.examples {
		out.Examples = append(out.Examples, api.ProbeViolation{
			Kind: string(v.Kind), Level: v.Read.Level, Asked: v.Read.Region, Served: v.Read.Served, Text: v.Text(),
		})
	}
	for _, k := range sorted(r.mu.reads, func(k readKey) string { return k.level + "\x00" + k.region }) {
		s := r.mu.reads[k]
		out.Reads = append(out.Reads, api.ProbeReads{
			Level: k.level, Region: k.region, Latency: s.latency.Report(), Waited: s.waited.Report(),
			Forwarded: s.forwarded, Degraded: s.degraded, Failed: s.failed,
		})
	}
	for _, k := range sorted(r.mu.writes, func(k writeKey) string { return k.concern + "\x00" + k.region }) {
		s := r.mu.writes[k]
		out.Writes = append(out.Writes, api.ProbeWrites{Concern: k.concern, Region: k.region, Latency: s.latency.Report(), Failed: s.failed})
	}
	for _, k := range sorted(r.mu.pairs, func(k pairKey) string { return k.concern + "\x00" + k.from + "\x00" + k.to }) {
		p := r.mu.pairs[k]
		out.Pairs = append(out.Pairs, api.ProbePair{
			Concern: k.concern, From: k.from, To: k.to,
			Lag: p.lag.Report(), Staleness: p.staleness.Report(), Told: p.told.Report(), ToldUnknown: p.unknown,
		})
		out.Stale = append(out.Stale, r.stale(k, p)...)
	}
	return out
}

// stale compares prediction and measurement for a pair.
func (r *Recorder) stale(k pairKey, p *pairStats) []api.ProbeStale {
	var out []api.ProbeStale
	for members := 1; members <= len(r.cfg.Regions); members++ {
		lags := r.lags(k, members)
		if len(lags) < members {
			break // not measured
		}
		for i, after := range After {
			one := api.ProbeStale{Concern: k.concern, From: k.from, To: k.to, Members: members}
			if counted := p.stale[members]; counted != nil && counted[i].reads > 0 {
				one.Reads = counted[i].reads
				one.Measured = float64(counted[i].stale) / float64(one.Reads)
				after = counted[i].after / time.Duration(one.Reads)
			}
			one.AfterMs, one.Predicted = ms(after), Stale(after, lags...)
			out = append(out, one)
		}
	}
	return out
}

// lags are those of the members that a read in k.to joins: its own, and those that
// lag most. Which ones a store asks first is its choice, by round trips, so this is
// the greatest that the probability can be.
func (r *Recorder) lags(k pairKey, members int) []*Histogram {
	out := []*Histogram{}
	own := r.mu.pairs[k]
	if own.lag.total > 0 {
		out = append(out, &own.lag)
	}
	var others []*Histogram
	for _, to := range r.cfg.Regions {
		if p := r.mu.pairs[pairKey{k.concern, k.from, to}]; to != k.to && p != nil && p.lag.total > 0 {
			others = append(others, &p.lag)
		}
	}
	slices.SortStableFunc(others, func(a, b *Histogram) int { return cmp.Compare(b.Quantile(.5), a.Quantile(.5)) })
	return append(out, others[:min(len(others), max(0, members-1))]...)
}

func sorted[K comparable, V any](m map[K]V, text func(K) string) []K {
	keys := slices.Collect(maps.Keys(m))
	slices.SortFunc(keys, func(a, b K) int { return cmp.Compare(text(a), text(b)) })
	return keys
}
