package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"featurestore/api"
	"featurestore/offline/bucket"
	"featurestore/offline/export"
	"featurestore/offline/pit"
	"featurestore/offline/training"
	"featurestore/replica"
)

// exporting makes a training set of a store's history.
type exporting struct {
	place      historyPlace
	request    export.TrainingRequest
	knownAsOf  string
	entityRows string
	query      exportQuery
	view       viewQuery
	job        exportJob
	out        string
	memory     string
	threads    int
}

func newExport(a *app) *cobra.Command {
	var e exporting
	cmd := &cobra.Command{
		Use:   "export (--service NAME | --features VIEW:FEATURE,… | --snapshot VIEW | --changes VIEW --since MANIFEST | --rows VIEW) (--out FILE | --emit DIALECT)",
		Short: "Make a training set of a store's history, or export a view of it",
		Long: `Export joins entity rows with features as they were at each row's time, and
writes them to a file: .parquet, .arrow or .csv, by its ending. There is one row
for each entity row, in the same order, with its columns and then the features.

Entity rows are a .parquet, .arrow or .csv file with a column for each join key
of the features, called as it, and a column of times. A feature is the one that
a store would have served at that time which had every write of an event by
then, whenever it came; what was older than the view's ttl, or not there, is its
default, or null. --known-as-of leaves out what was accepted later.
--as-served-in takes what the region really had at that time instead, late rows
and the lag of replication included. With --differences it is compared with what
was true then: a table says how many cells of each feature differ, by cause.

Times, in the file and in flags, are such as 2026-08-21T12:00:00+02:00, or
2026-08-21 12:00:00 in UTC; 2026-08-21 is its beginning.

Entity rows can be asked of the history instead: --keys-of takes every key that
it has of a view, --at given times, --every so long --from one time --to
another, or at --each-write; with --existing only while the view had a row of
it. They come by key, then by time.

One view can be joined several times, by other columns of the entity rows:
--alias origin=place_stats,city=from_city lets --features name origin:demand,
whose column is origin__demand.

Instead of a training set, --snapshot exports the current rows of a view, one
for each entity, as a store serves them that has come to where history is;
--changes those of the entities that changed since the manifest of an earlier
export, and with _deleted those that are gone: put over the snapshot, they make
the later one. --rows has all that was written, as history keeps it, or what
came --since.

With --job the store at --url makes the export, and writes FILE in its folder of
exports (setting export_dir). It goes on when the store is restarted, and when
this command ends, unless that is interrupted: then it is canceled.

--emit prints the join as a query over the files of history, for machines that
are larger than one: as spark-sql, trino-sql or duckdb-sql. What SQL cannot say
of these files is refused.

It reads the history that a store keeps in its data directory (setting history)
or in a bucket (history_bucket), beside the store or while it runs, and asks no
store. What was written last may not be there yet: see history_every. Beside
FILE, FILE.manifest.json says what the training set is made of, up to where
history was, and the sum of its contents.

Both files may be in a bucket, as s3://BUCKET/PATH?region=NAME or, on another
server than AWS, ?endpoint=URL; credentials are those of the AWS configuration,
such as AWS_ACCESS_KEY_ID. A file there appears when it is complete.

Memory is bounded by --memory, but for the rows of one entity and of the files
that are read at a time; the rest goes through temporary files.`,
		Example: `  featurestore export --data ./data --service driver_v1 --entity-rows rows.parquet --out train.parquet
  featurestore export --data ./data --features driver_stats:conv_rate --entity-rows rows.csv \
    --event-time at --as-served-in eu --out train.csv
  featurestore export --data ./data --features driver_stats:conv_rate --out train.parquet \
    --keys-of driver_stats --every 24h --from 2026-08-01T00:00:00Z --to 2026-08-31T00:00:00Z --existing
  featurestore export --data ./data --entity-rows rides.parquet --out train.parquet \
    --features origin:demand,destination:demand \
    --alias origin=place_stats,city=from_city --alias destination=place_stats,city=to_city
  featurestore export --data ./data --snapshot driver_stats --out drivers.parquet
  featurestore export --data ./data --changes driver_stats --since drivers.parquet.manifest.json --out changes.parquet
  featurestore export --url http://127.0.0.1:8080 --job --service driver_v1 --entity-rows rows.parquet --out train.parquet
  featurestore export --history s3://lake/rides --service driver_v1 \
    --entity-rows s3://lake/rows.parquet --out s3://lake/train.parquet`,
		Args: wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if e.query.emit != "" {
				text, err := e.print(cmd.Context())
				if err == nil {
					_, err = fmt.Fprint(a.out, text)
				}
				return err
			}
			m, err := e.run(cmd.Context(), a)
			if err != nil || m == nil { // a job that goes on
				return err
			}
			for _, gap := range m.History.Gaps {
				fmt.Fprintf(a.err, "featurestore: export: history lacks %s\n", gap)
			}
			out := e.out
			if e.job.asked {
				out = fmt.Sprintf("%s in the export folder of %s", out, e.job.client.url)
			}
			if m.Kind != api.ExportTraining {
				_, err = fmt.Fprint(a.out, describeView(m, out))
				return err
			}
			text := fmt.Sprintf("%s: %s, %s%s\n", out, counted(int(m.Rows), "row"), counted(len(m.Features), "feature"), describeHistory(m.History, time.Now()))
			for _, view := range slices.Sorted(maps.Keys(m.Matched)) {
				text += fmt.Sprintf("%s found a row of %s\n", counted(int(m.Matched[view]), "row"), view)
			}
			_, err = fmt.Fprint(a.out, text+differencesTable(m.Differences))
			return err
		},
	}
	f := cmd.Flags()
	e.place.flags(cmd)
	f.StringVar(&e.request.Project, "project", a.variable("FEATURESTORE_PROJECT"), "project; FEATURESTORE_PROJECT; needless when there is one")
	f.StringVar(&e.request.Service, "service", "", "feature service whose features are added")
	f.StringSliceVar(&e.request.Features, "features", nil, "features to add, as view:feature")
	f.StringVar(&e.entityRows, "entity-rows", "", "file of entity rows")
	e.query.flags(cmd)
	e.view.flags(cmd)
	e.job.flags(a, cmd)
	f.StringVar(&e.request.EventTime, "event-time", "event_timestamp", "their column of times")
	f.StringVar(&e.out, "out", "", "file to write")
	f.StringVar(&e.knownAsOf, "known-as-of", "", "leave out what was accepted after this time, such as 2026-08-21T12:00:00Z")
	f.StringVar(&e.request.ServedIn, "as-served-in", "", "take what this region had at each row's time; the history must be its own")
	f.BoolVar(&e.request.Differences, "differences", false, "with --as-served-in: count the cells that differ from what was true, by cause")
	f.BoolVar(&e.request.FullNames, "full-feature-names", false, "call columns view__feature")
	f.StringVar(&e.memory, "memory", "1GiB", "memory for the join, at least 64MiB")
	f.IntVar(&e.threads, "threads", 0, "goroutines that work at once; 0 is one a processor")
	wantFlags(cmd, "--service NAME or --features VIEW:FEATURE,…, what to add; or a view as --snapshot, --changes or --rows", append([]string{"service", "features"}, e.view.names()...)...)
	wantRows(cmd, &e.view)
	wantFlags(cmd, "--out FILE, the file to write, or --emit DIALECT", "out", "emit")
	return cmd
}

// run makes the export, here or as a job, whose manifest is nil when it is not waited for.
func (e *exporting) run(ctx context.Context, a *app) (*api.ExportManifest, error) {
	if e.job.asked {
		return e.runJob(ctx, a)
	}
	memory, err := replica.ParseBytes(e.memory)
	if err != nil {
		return nil, fmt.Errorf("--memory: %w", err)
	}
	c := pit.Config{MemoryLimit: memory, Threads: e.threads}
	if memory < pit.LeastMemory {
		return nil, fmt.Errorf("--memory is %s: at least %dMiB", e.memory, pit.LeastMemory>>20)
	}
	if e.view.isAsked() {
		return e.runView(ctx, a, c)
	}
	if isSameFile(e.entityRows, e.out) {
		return nil, fmt.Errorf("--out is %s, the file of the entity rows, which it would replace: name another", e.out)
	}
	past, set, err := e.open(ctx)
	if err != nil {
		return nil, err
	}
	defer past.Close()
	entityRows, err := e.query.open(ctx, set, e.entityRows)
	if err != nil {
		return nil, err
	}
	m, err := writeShown(ctx, a, set.Of(c, entityRows), e.out)
	if err = errors.Join(err, entityRows.Close()); err != nil {
		return nil, err
	}
	return m, nil
}

// print returns the query that makes the training set.
func (e *exporting) print(ctx context.Context) (string, error) {
	past, set, err := e.open(ctx)
	if err != nil {
		return "", err
	}
	defer past.Close()
	return e.query.print(ctx, set, &e.place, e.entityRows)
}

// open resolves the request against the history. The caller closes it.
func (e *exporting) open(ctx context.Context) (*export.Past, *export.Training, error) {
	var err error
	if e.request.Aliases, err = e.query.parseAliases(); err != nil {
		return nil, nil, err
	}
	if e.knownAsOf != "" {
		if e.request.KnownAsOf, err = parseTime("known-as-of", e.knownAsOf); err != nil {
			return nil, nil, err
		}
	}
	past, err := e.openPast(ctx)
	if err != nil {
		return nil, nil, err
	}
	training, err := past.Training(ctx, e.request)
	if err != nil {
		past.Close()
		return nil, nil, asFlag(err)
	}
	return past, training, nil
}

// openPast opens the latest commit of the history. The caller closes it.
func (e *exporting) openPast(ctx context.Context) (*export.Past, error) {
	files, err := e.place.open(ctx)
	if err != nil {
		return nil, err
	}
	past, err := export.Open(ctx, files)
	if err != nil {
		return nil, fmt.Errorf("history in %s: %w", &e.place, err)
	}
	return past, nil
}

// asFlag names the flag in the place of the field, and of those that the error names.
func asFlag(err error) error {
	var field *export.FieldError
	if !errors.As(err, &field) {
		return err
	}
	name, _, _ := strings.Cut(field.Field, "[")
	if name == "aliases" {
		name = "alias"
	}
	return fmt.Errorf("%s: %w", flagOf(name), withFlags(field.Err))
}

// withFlags says flags where an error names fields.
func withFlags(err error) error {
	var missing *export.MissingError
	if errors.As(err, &missing) {
		return errors.New(missing.Say(flagOf))
	}
	return err
}

func flagOf(field string) string { return "--" + strings.ReplaceAll(field, "_", "-") }

// parseTime reads the time of a flag, in the forms that times of entity rows have.
func parseTime(flag, text string) (time.Time, error) {
	t, err := training.ParseTime(text)
	if err != nil {
		return t, fmt.Errorf("--%s is %q: write a time such as 2026-08-21T12:00:00Z, or a day", flag, text)
	}
	return t, nil
}

// isSameFile reports whether two names, of this machine or in a bucket, are of one file.
func isSameFile(a, b string) bool {
	if bucket.IsURL(a) || bucket.IsURL(b) {
		a, _, _ = strings.Cut(a, "?")
		b, _, _ = strings.Cut(b, "?")
		return a == b
	}
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}
