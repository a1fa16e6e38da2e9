package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"featurestore/api"
)

func newRegions(a *app) *cobra.Command {
	var c client
	var out output
	cmd := &cobra.Command{
		Use:   "regions",
		Short: "List the stores of the deployment",
		Long: `Regions lists the stores of the deployment as the store of --url knows them: the
region of each, its state, and where it answers. The one that was asked is
marked by a star.`,
		Example: `  featurestore regions
  featurestore regions --url http://127.0.0.1:8081 --output json`,
		Args: wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list api.Regions
			if err := c.get(cmd.Context(), "/v1/regions", &list); err != nil {
				return err
			}
			if out.json() {
				return out.print(a.out, list)
			}
			t := newTable("region", "store", "state", "url")
			for _, r := range list.Regions {
				name := r.Store
				if r.Self {
					name += " *"
				}
				t.AppendRow([]any{r.Region, name, r.State, r.URL})
			}
			_, err := fmt.Fprint(a.out, render(t))
			return err
		},
	}
	c.register(a, cmd)
	out.register(cmd)
	return cmd
}
