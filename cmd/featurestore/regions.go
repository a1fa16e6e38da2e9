package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"featurestore/api"
)

func newRegions(a *app) *cobra.Command {
	var c client
	var out output
	leaders := false
	cmd := &cobra.Command{
		Use:   "regions",
		Short: "List the stores of the deployment",
		Long: `Regions lists the stores of the deployment as the store of --url knows them: the
region of each, its state, where it answers, and how many shards of each leader
group it leads. The one that was asked is marked by a star.

--leaders lists the shards of leader groups instead: who leads each, in which
term, and whether the term is open, stopping (its leader hands over), deposed
(the others take no more of its log) or choosing (nobody leads yet).`,
		Example: `  featurestore regions
  featurestore regions --leaders
  featurestore regions --url http://127.0.0.1:8081 --output json`,
		Args: wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if leaders {
				return printLeaders(cmd.Context(), a, &c, &out)
			}
			var list api.Regions
			if err := c.get(cmd.Context(), "/v1/regions", &list); err != nil {
				return err
			}
			if out.json() {
				return out.print(a.out, list)
			}
			t := newTable("region", "store", "state", "url", "leads")
			for _, r := range list.Regions {
				name := r.Store
				if r.Self {
					name += " *"
				}
				t.AppendRow([]any{r.Region, name, r.State, r.URL, leadsText(r.Leads)})
			}
			_, err := fmt.Fprint(a.out, render(t))
			return err
		},
	}
	cmd.Flags().BoolVar(&leaders, "leaders", false, "list the shards of leader groups")
	c.register(a, cmd)
	out.register(cmd)
	return cmd
}

// leadsText prints what a store leads, such as "accounts 3 of 16".
func leadsText(leads []api.LedGroup) string {
	if len(leads) == 0 {
		return "-"
	}
	names := make([]string, len(leads))
	for i, l := range leads {
		names[i] = fmt.Sprintf("%s %d of %d", l.Group, l.Shards, l.Of)
	}
	return strings.Join(names, ", ")
}

// printLeaders lists the shards of leader groups.
func printLeaders(ctx context.Context, a *app, c *client, out *output) error {
	var answer api.Replication
	if err := c.get(ctx, "/v1/replication", &answer); err != nil {
		return err
	}
	list := []map[string]any{}
	t := newTable("group", "partition", "leader", "region", "term", "state", "next")
	for _, s := range answer.Shards {
		if s.Leader != nil {
			list = append(list, map[string]any{"group": s.Group, "partition": s.Partition, "leader": s.Leader})
			t.AppendRow([]any{s.Group, s.Partition, orDash(s.Leader.Store), orDash(s.Leader.Region), s.Leader.Term, s.Leader.State, orDash(s.Leader.Next)})
		}
	}
	switch {
	case out.json():
		return out.print(a.out, map[string]any{"leaders": list})
	case len(list) == 0:
		_, err := fmt.Fprintln(a.out, "no group has placement leader")
		return err
	}
	_, err := fmt.Fprint(a.out, render(t))
	return err
}
