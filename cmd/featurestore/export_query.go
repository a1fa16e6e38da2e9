package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"featurestore/api"
	"featurestore/offline/export"
	"featurestore/offline/sql"
)

// exportQuery is what an export asks beside features: aliases, entity rows of history
// in the place of a file, and a query in the place of the rows.
type exportQuery struct {
	aliases  []string
	keysOf   api.ExportKeysOf
	emit     string
	location string
}

func (q *exportQuery) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&q.aliases, "alias", nil, "view under another name and join keys, as ALIAS=VIEW,JOINKEY=COLUMN; may be given several times")
	f.StringVar(&q.keysOf.View, "keys-of", "", "view whose keys are the entity rows, at times")
	f.StringSliceVar(&q.keysOf.At, "at", nil, "with --keys-of: times, such as 2026-08-21T12:00:00Z,…")
	f.StringVar(&q.keysOf.Every, "every", "", "with --keys-of: how far apart times are, such as 24h")
	f.StringVar(&q.keysOf.From, "from", "", "with --every: the first time")
	f.StringVar(&q.keysOf.To, "to", "", "with --every: no time after this one")
	f.BoolVar(&q.keysOf.EachWrite, "each-write", false, "with --keys-of: the event times of each key's own writes")
	f.BoolVar(&q.keysOf.Existing, "existing", false, "with --keys-of: leave out a key before its first write, and after a delete")
	f.StringVar(&q.emit, "emit", "", "print the join as a query instead: "+strings.Join(dialects(), ", "))
	f.StringVar(&q.location, "location", "", "with --emit: the history as the engine calls it, such as s3://bucket/history; default: its folder")
	with(cmd, "keys-of", "at", "every", "from", "to", "each-write", "existing")
	with(cmd, "emit", "location")
}

func dialects() []string {
	var names []string
	for _, d := range sql.Dialects {
		names = append(names, d.Name)
	}
	return names
}

// with refuses flags that mean nothing without another.
func with(cmd *cobra.Command, other string, names ...string) {
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		for _, name := range names {
			if cmd.Flags().Changed(name) && !cmd.Flags().Changed(other) {
				return mistake(cmd, fmt.Sprintf("--%s goes with --%s", name, other))
			}
		}
		if before != nil {
			return before(cmd, args)
		}
		return nil
	}
}

// parseAliases returns the aliases by name.
func (q *exportQuery) parseAliases() (map[string]api.ExportAlias, error) {
	all := map[string]api.ExportAlias{}
	for _, text := range q.aliases {
		name, a, err := export.ParseAlias(text)
		if err != nil {
			return nil, fmt.Errorf("--alias: %w", err)
		}
		if _, ok := all[name]; ok {
			return nil, fmt.Errorf("--alias: %s is given twice", name)
		}
		all[name] = a
	}
	return all, nil
}

// open opens the file of entity rows, or asks history for them.
func (q *exportQuery) open(ctx context.Context, t *export.Training, file string) (export.EntityRows, error) {
	if q.keysOf.View == "" {
		rows, err := t.OpenEntityRows(ctx, file)
		if err != nil {
			return nil, err
		}
		if err := t.Check(rows.Schema()); err != nil {
			return nil, errors.Join(inFile(file, err), rows.Close())
		}
		return rows, nil
	}
	rows, err := t.KeysOf(ctx, q.keysOf, "")
	if err != nil {
		return nil, asFlag(err)
	}
	if err := t.Check(rows.Schema()); err != nil {
		return nil, errors.Join(asFlag(err), rows.Close())
	}
	return rows, nil
}

// inFile is asFlag for what is wrong with a file of entity rows.
func inFile(file string, err error) error {
	var field *export.FieldError
	if errors.As(err, &field) && field.Field == "entity_rows" {
		return fmt.Errorf("--entity-rows %s: %w", file, withFlags(field.Err))
	}
	return asFlag(err)
}

// print returns the query. A file of entity rows that is no Parquet has to be made a
// table.
func (q *exportQuery) print(ctx context.Context, t *export.Training, place *historyPlace, file string) (string, error) {
	d, err := sql.Named(q.emit)
	if err != nil {
		return "", fmt.Errorf("--emit: %w", err)
	}
	if q.keysOf.View != "" {
		return "", errors.New("--emit and --keys-of are given together: export the entity rows to a file, and give that")
	}
	rows, err := t.OpenEntityRows(ctx, file)
	if err != nil {
		return "", err
	}
	schema := rows.Schema()
	if err := rows.Close(); err != nil {
		return "", err
	}
	location := q.location
	if location == "" {
		if location, err = bareLocation(place.String()); err != nil {
			return "", err
		}
	}
	if file, err = bareLocation(file); err != nil {
		return "", err
	}
	if filepath.Ext(file) != ".parquet" {
		file = ""
	}
	return t.SQL(ctx, d, location, schema, file)
}
