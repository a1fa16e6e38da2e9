package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"featurestore/api"
	"featurestore/probe"
)

// advise is what the flags of advise say.
type advise struct {
	canary    canaryFlags
	out       output
	from      string
	objective probe.Objective
}

func newAdvise(a *app) *cobra.Command {
	var v advise
	cmd := &cobra.Command{
		Use:   "advise --staleness TIME --latency TIME [KEY=VALUE…]",
		Short: "Name the cheapest settings that meet an objective",
		Long: `Advise names the cheapest read level and write concern by which reads miss no
write that was acknowledged longer ago than --staleness, and 99 of 100 reads
take no longer than --latency, in every region. It goes by what was measured:
it probes as featurestore probe does, or reads what that printed as JSON.

A level that promises to see the write meets any --stale-probability. One that
does not is judged by the replication lags that were measured, and only if
these are enough to tell: three divided by the probability, for each pair of
regions. Cheaper is what waits for fewer regions, a read's wait counted before
a write's.

When nothing meets the objective, the exit code is 1, and what comes nearest is
named with what it lacks.`,
		Example: `  featurestore advise --view driver_stats --staleness 500ms --latency 20ms
  featurestore advise --staleness 2s --latency 5ms --stale-probability 0.01 \
    --from probe.json`,
		RunE: func(cmd *cobra.Command, args []string) error { return v.run(cmd.Context(), a, args) },
	}
	f := cmd.Flags()
	f.DurationVar(&v.objective.Staleness, "staleness", 0, "how long a write may be missing from reads, such as 500ms")
	f.DurationVar(&v.objective.Latency, "latency", 0, "what 99 of 100 reads may take, such as 20ms")
	f.DurationVar(&v.objective.WriteLatency, "write-latency", 0, "what 99 of 100 writes may take; 0 is anything")
	f.Float64Var(&v.objective.StaleProbability, "stale-probability", 0.001, "part of reads that may be staler; 0 for none")
	f.StringVar(&v.from, "from", "", "file that featurestore probe --output json printed; - is the standard input")
	v.canary.register(a, cmd, 20*time.Second)
	v.out.register(cmd)
	return cmd
}

func (v *advise) run(ctx context.Context, a *app, args []string) error {
	o := v.objective
	switch {
	case o.Staleness <= 0:
		return fmt.Errorf("--staleness is %v: give a time such as 500ms", o.Staleness)
	case o.Latency <= 0:
		return fmt.Errorf("--latency is %v: give a time such as 20ms", o.Latency)
	case o.WriteLatency < 0:
		return fmt.Errorf("--write-latency is %v: give a time such as 100ms, or 0 for anything", o.WriteLatency)
	case !(o.StaleProbability >= 0 && o.StaleProbability < 1):
		return fmt.Errorf("--stale-probability is %v: give a part from 0 to 1, such as 0.001", o.StaleProbability)
	}
	report, err := v.measured(ctx, a, args)
	if err != nil {
		return err
	}
	advice := probe.Advise(o, report)
	if v.out.json() {
		err = v.out.print(a.out, adviceJSON(advice))
	} else {
		_, err = fmt.Fprint(a.out, adviceText(advice))
	}
	switch {
	case err != nil:
		return err
	case report.Violations > 0:
		return fmt.Errorf("%d violations while it was measured: see featurestore probe", report.Violations)
	case advice.Best == nil:
		return fmt.Errorf("nothing that could be advised was measured; see featurestore probe")
	case !advice.Met:
		return fmt.Errorf("no settings meet the objective")
	}
	return nil
}

// measured is the report of a file, or of a probe that is run.
func (v *advise) measured(ctx context.Context, a *app, args []string) (api.ProbeReport, error) {
	if v.from == "" {
		v.canary.staleness = v.objective.Staleness
		return v.canary.probe(ctx, args, probe.Config{})
	}
	var report api.ProbeReport
	in := a.in
	if v.from != "-" {
		f, err := os.Open(v.from)
		if err != nil {
			return report, fmt.Errorf("--from: %w", err)
		}
		defer f.Close()
		in = f
	}
	if err := json.NewDecoder(io.LimitReader(in, maxAnswer)).Decode(&report); err != nil {
		return report, fmt.Errorf("--from %s is not what featurestore probe --output json prints: %w", v.from, err)
	}
	if v.canary.view != "" && v.canary.view != report.View {
		return report, fmt.Errorf("--from %s is of view %s, not of %s", v.from, report.View, v.canary.view)
	}
	return report, nil
}

func adviceText(a probe.Advice) string {
	var b strings.Builder
	if c := a.Best; c != nil {
		how := "the cheapest that meets it"
		if !a.Met {
			how = "nothing meets it; nearest comes"
		}
		fmt.Fprintf(&b, "%s: read level %s, write concern %s\n", how, c.Level, c.Concern)
		if c.Fallback != "" {
			fmt.Fprintf(&b, "  fallback %s\n", c.Fallback)
		}
		for _, u := range c.Unmet {
			fmt.Fprintf(&b, "  lacks: %s\n", u)
		}
	}
	t := newTable("read level", "write concern", "read p99", "write p99", "stale reads", "requests", "lags", "meets it")
	for _, c := range a.All {
		stale, meets := "none, by promise", "yes"
		if !c.Promised {
			stale = fmt.Sprintf("%.3g %%", 100*c.Stale)
		}
		if len(c.Unmet) > 0 {
			meets = "no: " + strings.Join(c.Unmet, "; ")
		}
		t.AppendRow([]any{c.Level, c.Concern, rounded(c.Read), rounded(c.Write), stale, c.Samples, c.Lags, meets})
	}
	if len(a.All) > 0 {
		b.WriteString(render(t))
	}
	for _, left := range a.Left {
		b.WriteString("not considered: " + left + "\n")
	}
	return b.String()
}

func rounded(d time.Duration) string { return milli(float64(d) / float64(time.Millisecond)) }

func adviceJSON(a probe.Advice) map[string]any {
	one := func(c probe.Candidate) map[string]any {
		unmet := c.Unmet
		if unmet == nil {
			unmet = []string{}
		}
		return map[string]any{
			"level": c.Level, "fallback": c.Fallback, "write_concern": c.Concern, "promised": c.Promised,
			"stale_probability": c.Stale, "read_p99_ms": float64(c.Read) / 1e6, "write_p99_ms": float64(c.Write) / 1e6,
			"requests": c.Samples, "lags": c.Lags, "unmet": unmet,
		}
	}
	all := []map[string]any{}
	for _, c := range a.All {
		all = append(all, one(c))
	}
	left := a.Left
	if left == nil {
		left = []string{}
	}
	out := map[string]any{"met": a.Met, "considered": all, "not_considered": left}
	if a.Best != nil {
		out["best"] = one(*a.Best)
	}
	return out
}
