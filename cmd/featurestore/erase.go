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

// erasing takes entities out of every store.
type erasing struct {
	client client
	out    output
	views  []string
	check  bool
}

func newErase(a *app) *cobra.Command {
	e := erasing{}
	cmd := &cobra.Command{
		Use:   "erase [--view VIEW,…] KEY=VALUE[,VALUE…]…",
		Short: "Erase entities in every region, and from history",
		Long: `Erase deletes the rows of the entities named, in every view that has exactly
these join keys or those of --view, and takes all that was ever written of them
out of the history of every store. It deletes in every region first, and each
store's history waits for these deletes, so nothing that was accepted before
comes back.

It prints a receipt: what was taken out where, and until when the stores' logs
may hold it. A store that cannot be reached is named, and the exit code is 1:
erase again when it is back. --check changes nothing and counts what is left.

Views that have these join keys among others are named and not touched: their
rows are found by all of their keys. Exported files are not history: who made
them deletes them.`,
		Example: `  featurestore erase driver_id=1001
  featurestore erase driver_id=1001 --output json > receipt.json
  featurestore erase driver_id=1001 --check`,
		Args: wantArgs(1, -1, "the join keys, such as driver_id=1001"),
		RunE: func(cmd *cobra.Command, args []string) error {
			receipt, err := e.run(cmd.Context(), args)
			if err != nil {
				return err
			}
			if err := e.print(a, receipt); err != nil {
				return err
			}
			if !receipt.Complete {
				return errors.New("something is left")
			}
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&e.views, "view", nil, "views to erase from; by default all with exactly these join keys")
	cmd.Flags().BoolVar(&e.check, "check", false, "change nothing, and count what is left")
	e.client.register(a, cmd)
	e.client.registerProject(a, cmd)
	e.out.register(cmd)
	return cmd
}

func (e *erasing) run(ctx context.Context, args []string) (*api.ErasureReceipt, error) {
	columns, err := parseColumns(args, "driver_id=1001")
	if err != nil {
		return nil, err
	}
	if err := e.client.resolveProject(ctx); err != nil {
		return nil, err
	}
	receipt, err := e.begin(ctx, columns)
	if err != nil {
		return nil, err
	}
	stores, err := e.stores(ctx, receipt)
	if err != nil {
		return nil, err
	}
	var seen session
	if !e.check {
		// What a store accepted before its delete is covered by the deletes of all: each
		// history waits for them.
		stores = slices.DeleteFunc(stores, func(at store) bool {
			for _, view := range receipt.Views {
				if err := e.delete(ctx, at, api.DeleteRequest{View: view, Entities: receipt.Entities}, &seen); err != nil {
					missing(receipt, at, err)
					return true
				}
			}
			return false
		})
		if _, err := seen.close(ctx, &e.client); err != nil {
			return nil, err
		}
	}
	for _, at := range stores {
		for _, view := range receipt.Views {
			var done api.EraseResponse
			if err := e.ask(ctx, at, "erase", api.EraseRequest{View: view, Entities: receipt.Entities, Check: e.check}, &seen, &done); err != nil {
				missing(receipt, at, err)
				break
			}
			receipt.Stores = append(receipt.Stores, done)
		}
	}
	receipt.Complete = len(receipt.Missing) == 0 && !slices.ContainsFunc(receipt.Stores, e.left)
	return receipt, nil
}

// left reports whether a store has something left.
func (e *erasing) left(s api.EraseResponse) bool {
	return s.Served > 0 || e.check && s.ServedLog != nil && s.ServedLog.Entities > 0 || s.History != nil && (s.History.Pending > 0 || e.check && s.History.Rows > 0)
}

// begin finds the views that the entities have rows in.
func (e *erasing) begin(ctx context.Context, columns []column) (*api.ErasureReceipt, error) {
	var all api.Catalog
	if err := e.client.get(ctx, e.client.path("views"), &all); err != nil {
		return nil, err
	}
	receipt := &api.ErasureReceipt{Project: e.client.project, Entities: map[string][]json.RawMessage{}, Stores: []api.EraseResponse{}}
	keys := map[string]feature.Type{}
	for _, v := range all.Views {
		has, others := 0, 0
		for _, k := range v.JoinKeys {
			if slices.ContainsFunc(columns, func(c column) bool { return c.name == k.Name }) {
				has++
			} else {
				others++
			}
		}
		chosen := has == len(columns) && others == 0 && (len(e.views) == 0 || slices.Contains(e.views, v.Name))
		switch {
		case chosen:
			receipt.Views = append(receipt.Views, v.Name)
			if err := addTypes(keys, v.JoinKeys); err != nil {
				return nil, err
			}
		case has > 0 && others > 0:
			receipt.Untouched = append(receipt.Untouched, v.Name)
		}
	}
	for _, name := range e.views {
		if !slices.Contains(receipt.Views, name) {
			return nil, fmt.Errorf("--view %s: there is no view of that name with exactly these join keys", name)
		}
	}
	if len(receipt.Views) == 0 {
		return nil, noViewOfKeys(all.Views)
	}
	for _, c := range columns {
		receipt.Entities[c.name] = c.toJSON(keys[c.name])
	}
	return receipt, nil
}

// noViewOfKeys says which join keys views have.
func noViewOfKeys(views []api.View) error {
	var have []string
	for _, v := range views {
		var keys []string
		for _, k := range v.JoinKeys {
			keys = append(keys, k.Name)
		}
		if one := strings.Join(keys, " and "); !slices.Contains(have, one) {
			have = append(have, one)
		}
	}
	if len(have) == 0 {
		return errors.New("the project has no view: apply definitions first")
	}
	return fmt.Errorf("no view has exactly these join keys: there are views of %s", strings.Join(have, ", of "))
}

// store is one that takes part, and where it answers.
type store struct{ region, name, url string }

// stores are those that take part and say where they answer.
func (e *erasing) stores(ctx context.Context, receipt *api.ErasureReceipt) (out []store, err error) {
	var known api.Regions
	if err := e.client.get(ctx, "/v1/regions", &known); err != nil {
		return nil, err
	}
	for _, r := range known.Regions {
		at := store{r.Region, r.Store, r.URL}
		if r.Self {
			at.url = e.client.url // it may not know its own
		}
		switch {
		case r.State == "removed":
		case at.url == "":
			missing(receipt, at, errors.New("it has not said where it answers"))
		default:
			out = append(out, at)
		}
	}
	return out, nil
}

// delete deletes rows by a store, and adds that to the session. It waits for nothing
// that the session has from other stores.
func (e *erasing) delete(ctx context.Context, at store, request api.DeleteRequest, seen *session) error {
	var answer api.PushResponse
	if err := e.ask(ctx, at, "delete", request, &session{}, &answer); err != nil {
		return err
	}
	seen.answered(nil, answer.Session)
	return nil
}

// ask sends one request of a session to a store.
func (e *erasing) ask(ctx context.Context, at store, operation string, request any, seen *session, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	c := e.client
	c.url = at.url
	header := http.Header{}
	seen.send(header)
	return c.post(ctx, c.path(operation), header, body, answer)
}

// missing notes a store that did not do it.
func missing(r *api.ErasureReceipt, at store, err error) {
	text := err.Error()
	var refused *refusedError
	if errors.As(err, &refused) && len(refused.Rows) > 0 {
		// They all are of entities, as the command line names them.
		text = ""
		for i, row := range refused.Rows {
			if i > 0 {
				text += "; "
			}
			text += row.Field + ": " + row.Message
		}
	}
	r.Missing = append(r.Missing, fmt.Sprintf("store %s of region %s: %s", at.name, at.region, text))
}

func (e *erasing) print(a *app, r *api.ErasureReceipt) error {
	if e.out.json() {
		return e.out.print(a.out, r)
	}
	t := newTable("region", "store", "view", "served", "history rows", "history files", "pending files", "log until")
	for _, s := range r.Stores {
		row := []any{s.Region, s.Store, s.View, s.Served, "none kept", "-", "-", orDash(s.LogUntil)}
		if h := s.History; h != nil {
			row[4], row[5], row[6] = h.Rows, h.Files, h.Pending
		}
		t.AppendRow(row)
	}
	text := render(t)
	for _, s := range r.Stores {
		if l := s.ServedLog; l != nil {
			text += fmt.Sprintf("served log of %s, view %s: %s in %s\n", s.Store, s.View, counted(l.Entities, "time"), counted(l.Files, "file"))
		}
	}
	for _, m := range r.Missing {
		text += "not done: " + m + "\n"
	}
	for _, v := range r.Untouched {
		text += fmt.Sprintf("untouched: view %s has these join keys among others; name its rows' keys\n", v)
	}
	_, err := fmt.Fprint(a.out, text)
	return err
}
