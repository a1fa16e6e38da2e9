package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/sdk"
)

// lookup is what the flags of get say.
type lookup struct {
	client      client
	out         output
	service     string
	features    []string
	session     session
	consistency string
	onUnmet     string
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

--consistency asks for a read level: eventual, session, quorum, leader, or
"bounded; max-staleness=500ms". Several, separated by commas, are tried in
order, each as long as its "within" says: "session; within=5ms, eventual".
"quorum; members=2; repair=none" reads two members and waits for no other.
--on-unmet says what the store does when none is met in time: forward asks a
store that can, degrade answers with what is met, fail is an error.

--session takes a session token, as push and get print it, and reads no older
than what that session wrote and read. --session-file keeps the session in a
file, which the next command goes on with.

Below the table stand the level met, the store that served, and, where there is
something to say: how long it waited for the level, whether another store served
than the one asked, and how far the answer may lag each other region.`,
		Example: `  featurestore get --service driver_v1 driver_id=1001,1002 demand=1.5,2
  featurestore get --features driver_stats:trips driver_id=1001 --output json
  featurestore get --features driver_stats:trips driver_id=1001 --session-file seen --consistency session
  featurestore get --features driver_stats:trips driver_id=1001 --consistency "bounded; max-staleness=1s" --on-unmet fail`,
		Args: wantArgs(1, -1, "the join keys, such as driver_id=1001"),
		RunE: func(cmd *cobra.Command, args []string) error { return l.run(cmd.Context(), a, args) },
	}
	f := cmd.Flags()
	f.StringVar(&l.service, "service", "", "feature service to look up")
	f.StringSliceVar(&l.features, "features", nil, "features to look up, as view:feature")
	l.session.register(cmd)
	f.StringVar(&l.onUnmet, "on-unmet", "", "when no read level is met in time: forward, degrade or fail; the views' own by default")
	_ = cmd.RegisterFlagCompletionFunc("on-unmet", cobra.FixedCompletions(unmetPolicies, cobra.ShellCompDirectiveNoFileComp))
	f.StringVar(&l.consistency, "consistency", "", "read level, or several in order of preference")
	wantFlags(cmd, "--service NAME or --features VIEW:FEATURE,…, what to look up", "service", "features")
	l.client.register(a, cmd)
	l.client.registerProject(a, cmd)
	l.out.register(cmd)
	return cmd
}

// unmetPolicies are the values of --on-unmet.
var unmetPolicies = []string{string(sdk.Forward), string(sdk.Degrade), string(sdk.Fail)}

func (l *lookup) run(ctx context.Context, a *app, args []string) error {
	if l.onUnmet != "" && !slices.Contains(unmetPolicies, l.onUnmet) {
		return fmt.Errorf("--on-unmet is %q: use %s", l.onUnmet, strings.Join(unmetPolicies, ", "))
	}
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
	var raw json.RawMessage
	token, err := l.send(ctx, body, &raw)
	if err != nil {
		return err
	}
	if l.out.json() {
		return l.out.print(a.out, raw)
	}
	var answer api.LookupResponse
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("the store answered something else than a lookup's result: %w", err)
	}
	answer.Session = token
	return printLookup(a, keys, answer)
}

// send makes the request and returns the session after it.
func (l *lookup) send(ctx context.Context, body []byte, into any) (string, error) {
	if err := l.session.open(); err != nil {
		return "", err
	}
	header := http.Header{"Content-Type": {api.MediaJSON}}
	for name, value := range map[string]string{api.HeaderConsistency: l.consistency, api.HeaderOnUnmet: l.onUnmet} {
		if value != "" {
			header.Set(name, value)
		}
	}
	sent := l.session.send(header)
	answer, err := l.client.call(ctx, http.MethodPost, l.client.path("lookup"), header, body, into)
	if err != nil {
		return "", l.session.explain(err)
	}
	l.session.answered(sent, answer.Get(api.HeaderSession))
	return l.session.close(ctx, &l.client)
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
	_, err := fmt.Fprintf(a.out, "%s\n%s\n%s", render(t), describeMet(answer.Consistency), describeConflicts(answer))
	if err == nil && answer.Session != "" {
		_, err = fmt.Fprintf(a.out, "session %s\n", answer.Session)
	}
	return err
}

// describeConflicts says how many values have siblings, nothing when none has.
func describeConflicts(answer api.LookupResponse) string {
	n := 0
	for _, r := range answer.Rows {
		for _, beside := range r.Conflicts {
			if beside > 0 {
				n++
			}
		}
	}
	switch n {
	case 0:
		return ""
	case 1:
		return "1 value has siblings: featurestore conflicts shows them\n"
	}
	return fmt.Sprintf("%d values have siblings: featurestore conflicts shows them\n", n)
}

// describeMet tells on one line what a lookup got.
func describeMet(m api.ConsistencyMet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "read level %s", m.Met)
	if m.Degraded {
		fmt.Fprintf(&b, " in place of %s", m.Asked)
	}
	if m.Members != nil {
		fmt.Fprintf(&b, " of %d of %d members", m.Members.Read, m.Members.Of)
	}
	fmt.Fprintf(&b, ", served by %s/%s", m.Region, m.Store)
	if m.Forwarded {
		b.WriteString(", to which it was forwarded")
	}
	if m.WaitedMs > 0 {
		fmt.Fprintf(&b, ", after waiting %d ms", m.WaitedMs)
	}
	for i, region := range slices.Sorted(maps.Keys(m.StalenessMs)) {
		separator := "; "
		if i > 0 {
			separator = ", "
		}
		if ms := m.StalenessMs[region]; ms < api.UnknownStalenessMs {
			fmt.Fprintf(&b, "%sat most %d ms behind %s", separator, ms, region)
		} else {
			fmt.Fprintf(&b, "%snothing heard of %s yet", separator, region)
		}
	}
	return b.String()
}

// plainText prints a JSON value for a table: strings without quotes.
func plainText(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}
