package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"featurestore/api"
	"featurestore/feature"
)

// lookup is what the flags of get say.
type lookup struct {
	client      client
	out         output
	service     string
	features    []string
	session     string
	consistency string
}

func newGet(a *app) *cobra.Command {
	var l lookup
	cmd := &cobra.Command{
		Use:   "get (--service NAME | --features VIEW:FEATURE,…) KEY=VALUE[,VALUE…]…",
		Short: "Look features up",
		Long: `Get looks the newest features of entities up. Each argument is a join key with
one value for each entity, or a value that on-demand features take from the
request. Values with commas are written as a JSON list: 'city=["a,b", "c"]'.

A value that is not served shows its status in place of it: NOT_FOUND, never
written or deleted; NULL_VALUE, a null was stored; OUTSIDE_MAX_AGE, older than
the view's ttl. JSON has values, statuses and event times side by side.

--session takes a session token, as push and get print it, and reads no older
than what that session wrote and read. --consistency asks for a read level:
eventual, session, "bounded; max-staleness=500ms", quorum or leader; several,
separated by commas, are tried in order.`,
		Example: `  featurestore get --service driver_v1 driver_id=1001,1002 demand=1.5,2
  featurestore get --features driver_stats:trips driver_id=1001 --output json
  featurestore get --features driver_stats:trips driver_id=1001 --session "$token" --consistency session`,
		Args: wantArgs(1, -1, "the join keys, such as driver_id=1001"),
		RunE: func(cmd *cobra.Command, args []string) error { return l.run(cmd.Context(), a, args) },
	}
	f := cmd.Flags()
	f.StringVar(&l.service, "service", "", "feature service to look up")
	f.StringSliceVar(&l.features, "features", nil, "features to look up, as view:feature")
	f.StringVar(&l.session, "session", "", "session token of what must be seen")
	f.StringVar(&l.consistency, "consistency", "", "read level, or several in order of preference")
	wantFlags(cmd, "--service NAME or --features VIEW:FEATURE,…, what to look up", "service", "features")
	l.client.register(a, cmd)
	l.client.registerProject(a, cmd)
	l.out.register(cmd)
	return cmd
}

func (l *lookup) run(ctx context.Context, a *app, args []string) error {
	columns, err := parseColumns(args, "driver_id=1001,1002")
	if err != nil {
		return err
	}
	if err := l.client.resolveProject(ctx); err != nil {
		return err
	}
	types, err := l.client.types(ctx)
	if err != nil {
		return err
	}
	request := api.LookupRequest{
		Service: l.service, Features: l.features,
		Entities: map[string][]json.RawMessage{}, Request: map[string][]json.RawMessage{},
	}
	var keys []string
	for _, c := range columns {
		if t, ok := types.keys[c.name]; ok {
			request.Entities[c.name] = c.toJSON(t)
			keys = append(keys, c.name)
		} else if t, ok := types.request[c.name]; ok {
			request.Request[c.name] = c.toJSON(t)
		} else {
			return unknownColumn(c.name, types)
		}
	}
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	header := http.Header{}
	for name, value := range map[string]string{api.HeaderSession: l.session, api.HeaderConsistency: l.consistency} {
		if value != "" {
			header.Set(name, value)
		}
	}
	if l.out.json() {
		var answer json.RawMessage
		if err := l.client.post(ctx, l.client.path("lookup"), header, body, &answer); err != nil {
			return err
		}
		return l.out.print(a.out, answer)
	}
	var answer api.LookupResponse
	if err := l.client.post(ctx, l.client.path("lookup"), header, body, &answer); err != nil {
		return err
	}
	return printLookup(a, keys, answer)
}

func unknownColumn(name string, types projectTypes) error {
	var known []string
	for _, m := range []map[string]feature.Type{types.keys, types.request} {
		for n := range m {
			known = append(known, n)
		}
	}
	slices.Sort(known)
	hint := "the project has " + strings.Join(known, ", ")
	if near := feature.Nearest(name, known); near != "" {
		hint = "did you mean " + near + "?"
	} else if len(known) == 0 {
		return errors.New("the project has no entities; apply definitions first")
	}
	return fmt.Errorf("%s is no join key and no request value of the project; %s", name, hint)
}

func printLookup(a *app, keys []string, answer api.LookupResponse) error {
	header := make([]any, 0, len(keys)+len(answer.Features))
	for _, k := range keys {
		header = append(header, k)
	}
	for _, f := range answer.Features {
		header = append(header, f)
	}
	t := newTable(header...)
	for _, r := range answer.Rows {
		row := make([]any, 0, len(header))
		for _, k := range keys {
			row = append(row, plainText(r.Entity[k]))
		}
		for i, v := range r.Values {
			if r.Statuses[i] == api.StatusPresent || string(v) != "null" {
				row = append(row, plainText(v))
			} else {
				row = append(row, string(r.Statuses[i]))
			}
		}
		t.AppendRow(row)
	}
	m := answer.Consistency
	_, err := fmt.Fprintf(a.out, "%s\nread level %s, served by %s/%s\n", render(t), m.Met, m.Region, m.Store)
	if err == nil && answer.Session != "" {
		_, err = fmt.Fprintf(a.out, "session %s\n", answer.Session)
	}
	return err
}

// plainText prints a JSON value for a table: strings without quotes.
func plainText(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}
