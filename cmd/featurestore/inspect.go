package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"featurestore/consistency"
	"featurestore/online"
	"featurestore/replica"
)

// recordKinds are the kinds of lines that inspect prints of a directory.
var recordKinds = []string{"store", "progress", "shard", "vector", "registry", "membership", "row", "entry", "request", "corrupt"}

func newInspect(a *app) *cobra.Command {
	var kinds []string
	var limit int
	var origin string
	cmd := &cobra.Command{
		Use:   "inspect (DIRECTORY | TOKEN)",
		Short: "Print what a stopped store holds, or a token",
		Long: `Inspect prints what lies in a store's data directory as JSON, a record a line:

  store      who the store is, and whether it was stopped in order
  progress   up to where one origin's log is applied in a shard
  vector     the same of all origins, a line a shard
  registry   the applied definitions, a line a revision
  row        the cells of one entity in one view, with versions
  entry      a log entry: what one write brought
  request    a remembered idempotency key and its receipt
  corrupt    a record that cannot be read, and why

The store must not be running, and one that was killed must be started and
stopped once before. Nothing is changed.

--origin leaves out the progress, the vectors and the entries of other origins:
a store writes its log under one, which the line "store" names.

Given a session token, it prints the positions in it. It needs no secret, so it
cannot tell whether the token is genuine.`,
		Example: `  featurestore inspect ./data
  featurestore inspect ./data --kind row --limit 10
  featurestore inspect "$token"`,
		Args: wantArgs(1, 1, "a data directory, such as ./data, or a session token"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, k := range kinds {
				if !slices.Contains(recordKinds, k) {
					return fmt.Errorf("--kind is %q: use %s", k, strings.Join(recordKinds, ", "))
				}
			}
			return inspect(cmd.Context(), a, args[0], kinds, origin, limit)
		},
	}
	cmd.Flags().StringSliceVar(&kinds, "kind", nil, "print only records of these kinds")
	cmd.Flags().StringVar(&origin, "origin", "", "leave out the progress and entries of others than this origin")
	cmd.Flags().IntVar(&limit, "limit", 0, "print at most so many lines; 0 is all")
	_ = cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(recordKinds, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func inspect(ctx context.Context, a *app, subject string, kinds []string, origin string, limit int) error {
	info, err := os.Stat(subject)
	if err != nil {
		if strings.ContainsAny(subject, `/\.`) {
			return err
		}
		return inspectToken(a, subject)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is a file; name the store's data directory", subject)
	}
	dir := replica.OnlineDir(subject)
	if _, err := os.Stat(dir); err != nil {
		dir = subject // the directory within was named itself
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "MANIFEST")); len(found) == 0 {
		return fmt.Errorf("%s holds no store; name the directory of serve --data", subject)
	}
	var out output
	printed := 0
	print := func(line map[string]any) (bool, error) {
		kind, _ := line["kind"].(string)
		if line == nil || len(kinds) > 0 && !slices.Contains(kinds, kind) && kind != "corrupt" || origin != "" && !ofOrigin(line, origin) {
			return true, nil
		}
		printed++
		return printed != limit, out.print(a.out, line)
	}
	var v vectors
	for record, err := range online.Inspect(ctx, dir, online.InspectOptions{}) {
		if err != nil {
			return uninspectable(subject, err)
		}
		for _, line := range []map[string]any{v.add(record), describeRecord(record)} {
			if more, err := print(line); err != nil || !more {
				return err
			}
		}
	}
	_, err = print(v.end())
	return err
}

// uninspectable says what to do about a directory that cannot be read as it is.
func uninspectable(subject string, err error) error {
	switch {
	case errors.Is(err, online.ErrInUse):
		return fmt.Errorf("the store of %s is running: stop it first", subject)
	case errors.Is(err, online.ErrUnclean):
		return fmt.Errorf("the store of %s was killed: start it and stop it in order first, by which it recovers what it was about to write", subject)
	}
	return err
}

func inspectToken(a *app, text string) error {
	c, err := consistency.ReadContents(text)
	if errors.Is(err, consistency.ErrTokenInvalid) {
		return fmt.Errorf("%.40q is no directory here, and no session token: %w", text, err)
	}
	if err != nil {
		return err
	}
	positions, floors := []any{}, []any{}
	for _, p := range c.Positions {
		positions = append(positions, describePosition(p.Shard, p.Position))
	}
	for _, f := range c.Floors {
		floors = append(floors, map[string]any{"group": f.Group, "at": describeTimestamp(f.At)})
	}
	var out output
	return out.print(a.out, map[string]any{
		"kind": "token", "deployment": fmt.Sprintf("%08x", c.Deployment), "incarnation": c.Incarnation,
		"revision": c.Revision, "positions": positions, "floors": floors,
	})
}
