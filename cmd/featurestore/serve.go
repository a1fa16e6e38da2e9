package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"featurestore/replica"
)

func newServe(a *app) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run one store",
		Long: `Serve runs one store until it is told to stop by SIGINT or SIGTERM. It then
refuses new requests, finishes those in flight within --drain, and closes its
data. A second signal ends it at once; nothing acknowledged is lost even then.

It prints "ready" on a line of its own when requests are answered, and logs to
standard error.

With peers it replicates to stores of other regions. When all of them run for
the first time, the one whose region comes first by name begins the deployment,
and the others join. A store that was evicted puts its data aside and joins
anew. One that was removed ends, with exit code 0, when the others have all it
had. Started again it ends at once; with an empty directory it waits until it is
added again.

Settings come from the file of --config, then from the environment, then from
flags, the later winning. Every setting has one name: "log_level" in the file is
FEATURESTORE_LOG_LEVEL in the environment and --log-level as a flag. Relative
paths in the file are taken from the file's folder, others from the current one.

Settings:

` + settingsHelp(),
		Example: `  featurestore serve --config store.yaml
  featurestore serve --region eu --store eu-1 --data ./data
  FEATURESTORE_LOG_FORMAT=json featurestore serve --config store.yaml --listen 127.0.0.1:9000`,
		Args: wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := replica.Load(replica.Sources{
				File: file, Environ: a.environ, Others: clientVariables, Flags: givenSettings(cmd),
			})
			if err != nil {
				return err
			}
			c.LogOutput = a.err
			return serve(cmd.Context(), a, c)
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "file of settings, in YAML")
	registerSettings(cmd)
	return cmd
}

// serve runs a store until ctx ends or it was removed in order, and begins anew
// when it was evicted.
func serve(ctx context.Context, a *app, c replica.Config) error {
	r, err := replica.New(c)
	if err != nil {
		return err
	}
	err = live(ctx, titled{a.err, "featurestore: serve: "}, c, r, func(r *replica.Replica) error { return announce(a, c, r) })
	if errors.Is(err, replica.ErrDrained) {
		_, err = fmt.Fprintln(a.out, left(c))
	}
	return err
}

// announce says where the store is, and that it is ready.
func announce(a *app, c replica.Config, r *replica.Replica) error {
	where := fmt.Sprintf("store %s at %s, data in %s\n", c.Store, r.URL(), c.Data)
	if flight := r.FlightAddr(); flight != nil {
		where += fmt.Sprintf("history over Arrow Flight at grpc://%s\n", flight)
	}
	_, err := fmt.Fprint(a.out, where+"ready\n")
	return err
}
