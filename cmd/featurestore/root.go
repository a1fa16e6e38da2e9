package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

const rootHelp = `Featurestore serves machine-learning features: it takes feature rows as they
happen, keeps the newest for each entity, and looks them up by REST.

Try it:

  featurestore dev

Begin a project of your own:

  featurestore init rides && cd rides
  featurestore serve --config store.yaml
  featurestore push --view driver_stats drivers.csv
  featurestore get --service driver_v1 driver_id=1001 demand=1.5

Exit codes: 0 success; 1 error; 2 plan found changes; 130 interrupted. A signal
is how dev and serve are stopped: they exit with 0 after they stopped in order.

Environment: FEATURESTORE_URL and FEATURESTORE_PROJECT are the defaults of
--url and --project. Each setting of serve is a variable too; see
featurestore serve --help.`

// newRoot builds the whole command line.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "featurestore",
		Short:         "A feature store in one binary",
		Long:          rootHelp,
		SilenceErrors: true, // execute prints them
		SilenceUsage:  true, // a mistake deserves an answer, not a page
		Args:          wantCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	})
	root.AddGroup(&cobra.Group{ID: "store", Title: "Stores:"}, &cobra.Group{ID: "client", Title: "Clients of a store:"},
		&cobra.Group{ID: "deployment", Title: "Clients of several regions:"})
	for _, c := range []*cobra.Command{newDev(a), newInit(a), newServe(a), newExport(a), newVerify(a), newInspect(a)} {
		c.GroupID = "store"
		root.AddCommand(c)
	}
	for _, c := range []*cobra.Command{newPlan(a), newApply(a), newPush(a), newMaterialize(a), newGet(a), newDelete(a), newErase(a), newConflicts(a)} {
		c.GroupID = "client"
		root.AddCommand(c)
	}
	for _, c := range []*cobra.Command{newLag(a), newLink(a), newMembers(a), newProbe(a), newAdvise(a), newPromote(a), newRegions(a), newVerifyReplicas(a)} {
		c.GroupID = "deployment"
		root.AddCommand(c)
	}
	root.AddCommand(newVersion(a), newReadRows(a))
	return root
}
