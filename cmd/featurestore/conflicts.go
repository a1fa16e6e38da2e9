package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/spf13/cobra"

	"featurestore/api"
	"featurestore/feature"
)

// conflicts is what the flags of conflicts say.
type conflicts struct {
	client  client
	out     output
	session session
	request api.ConflictsRequest
}

func newConflicts(a *app) *cobra.Command {
	var c conflicts
	cmd := &cobra.Command{
		Use:   "conflicts --view VIEW [KEY=VALUE[,VALUE…]…]",
		Short: "List rows with siblings",
		Long: `Conflicts lists the rows of a view with features under the rule siblings of
which more than one value is kept: writers who did not know of each other. The
value that lookups serve comes first. Arguments are join keys with one value for
each entity; without them the rows of the view are gone through, a page at a
time.

To settle a conflict, push the value that is right in the session that saw the
others: with --session-file, here and in the push.

Below stand the store's counts since it was started, by conflict rule. A cell is
superseded when nothing of it was left, concurrent when it met a value of
another region's store which its session had not seen; siblings are dropped when
they were too many.`,
		Example: `  featurestore conflicts --view profile
  featurestore conflicts --view profile --session-file seen user_id=7
  featurestore push --view profile --session-file seen decided.jsonl`,
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), a, args) },
	}
	f := cmd.Flags()
	f.StringVar(&c.request.View, "view", "", "view whose conflicts are listed")
	f.IntVar(&c.request.Limit, "limit", api.DefaultConflictRows, "rows on a page")
	f.StringVar(&c.request.After, "after", "", "page to go on with, as the one before printed it")
	c.session.register(cmd)
	wantFlags(cmd, "--view VIEW, the view whose conflicts are listed", "view")
	c.client.register(a, cmd)
	c.client.registerProject(a, cmd)
	c.out.register(cmd)
	return cmd
}

func (c *conflicts) run(ctx context.Context, a *app, args []string) error {
	columns, err := parseColumns(args, "user_id=7,8")
	if err != nil {
		return err
	}
	if err := c.client.resolveProject(ctx); err != nil {
		return err
	}
	var view api.View
	if err := c.client.get(ctx, c.client.path("views", c.request.View), &view); err != nil {
		return err
	}
	keys := map[string]feature.Type{}
	if err := addTypes(keys, view.JoinKeys); err != nil {
		return err
	}
	for _, col := range columns {
		t, ok := keys[col.name]
		if !ok {
			return unknownColumn(col.name, projectTypes{keys: keys})
		}
		if c.request.Entities == nil {
			c.request.Entities = map[string][]json.RawMessage{}
		}
		c.request.Entities[col.name] = col.toJSON(t)
	}
	answer, err := c.send(ctx)
	if err != nil {
		return err
	}
	if c.out.json() {
		return c.out.print(a.out, answer)
	}
	return printConflicts(a, view, answer)
}

// send makes the request; the answer's session is what the command's has seen.
func (c *conflicts) send(ctx context.Context) (api.ConflictsResponse, error) {
	var answer api.ConflictsResponse
	body, err := json.Marshal(c.request)
	if err != nil {
		return answer, err
	}
	if err := c.session.open(); err != nil {
		return answer, err
	}
	header := http.Header{}
	sent := c.session.send(header)
	if err := c.client.post(ctx, c.client.path("conflicts"), header, body, &answer); err != nil {
		return answer, err
	}
	c.session.answered(sent, answer.Session)
	answer.Session, err = c.session.close(ctx, &c.client)
	return answer, err
}

func printConflicts(a *app, view api.View, answer api.ConflictsResponse) error {
	var header []any
	for _, k := range view.JoinKeys {
		header = append(header, k.Name)
	}
	t := newTable(append(header, "feature", "value", "event time", "written", "origin")...)
	for _, r := range answer.Rows {
		for _, name := range slices.Sorted(maps.Keys(r.Features)) {
			for _, s := range r.Features[name] {
				var row []any
				for _, k := range view.JoinKeys {
					row = append(row, plainText(r.Entity[k.Name]))
				}
				t.AppendRow(append(row, name, plainText(s.Value), s.EventTime, s.At, s.Origin))
			}
		}
	}
	text := ""
	if len(answer.Rows) > 0 {
		text = render(t)
	}
	text += fmt.Sprintf("%d rows with siblings, of %d looked at\n", len(answer.Rows), answer.Looked)
	if answer.Next != "" {
		text += fmt.Sprintf("go on with --after %s\n", answer.Next)
	}
	for _, n := range answer.Counts {
		text += fmt.Sprintf("%s: %d cells superseded, %d concurrent", n.Rule, n.Superseded, n.Concurrent)
		if n.Dropped > 0 {
			text += fmt.Sprintf(", %d siblings dropped", n.Dropped)
		}
		text += "\n"
	}
	if answer.Session != "" {
		text += fmt.Sprintf("session %s\n", answer.Session)
	}
	_, err := fmt.Fprint(a.out, text)
	return err
}
