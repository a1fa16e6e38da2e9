package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"featurestore/replica"
)

// development is what the flags of dev say.
type development struct {
	regions  string
	noSample bool
}

func newDev(a *app) *cobra.Command {
	var d development
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a store with sample data, for trying out",
		Long: `Dev runs a store and needs nothing else. It applies a sample project, loads
sample rows and goes on pushing a few a second, and prints commands to try. It
prints "ready" on a line of its own when requests are answered.

The sample is generated from a fixed seed: drivers of a ride service, with a
conversion rate, a count of trips, and tags. No real person or trip is in it.

Without --data everything is kept in a temporary folder that is removed at exit.
With --definitions, those are applied in place of the sample.`,
		Example: `  featurestore dev
  featurestore dev --listen 127.0.0.1:0 --data ./data
  featurestore dev --definitions ./definitions --no-sample`,
		Args: wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return d.run(a, cmd) },
	}
	cmd.Flags().StringVar(&d.regions, "regions", "eu", "region to run; this version runs one")
	cmd.Flags().BoolVar(&d.noSample, "no-sample", false, "start empty")
	registerSettings(cmd, "listen", "data", "definitions", "log_level", "log_format")
	return cmd
}

func (d *development) run(a *app, cmd *cobra.Command) (err error) {
	if strings.Contains(d.regions, ",") || d.regions == "" {
		return fmt.Errorf("--regions is %q: this version runs one region, such as eu; it does not replicate yet", d.regions)
	}
	given := givenSettings(cmd)
	if given["data"] == "" {
		dir, err := os.MkdirTemp("", "featurestore-dev-")
		if err != nil {
			return err
		}
		given["data"] = dir
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if given["log_level"] == "" {
		given["log_level"] = "warn"
	}
	given["region"], given["store"] = d.regions, d.regions+"-1"
	c, err := replica.Load(replica.Sources{Environ: a.environ, Others: clientVariables, Flags: given})
	if err != nil {
		return err
	}
	c.LogOutput = a.err
	r, err := replica.New(c)
	if err != nil {
		return err
	}
	return runStore(cmd.Context(), r, func(ctx context.Context) error {
		if d.noSample || c.Definitions != "" {
			return announce(a, c, r)
		}
		return d.sample(ctx, a, r, c)
	})
}

// sample loads the sample, says so, and keeps rows arriving until ctx ends.
func (d *development) sample(ctx context.Context, a *app, r *replica.Replica, c replica.Config) error {
	s, err := newSample(r.URL())
	if err != nil {
		return err
	}
	plan, err := r.Apply(ctx, s.definitions)
	if err != nil {
		return fmt.Errorf("apply the sample: %w", err)
	}
	if !plan.IsEmpty() { // with --data, the rows of the last time are there
		if err := s.load(ctx); err != nil {
			return fmt.Errorf("load the sample: %w", err)
		}
	}
	fmt.Fprintf(a.out, welcome, r.URL(), c.Data, sampleDrivers)
	s.keepArriving(ctx, a.err)
	return nil
}

// welcome has the commands that a newcomer copies: each is one line.
const welcome = `A feature store at %[1]s, data in %[2]s
with a generated sample: project rides, %[3]d drivers, a few rows a second arriving.

Look features up:
  curl -s --json '{"service": "driver_v1", "entities": {"driver_id": [1001, 1002]}, "request": {"demand": [1.5, 2.0]}}' %[1]s/v1/projects/rides/lookup

Push a row, and read it back in the same session:
  session=$(curl -s --json '{"view": "driver_stats", "rows": [{"driver_id": 1001, "trips": {"increment": 1}}]}' %[1]s/v1/projects/rides/push | sed 's/.*"session": *"\([^"]*\)".*/\1/') && curl -s -H "Featurestore-Session: $session" -H 'Featurestore-Consistency: session' --json '{"features": ["driver_stats:trips"], "entities": {"driver_id": [1001]}}' %[1]s/v1/projects/rides/lookup

The same as Feast's clients ask:
  curl -s --json '{"features": ["driver_stats:conv_rate", "driver_stats:trips"], "entities": {"driver_id": [1001, 1002]}}' %[1]s/get-online-features

Next: %[1]s/openapi.json, %[1]s/metrics, featurestore --help
ready
`
