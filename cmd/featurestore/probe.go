package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"featurestore/api"
	"featurestore/probe"
	"featurestore/replica"
)

// canaryFlags say where and with which row to probe; probe and advise have them.
type canaryFlags struct {
	client    client
	urls      []string
	regions   []string
	view      string
	lasting   time.Duration
	interval  time.Duration
	staleness time.Duration
}

func (f *canaryFlags) register(a *app, cmd *cobra.Command, lasting time.Duration) {
	f.client.registerProject(a, cmd)
	flags := cmd.Flags()
	if f.client.url = a.variable("FEATURESTORE_URL"); f.client.url == "" {
		f.client.url = defaultURL
	}
	flags.StringArrayVar(&f.urls, "url", nil, "store to probe; again for each region. Not given: all that the store of FEATURESTORE_URL, else "+defaultURL+", names; given once: all that this one names")
	flags.DurationVar(&f.client.timeout, "timeout", 30*time.Second, "time for each request before it begins")
	flags.StringArrayVar(&f.regions, "region", nil, "region to probe; again for each. Without it, all")
	flags.StringVar(&f.view, "view", "", "view to write the canary to; needless where there is one")
	flags.DurationVar(&f.lasting, "duration", lasting, "how long to probe")
	flags.DurationVar(&f.interval, "interval", 20*time.Millisecond, "time from write to write, at least")
}

// probeCommand is what the flags of probe say.
type probeCommand struct {
	canary canaryFlags
	out    output
	listen string
}

func newProbe(a *app) *cobra.Command {
	var p probeCommand
	cmd := &cobra.Command{
		Use:   "probe [KEY=VALUE…]",
		Short: "Check what regions promise with a row of its own",
		Long: `Probe writes to one row of its own, in one region after the other, and reads it
in all of them at every level that the view's group offers. It reports

  violations  answers that broke a promise: there must be none
  lag         time from a write's acknowledgement until a region shows it
  staleness   age of what reads at eventual lacked, and the bound they told
  stale       how many reads miss a write so long after its acknowledgement,
              beside how many were to be expected from the lags
  latency     of reads and writes, and how long reads waited

A violation is certain: what overlaps in time is not judged. Errors are counted,
and are no violations, for they promise nothing.

The row is a view's row under a key that nobody else has: 'featurestore-probe'
for text, -987654321 for whole numbers, or the arguments. Probe does not begin
where there is a row already, writes nulls to one feature under the conflict
rule event_time, and deletes the row in the end. The writes are in the log and
in history like any others; a view for the purpose is best.

It ends after --duration, or when interrupted, with the report until then. The
exit code is 1 when there was a violation.`,
		Example: `  featurestore probe --view driver_stats
  featurestore probe --view driver_stats --duration 10m --metrics-listen :9100
  featurestore probe --view driver_stats --output json > probe.json`,
		RunE: func(cmd *cobra.Command, args []string) error { return p.run(cmd.Context(), a, args) },
	}
	p.canary.register(a, cmd, 30*time.Second)
	cmd.Flags().DurationVar(&p.canary.staleness, "staleness", 500*time.Millisecond, "bound that reads at bounded ask for")
	cmd.Flags().StringVar(&p.listen, "metrics-listen", "", "address to serve /metrics at meanwhile, for Prometheus")
	p.out.register(cmd)
	return cmd
}

// errViolations makes probe exit with 1 after its report.
var errViolations = errors.New("promises were broken")

func (p *probeCommand) run(ctx context.Context, a *app, args []string) error {
	provider, page, err := replica.NewMetrics()
	if err != nil {
		return err
	}
	if p.listen != "" {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", p.listen)
		if err != nil {
			return fmt.Errorf("--metrics-listen: %w", err)
		}
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", page)
		s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
		go func() { _ = s.Serve(l) }()
		defer func() { _ = s.Close() }()
		fmt.Fprintf(a.err, "metrics at http://%s/metrics\n", l.Addr())
	}
	report, err := p.canary.probe(ctx, args, probe.Config{Meter: provider.Meter("featurestore/probe")})
	if err != nil {
		return err
	}
	if p.out.json() {
		err = p.out.print(a.out, report)
	} else {
		_, err = fmt.Fprint(a.out, probeText(report))
	}
	if err == nil && report.Violations > 0 {
		err = fmt.Errorf("%d violations: %w", report.Violations, errViolations)
	}
	return err
}

// probe runs a canary and returns what it saw until it, or ctx, ended.
func (f *canaryFlags) probe(ctx context.Context, args []string, cfg probe.Config) (_ api.ProbeReport, err error) {
	var report api.ProbeReport
	switch {
	case f.lasting <= 0:
		return report, fmt.Errorf("--duration is %v: give a time such as 30s", f.lasting)
	case f.interval <= 0:
		return report, fmt.Errorf("--interval is %v: give a time such as 20ms", f.interval)
	case f.staleness <= 0:
		return report, fmt.Errorf("--staleness is %v: give a time such as 500ms", f.staleness)
	}
	columns, err := parseColumns(args, "driver_id=-1")
	if err != nil {
		return report, err
	}
	if len(f.urls) > 0 {
		f.client.url = f.urls[0]
	}
	if err := f.client.resolveProject(ctx); err != nil {
		return report, err
	}
	view, group, err := f.resolveView(ctx)
	if err != nil {
		return report, err
	}
	row, err := newCanaryRow(view, columns)
	if err != nil {
		return report, err
	}
	stores, err := f.stores(ctx, group)
	if err != nil {
		return report, err
	}
	canaries, own := make([]canary, len(stores)), make([]*storeCanary, len(stores))
	for i, s := range stores {
		if own[i], err = newStoreCanary(s.Region, s.URL, f.client.project, row); err != nil {
			return report, err
		}
		defer own[i].client.Close()
		if err := own[i].free(ctx); err != nil {
			return report, err
		}
		canaries[i] = own[i]
		cfg.Regions = append(cfg.Regions, s.Region)
	}
	cfg.View, cfg.Placement, cfg.Staleness = view.Name, group.Placement, f.staleness
	recorder, err := probe.NewRecorder(cfg)
	if err != nil {
		return report, err
	}
	p := newProber(canaries, recorder, f.staleness, f.interval, group.Placement)
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = errors.Join(err, removeCanary(clean, own, p.number))
	}()
	if err := p.run(ctx, f.lasting); err != nil {
		return report, fmt.Errorf("no write was acknowledged: %w", err)
	}
	return recorder.Report(p.now()), nil
}

// resolveView returns the view to probe and its group.
func (f *canaryFlags) resolveView(ctx context.Context) (api.View, api.Group, error) {
	var catalog, groups api.Catalog
	if err := f.client.get(ctx, f.client.path("views"), &catalog); err != nil {
		return api.View{}, api.Group{}, err
	}
	var names []string
	for _, v := range catalog.Views {
		names = append(names, v.Name)
	}
	if f.view == "" && len(names) == 1 {
		f.view = names[0]
	}
	i := slices.Index(names, f.view)
	if i < 0 {
		return api.View{}, api.Group{}, fmt.Errorf("--view is %q: give one of %s", f.view, strings.Join(names, ", "))
	}
	if err := f.client.get(ctx, f.client.path("groups"), &groups); err != nil {
		return api.View{}, api.Group{}, err
	}
	for _, g := range groups.Groups {
		if g.Name == catalog.Views[i].Group {
			return catalog.Views[i], g, nil
		}
	}
	return catalog.Views[i], api.Group{Name: catalog.Views[i].Group, Placement: "multi_leader"}, nil
}

// stores returns one store of each region to probe.
func (f *canaryFlags) stores(ctx context.Context, group api.Group) ([]api.RegionInfo, error) {
	urls := f.urls
	if len(urls) == 0 {
		urls = []string{f.client.url}
	}
	var out []api.RegionInfo
	for _, url := range urls {
		c := client{url: url, timeout: f.client.timeout}
		var list api.Regions
		if err := c.get(ctx, "/v1/regions", &list); err != nil {
			return nil, err
		}
		base, err := baseURL(url)
		if err != nil {
			return nil, err
		}
		for _, r := range list.Regions {
			switch {
			case r.Self:
				r.URL = base // it may name itself otherwise
			case len(f.urls) > 1, r.State != "active", r.URL == "":
				continue
			}
			out = append(out, r)
		}
	}
	known := map[string]bool{}
	out = slices.DeleteFunc(out, func(r api.RegionInfo) bool {
		again := known[r.Region]
		known[r.Region] = true
		return again || len(group.Regions) > 0 && !slices.Contains(group.Regions, r.Region) ||
			len(f.regions) > 0 && !slices.Contains(f.regions, r.Region)
	})
	for _, name := range f.regions {
		if !slices.ContainsFunc(out, func(r api.RegionInfo) bool { return r.Region == name }) {
			return nil, fmt.Errorf("--region is %s: no store in reach holds group %s there", name, group.Name)
		}
	}
	slices.SortFunc(out, func(a, b api.RegionInfo) int { return strings.Compare(a.Region, b.Region) })
	return out, nil
}
