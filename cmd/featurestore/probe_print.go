package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"featurestore/api"
)

// probeText is a report for people.
func probeText(r api.ProbeReport) string {
	var b strings.Builder
	fmt.Fprintf(&b, "view %s, placement %s, regions %s, for %v\n", r.View, r.Placement, strings.Join(r.Regions, ", "), seconds(r.Seconds))
	fmt.Fprintf(&b, "%d violations\n", r.Violations)
	for _, v := range r.Examples {
		fmt.Fprintf(&b, "  %s: %s in %s, served by %s: %s\n", v.Kind, v.Level, v.Asked, v.Served, v.Text)
	}
	for _, what := range slices.Sorted(maps.Keys(r.NotOffered)) {
		fmt.Fprintf(&b, "not offered: %s: %s\n", what, r.NotOffered[what])
	}

	t := newTable("read", "region", "answered", "failed", "degraded", "forwarded", "p50", "p99", "max", "waited p99")
	for _, s := range r.Reads {
		t.AppendRow([]any{s.Level, s.Region, s.Latency.Count, s.Failed, s.Degraded, s.Forwarded, milli(s.Latency.P50Ms), milli(s.Latency.P99Ms), milli(s.Latency.MaxMs), milli(s.Waited.P99Ms)})
	}
	b.WriteString("\n" + render(t))

	t = newTable("write", "region", "acknowledged", "failed", "p50", "p99", "max")
	for _, s := range r.Writes {
		t.AppendRow([]any{s.Concern, s.Region, s.Latency.Count, s.Failed, milli(s.Latency.P50Ms), milli(s.Latency.P99Ms), milli(s.Latency.MaxMs)})
	}
	b.WriteString("\n" + render(t))

	t = newTable("write", "from", "to", "lag p50", "p95", "p99", "max", "stale by p50", "p95", "p99", "max", "told p50", "p99", "max")
	for _, p := range r.Pairs {
		t.AppendRow([]any{
			p.Concern, p.From, p.To, milli(p.Lag.P50Ms), milli(p.Lag.P95Ms), milli(p.Lag.P99Ms), milli(p.Lag.MaxMs),
			milli(p.Staleness.P50Ms), milli(p.Staleness.P95Ms), milli(p.Staleness.P99Ms), milli(p.Staleness.MaxMs),
			milli(p.Told.P50Ms), milli(p.Told.P99Ms), milli(p.Told.MaxMs),
		})
	}
	b.WriteString("\n" + render(t))

	t = newTable("write", "from", "to", "members", "after", "stale expected", "measured", "reads")
	for _, s := range r.Stale {
		if s.Reads == 0 || s.Predicted == 0 && s.Measured == 0 {
			continue // most: they are in the JSON
		}
		t.AppendRow([]any{s.Concern, s.From, s.To, s.Members, milli(s.AfterMs), fmt.Sprintf("%.1f %%", 100*s.Predicted), fmt.Sprintf("%.1f %%", 100*s.Measured), s.Reads})
	}
	b.WriteString("\n" + render(t))
	return b.String()
}

func milli(ms float64) string { return fmt.Sprintf("%.1f ms", ms) }

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(100 * time.Millisecond)
}
