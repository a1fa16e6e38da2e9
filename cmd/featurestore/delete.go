package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"featurestore/api"
	"featurestore/feature"
)

func newDelete(a *app) *cobra.Command {
	var c client
	var out output
	var seen session
	var concern string
	request := api.DeleteRequest{}
	cmd := &cobra.Command{
		Use:   "delete --view VIEW KEY=VALUE[,VALUE…]…",
		Short: "Delete rows",
		Long: `Delete deletes the rows of a view for the entities named. Each argument is a
join key with one value for each entity. A row that is not there is no error.

A delete is an event: it covers what happened up to its event time, now by
default, and a row pushed later with a later event time is served again.`,
		Example: `  featurestore delete --view driver_stats driver_id=1001,1002`,
		Args:    wantArgs(1, -1, "the join keys, such as driver_id=1001"),
		RunE: func(cmd *cobra.Command, args []string) error {
			columns, err := parseColumns(args, "driver_id=1001,1002")
			if err != nil {
				return err
			}
			if err := c.resolveProject(cmd.Context()); err != nil {
				return err
			}
			var view api.View
			if err := c.get(cmd.Context(), c.path("views", request.View), &view); err != nil {
				return err
			}
			keys := map[string]feature.Type{}
			if err := addTypes(keys, view.JoinKeys); err != nil {
				return err
			}
			request.Entities = map[string][]json.RawMessage{}
			for _, col := range columns {
				t, ok := keys[col.name]
				if !ok {
					return unknownColumn(col.name, projectTypes{keys: keys})
				}
				request.Entities[col.name] = col.toJSON(t)
			}
			body, err := json.Marshal(request)
			if err != nil {
				return err
			}
			if err := seen.open(); err != nil {
				return err
			}
			header := http.Header{}
			if concern != "" {
				header.Set(api.HeaderWriteConcern, concern)
			}
			sent := seen.send(header)
			var answer api.PushResponse
			if err := c.post(cmd.Context(), c.path("delete"), header, body, &answer); err != nil {
				return seen.explain(err)
			}
			seen.answered(sent, answer.Session)
			if answer.Session, err = seen.close(cmd.Context(), &c); err != nil {
				return err
			}
			if out.json() {
				return out.print(a.out, answer)
			}
			covered := ""
			if answer.Superseded > 0 {
				covered = fmt.Sprintf(", of which a later delete covered %d already", answer.Superseded)
			}
			_, err = fmt.Fprintf(a.out, "deleted %d%s\n%s\nsession %s\n", answer.Accepted, covered, describeConcern(answer.Concern), answer.Session)
			return err
		},
	}
	cmd.Flags().StringVar(&request.View, "view", "", "view whose rows are deleted")
	cmd.Flags().StringVar(&request.EventTime, "event-time", "", "time of the delete, RFC 3339; now by default")
	cmd.Flags().StringVar(&concern, "write-concern", "", "who must have the delete, such as region_quorum; the view's own by default")
	seen.register(cmd)
	wantFlags(cmd, "--view VIEW, the view whose rows are deleted", "view")
	c.register(a, cmd)
	c.registerProject(a, cmd)
	out.register(cmd)
	return cmd
}
