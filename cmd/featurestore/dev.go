package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"featurestore/meta"
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
		Short: "Run three regions with sample data, for trying out",
		Long: `Dev runs a store in each of several regions, in one process, and needs nothing
else. They are real: files and ports of their own, and streams between them that
go through relays, so that links can be slowed, spoiled and cut while they run
(featurestore link). It applies a sample project, loads sample rows in the first
region and goes on pushing a few a second, and prints commands to try. It prints
"ready" on a line of its own when every region answers requests.

The first region listens at --listen, the others at the ports that follow.

The sample is generated from a fixed seed: drivers of a ride service, with a
conversion rate, a count of trips, and tags. No real person or trip is in it.

A store that is evicted (featurestore members evict) puts its data aside and
joins anew; one that is removed ends. The other regions go on, with --data also
the next time.

Each store keeps history (featurestore export), in DATA/REGION/history.

Without --data everything is kept in a temporary folder that is removed at exit.
With --definitions, those are applied in place of the sample.`,
		Example: `  featurestore dev
  featurestore dev --regions eu,us --listen 127.0.0.1:0 --data ./data
  featurestore dev --regions eu --definitions ./definitions --no-sample`,
		Args: wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return d.run(a, cmd) },
	}
	cmd.Flags().StringVar(&d.regions, "regions", "eu,us,ap", "regions to run, one store in each")
	cmd.Flags().BoolVar(&d.noSample, "no-sample", false, "start empty")
	registerSettings(cmd, "listen", "data", "definitions", "batch_sources", "served_log", "log_level", "log_format")
	return cmd
}

// devHistoryEvery is how long rows wait for their history in dev: somebody is watching.
const devHistoryEvery = 5 * time.Second

// maxRegions bounds the stores that dev runs in one process.
const maxRegions = 7

// names returns the regions that were asked for.
func (d *development) names() ([]string, error) {
	var names []string
	for name := range strings.SplitSeq(d.regions, ",") {
		if name = strings.TrimSpace(name); meta.Region(name).Validate() != nil || slices.Contains(names, name) {
			return nil, fmt.Errorf("--regions is %q: write names of letters, digits and dashes, each once, such as eu,us,ap", d.regions)
		}
		names = append(names, name)
	}
	if len(names) > maxRegions {
		return nil, fmt.Errorf("--regions names %d: at most %d", len(names), maxRegions)
	}
	return names, nil
}

func (d *development) run(a *app, cmd *cobra.Command) (err error) {
	names, err := d.names()
	if err != nil {
		return err
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
	given["region"], given["store"] = names[0], names[0]+"-1"
	base := replica.Config{HotBytes: int64(replica.DefaultHotBytes / len(names)), History: true, HistoryEvery: devHistoryEvery}
	c, err := replica.Overlay(base, replica.Sources{Environ: a.environ, Others: clientVariables, Flags: given})
	if err != nil {
		return err
	}
	c.LogOutput = a.err
	stores, err := newDeployment(names, c)
	if err != nil {
		return err
	}
	return stores.run(cmd.Context(), titled{a.err, "featurestore: dev: "}, func(ctx context.Context) error {
		if d.noSample || c.Definitions != "" {
			if err := stores.agree(ctx); err != nil {
				return nil // ctx has ended
			}
			return announceRegions(a, c, stores)
		}
		return d.sample(ctx, a, stores, c)
	})
}

// announceRegions says where the stores are, and that they are ready.
func announceRegions(a *app, c replica.Config, stores *deployment) error {
	for _, s := range stores.running() {
		if _, err := fmt.Fprintf(a.out, "store %s at %s\n", s.config.Store, s.replica().URL()); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(a.out, "data in %s\nready\n", c.Data)
	return err
}

// sample loads the sample, says so, and keeps rows arriving until ctx ends.
func (d *development) sample(ctx context.Context, a *app, stores *deployment, c replica.Config) error {
	s, err := newSample(stores.first().replica().URL())
	if err != nil {
		return err
	}
	changed, err := stores.apply(ctx, s.definitions)
	if err != nil {
		return fmt.Errorf("apply the sample: %w", err)
	}
	if err := stores.agree(ctx); err != nil {
		return nil // ctx has ended
	}
	if changed { // else the rows of the last time are there
		if err := s.load(ctx); err != nil {
			return fmt.Errorf("load the sample: %w", err)
		}
	}
	welcome(a, c, stores.running())
	s.keepArriving(ctx, a.err)
	return nil
}
