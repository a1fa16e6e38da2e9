package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"featurestore/api"
	"featurestore/feature/definition"
)

const definitionsHelp = `PATH is a file of definitions or a folder of them, "definitions" by default.
Unknown keys and wrong types are errors with file, line and column.`

func newPlan(a *app) *cobra.Command {
	var c client
	var out output
	cmd := &cobra.Command{
		Use:   "plan [PATH]",
		Short: "Show what definitions would change",
		Long: `Plan compares definitions with what the store has applied, and changes nothing.
Changes that stored rows do not allow are errors that say the way out.

` + definitionsHelp + `

Exit codes: 0 nothing would change; 2 something would; 1 an error.`,
		Example: `  featurestore plan
  featurestore plan definitions/rides.yaml --output json
  featurestore plan; test $? -ne 1 && featurestore apply`,
		Args: wantArgs(0, 1, "a file or a folder of definitions"),
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := sendDefinitions(cmd.Context(), &c, "plan", args, nil)
			if err != nil {
				return err
			}
			if err := printPlan(a, &out, plan); err != nil {
				return err
			}
			if len(plan.Changes) > 0 {
				return errChanges
			}
			return nil
		},
	}
	c.register(a, cmd)
	out.register(cmd)
	return cmd
}

func newApply(a *app) *cobra.Command {
	var c client
	var out output
	var expect uint64
	cmd := &cobra.Command{
		Use:   "apply [PATH]",
		Short: "Make the store's definitions these",
		Long: `Apply makes a project's definitions those of PATH, all or nothing, and prints
what changed. Rows are never rewritten; what would need that is refused, with
the way out.

` + definitionsHelp + `

With --expect, it applies only if the project is still at that revision, which
plan shows as "from"; otherwise it prints what has changed since.`,
		Example: `  featurestore apply
  featurestore apply definitions --expect 7`,
		Args: wantArgs(0, 1, "a file or a folder of definitions"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var query url.Values
			if cmd.Flags().Changed("expect") {
				query = url.Values{"expect": {strconv.FormatUint(expect, 10)}}
			}
			plan, err := sendDefinitions(cmd.Context(), &c, "apply", args, query)
			if err != nil {
				return err
			}
			return printPlan(a, &out, plan)
		},
	}
	cmd.Flags().Uint64Var(&expect, "expect", 0, "revision of the project that must be there")
	c.register(a, cmd)
	out.register(cmd)
	return cmd
}

// sendDefinitions reads definitions, so that faults name file and line, and
// posts them for their project.
func sendDefinitions(ctx context.Context, c *client, operation string, args []string, query url.Values) (api.Plan, error) {
	path := "definitions"
	if len(args) == 1 {
		path = args[0]
	}
	d, err := definition.Load(path)
	if err != nil {
		return api.Plan{}, err
	}
	body, err := definition.Format(d)
	if err != nil {
		return api.Plan{}, err
	}
	c.project = d.Project
	target := c.path(operation)
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var plan api.Plan
	_, err = c.call(ctx, http.MethodPost, target, http.Header{"Content-Type": {api.MediaYAML}}, body, &plan)
	return plan, err
}

func printPlan(a *app, out *output, plan api.Plan) error {
	if out.json() {
		return out.print(a.out, plan)
	}
	_, err := fmt.Fprint(a.out, plan.Summary)
	if err == nil && plan.Applied {
		_, err = fmt.Fprintf(a.out, "applied: revision %d\n", plan.Revision)
	}
	return err
}
