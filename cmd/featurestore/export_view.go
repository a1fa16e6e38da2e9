package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"featurestore/api"
	"featurestore/offline/export"
	"featurestore/offline/pit"
)

// viewQuery says what of one view is exported: in the place of a training set.
type viewQuery struct {
	snapshot, changes, rows string
	servedAt, since         string
}

func (q *viewQuery) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&q.snapshot, "snapshot", "", "view whose current rows are exported, one for each entity")
	f.StringVar(&q.changes, "changes", "", "view of which the entities that changed are exported; with --since")
	f.StringVar(&q.rows, "rows", "", "view of which all that was written is exported")
	f.StringVar(&q.servedAt, "served-at", "", "with --snapshot: as they are served at this time, by the view's ttl")
	f.StringVar(&q.since, "since", "", "with --changes or --rows: what came after this manifest of an earlier export")
	with(cmd, "snapshot", "served-at")
}

// names are the flags that ask for it.
func (q *viewQuery) names() []string { return []string{"snapshot", "changes", "rows"} }

func (q *viewQuery) isAsked() bool { return q.snapshot != "" || q.changes != "" || q.rows != "" }

// fill puts what is asked for into a request.
func (q *viewQuery) fill(r *api.ExportRequest) error {
	r.Snapshot, r.Changes, r.Rows, r.ServedAt = q.snapshot, q.changes, q.rows, q.servedAt
	if q.since == "" {
		return nil
	}
	text, err := os.ReadFile(q.since)
	if err != nil {
		return fmt.Errorf("--since: %w", err)
	}
	var m api.ExportManifest
	if err := json.Unmarshal(text, &m); err != nil || m.History.Progress == nil {
		return fmt.Errorf("--since: %s is no manifest of an export: %w", q.since, errors.Join(err, errors.New("it is to say up to where history was")))
	}
	r.Since = &m.History
	return nil
}

// wantRows asks for entity rows where they are needed, and for none where they are not.
func wantRows(cmd *cobra.Command, q *viewQuery) {
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		given := 0
		for _, name := range []string{"entity-rows", "keys-of"} {
			if cmd.Flags().Changed(name) {
				given++
			}
		}
		switch {
		case given == 0 && !q.isAsked():
			return mistake(cmd, "give --entity-rows FILE or --keys-of VIEW, the rows to add features to")
		case given > 1:
			return mistake(cmd, "--entity-rows and --keys-of are given together: one is right")
		case given > 0 && q.isAsked():
			return mistake(cmd, "entity rows are those of a training set: leave them out with --snapshot, --changes and --rows")
		case cmd.Flags().Changed("emit") && q.isAsked():
			return mistake(cmd, "--emit prints the join of a training set: a view's files can be read as they lie")
		case q.since != "" && q.snapshot != "", q.since != "" && !q.isAsked():
			return mistake(cmd, "--since is given without --changes or --rows")
		case q.changes != "" && q.since == "":
			return mistake(cmd, "give --since MANIFEST, what changes come after")
		case before != nil:
			return before(cmd, args)
		}
		return nil
	}
}

// runView exports what is asked of a view.
func (e *exporting) runView(ctx context.Context, a *app, c pit.Config) (*api.ExportManifest, error) {
	request := &api.ExportRequest{}
	if err := e.view.fill(request); err != nil {
		return nil, err
	}
	past, err := e.openPast(ctx)
	if err != nil {
		return nil, err
	}
	defer past.Close()
	out, err := past.Ask(ctx, e.request.Project, request, nil, c)
	if err != nil {
		return nil, asFlag(err)
	}
	return writeShown(ctx, a, out, e.out)
}

// writeShown writes an export, and shows how far it is on a terminal.
func writeShown(ctx context.Context, a *app, e export.Export, out string) (*api.ExportManifest, error) {
	bar := newExportBar(ctx, a, out)
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		bar.watch(watching, e.Progress)
	}()
	m, err := export.Write(ctx, e, out)
	stop()
	<-watched
	bar.stop(err == nil)
	return m, err
}

// barEvery is how often a bar moves.
const barEvery = 200 * time.Millisecond

// describeView tells people what was exported of a view.
func describeView(m *api.ExportManifest, out string) string {
	what := map[string]string{
		api.ExportSnapshot: "rows of view %s, as they are served", api.ExportChanges: "entities of view %s have changed", api.ExportRows: "rows were written to view %s",
	}[m.Kind]
	return fmt.Sprintf("%s: %d %s%s\n", out, m.Rows, fmt.Sprintf(what, m.View), describeHistory(m.History, time.Now()))
}

// describeHistory says up to when history was, as the rest of a line: the rows of later
// writes are not in the export.
func describeHistory(h api.HistoryManifest, now time.Time) string {
	text := fmt.Sprintf(", history up to commit %d", h.Commit)
	at, err := time.Parse(time.RFC3339Nano, h.CommittedAt)
	switch age := now.Sub(at); {
	case h.CommittedAt == "":
		return ", of a history that has no commit yet"
	case err != nil || age < time.Second:
		return text
	case age < time.Minute:
		return text + fmt.Sprintf(" of %v ago", age.Truncate(time.Second))
	default:
		return text + fmt.Sprintf(" of %v ago", strings.TrimSuffix(age.Truncate(time.Minute).String(), "0s"))
	}
}
