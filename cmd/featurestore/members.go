package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"featurestore/api"
)

func newMembers(a *app) *cobra.Command {
	var c client
	var out output
	cmd := &cobra.Command{
		Use:   "members",
		Short: "List, add and remove the stores of the deployment",
		Long: `Members lists the stores that take part, as the store of --url has them, with
their states:

  joining   copies the rows, and serves nobody yet
  active    serves and takes writes
  leaving   takes no more writes, until the others have all it has
  fenced    is being evicted: the others take no more of its log
  removed   is not part any more; what it wrote stays

One store, the home, changes the list; any store may be asked to have it
changed.`,
		Example: `  featurestore members
  featurestore members add --region ap --store ap-1 --address 10.0.3.7:9090
  featurestore members remove ap-1`,
		Args: wantSubcommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var m api.Members
			if err := c.get(cmd.Context(), "/v1/members", &m); err != nil {
				return err
			}
			return printMembers(a, &out, &m)
		},
	}
	c.register(a, cmd)
	out.register(cmd)
	cmd.AddCommand(newMembersAdd(a), newMembersRemove(a), newMembersEvict(a), newMembersTakeHome(a))
	return cmd
}

func newMembersAdd(a *app) *cobra.Command {
	change := api.MemberChange{Action: "add"}
	cmd := newMemberChange(a, &change, wantArgs(0, 0, ""))
	cmd.Use = "add --region REGION --store STORE --address HOST:PORT"
	cmd.Short = "Let a store join"
	cmd.Long = `Add lets a store join the deployment. It copies the rows from the others, and
serves when it has come up with them; members shows its state. Start it with the
same region, name and secret, empty, and with an address that the others reach.`
	cmd.Example = `  featurestore members add --region ap --store ap-1 --address 10.0.3.7:9090`
	f := cmd.Flags()
	f.StringVar(&change.Region, "region", "", "region of the store")
	f.StringVar(&change.Store, "store", "", "name of the store, which none had before")
	f.StringVar(&change.Address, "address", "", "host and port where the others reach it")
	wantFlags(cmd, "--address HOST:PORT, where the others reach it", "address") // the last one is asked for first
	wantFlags(cmd, "--store STORE, the name of the store", "store")
	wantFlags(cmd, "--region REGION, the region of the store", "region")
	return cmd
}

func newMembersRemove(a *app) *cobra.Command {
	change := api.MemberChange{Action: "remove"}
	cmd := newMemberChange(a, &change, wantArgs(1, 1, "the store to remove, such as ap-1"))
	cmd.Use = "remove STORE"
	cmd.Short = "Drain a store and take it out"
	cmd.Long = `Remove takes a store out that runs: it takes no more writes, and leaves when the
others have everything it has. Nothing is lost. members shows how far it is.

A store that does not run any more cannot be drained; see evict.`
	cmd.Example = `  featurestore members remove ap-1`
	return cmd
}

func newMembersEvict(a *app) *cobra.Command {
	change := api.MemberChange{Action: "evict"}
	yes := false
	cmd := newMemberChange(a, &change, func(cmd *cobra.Command, args []string) error {
		if err := wantArgs(1, 1, "the store to evict, such as ap-1")(cmd, args); err != nil {
			return err
		}
		if !yes {
			return fmt.Errorf("evicting %s gives up what no other store has of its writes, and it must be rebuilt, empty, to join again; say --yes if it will not come back, or use: featurestore members remove %s", args[0], args[0])
		}
		return nil
	})
	cmd.Use = "evict STORE --yes"
	cmd.Short = "Take a store out that will not come back"
	cmd.Long = `Evict takes a store out that is away for good. The others go on without it: its
log ends where they have it, reads that wait for it go on, and what nobody else
has of its writes does not count. Sessions that saw such a write are told that
it is lost. Should the store come back, it offers those writes to the others
again, and must be rebuilt, empty, to join.

A store that alone holds a group is not evicted: nobody could take over its
rows. Add another region to the group, delete the group, or give the rows up
with --abandon.

A store that runs is removed instead, which loses nothing.`
	cmd.Example = `  featurestore members evict ap-1 --yes`
	cmd.Flags().BoolVar(&change.Abandon, "abandon", false, "give up the rows of groups that it alone holds")
	cmd.Flags().BoolVar(&yes, "yes", false, "it will not come back, and what only it has may be given up")
	return cmd
}

func newMembersTakeHome(a *app) *cobra.Command {
	change := api.MemberChange{Action: "take_home"}
	yes := false
	cmd := newMemberChange(a, &change, func(cmd *cobra.Command, args []string) error {
		if err := wantArgs(1, 1, "the store to be the home, such as us-1")(cmd, args); err != nil {
			return err
		}
		if !yes {
			return fmt.Errorf("making %s the home gives up what the home before changed and no other store has heard of; say --yes if that one is gone for good", args[0])
		}
		return nil
	})
	cmd.Use = "take-home STORE --yes"
	cmd.Short = "Make a store the home in place of one that is gone"
	cmd.Long = `Take-home makes the store of --url, which STORE names, the home: the one store
that changes the list of members and the definitions. It is for a home that is
gone for good. Where it is only out of reach, wait for it: lookups and pushes go
on without it.

Evict the old home next. Changes of members and definitions that it made and
nobody else has heard of are void.`
	cmd.Example = `  featurestore members take-home us-1 --yes --url http://10.0.2.4:8080
  featurestore members evict eu-1 --yes --url http://10.0.2.4:8080`
	cmd.Flags().BoolVar(&yes, "yes", false, "the home is gone for good, and what only it knows may be given up")
	return cmd
}

// newMemberChange makes a command that posts a change; an argument is the store.
func newMemberChange(a *app, change *api.MemberChange, args cobra.PositionalArgs) *cobra.Command {
	var c client
	var out output
	cmd := &cobra.Command{
		Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				change.Store = args[0]
			}
			body, err := json.Marshal(change)
			if err != nil {
				return err
			}
			var m api.Members
			if err := c.post(cmd.Context(), "/v1/members", nil, body, &m); err != nil {
				return err
			}
			return printMembers(a, &out, &m)
		},
	}
	c.register(a, cmd)
	out.register(cmd)
	return cmd
}

func printMembers(a *app, out *output, m *api.Members) error {
	if out.json() {
		return out.print(a.out, m)
	}
	t := newTable("region", "store", "state", "address", "url")
	for _, x := range m.Members {
		name := x.Store
		if x.Store == m.Home {
			name += " (home)"
		}
		t.AppendRow([]any{x.Region, name, x.State, x.Address, x.URL})
	}
	_, err := fmt.Fprintf(a.out, "%s\nrevision %d of epoch %d\n", render(t), m.Revision, m.Epoch)
	return err
}
