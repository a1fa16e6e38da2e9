package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/offline/history"
	"featurestore/offline/pit"
	"featurestore/offline/training"
	"featurestore/replica"
)

// export makes a training set of a store's history.
type export struct {
	data, project, service string
	features               []string
	entityRows, eventTime  string
	out                    string
	knownAsOf, servedIn    string
	fullNames              bool
	memory                 string
	threads                int
}

func newExport(a *app) *cobra.Command {
	var e export
	cmd := &cobra.Command{
		Use:   "export (--service NAME | --features VIEW:FEATURE,…) --entity-rows FILE --out FILE",
		Short: "Make a training set of a store's history",
		Long: `Export joins entity rows with features as they were at each row's time, and
writes them to a file: .parquet, .arrow or .csv, by its ending. There is one row
for each entity row, in the same order, with its columns and then the features.

Entity rows are a .parquet, .arrow or .csv file with a column for each join key
of the features, called as it, and a column of times. A feature is the one that
a store would have served at that time which had every write of an event by
then, whenever it came; what was older than the view's ttl, or not there, is its
default, or null. --known-as-of leaves out what was accepted later.
--as-served-in takes what the region really had at that time instead, late rows
and the lag of replication included.

It reads the history that a store keeps in its data directory (setting history),
beside the store or while it runs, and asks no store. What was written last may
not be there yet: see history_every. Beside FILE, FILE.manifest.json says what
the training set is made of, up to where history was, and the sum of its
contents.

Memory is bounded by --memory, but for the rows of one entity and of the files
that are read at a time; the rest goes through temporary files.`,
		Example: `  featurestore export --data ./data --service driver_v1 --entity-rows rows.parquet --out train.parquet
  featurestore export --data ./data --features driver_stats:conv_rate --entity-rows rows.csv \
    --event-time at --as-served-in eu --out train.csv`,
		Args: wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := e.run(cmd.Context())
			if err != nil {
				return err
			}
			for _, gap := range m.History.Gaps {
				fmt.Fprintf(a.err, "featurestore: export: history lacks %s\n", gap)
			}
			text := fmt.Sprintf("%s: %d rows, %d features\n", e.out, m.Rows, len(m.Features))
			for _, view := range slices.Sorted(maps.Keys(m.Matched)) {
				text += fmt.Sprintf("%d rows met one of view %s\n", m.Matched[view], view)
			}
			_, err = fmt.Fprint(a.out, text)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&e.data, "data", "data", "data directory of the store that keeps the history")
	f.StringVar(&e.project, "project", a.variable("FEATURESTORE_PROJECT"), "project; FEATURESTORE_PROJECT; needless when there is one")
	f.StringVar(&e.service, "service", "", "feature service whose features are added")
	f.StringSliceVar(&e.features, "features", nil, "features to add, as view:feature")
	f.StringVar(&e.entityRows, "entity-rows", "", "file of entity rows")
	f.StringVar(&e.eventTime, "event-time", "event_timestamp", "their column of times")
	f.StringVar(&e.out, "out", "", "file to write")
	f.StringVar(&e.knownAsOf, "known-as-of", "", "leave out what was accepted after this time, such as 2026-08-21T12:00:00Z")
	f.StringVar(&e.servedIn, "as-served-in", "", "take what this region had at each row's time; the history must be its own")
	f.BoolVar(&e.fullNames, "full-feature-names", false, "call columns view__feature")
	f.StringVar(&e.memory, "memory", "1GiB", "memory for the join, at least 64MiB")
	f.IntVar(&e.threads, "threads", 0, "goroutines that work at once; 0 is one a processor")
	wantFlags(cmd, "--service NAME or --features VIEW:FEATURE,…, what to add", "service", "features")
	wantFlags(cmd, "--entity-rows FILE, the rows to add features to", "entity-rows")
	wantFlags(cmd, "--out FILE, the file to write", "out")
	return cmd
}

func (e *export) run(ctx context.Context) (*api.TrainingManifest, error) {
	memory, err := replica.ParseBytes(e.memory)
	if err != nil {
		return nil, fmt.Errorf("--memory: %w", err)
	}
	dir := replica.HistoryDir(e.data)
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("%s has no history: %w; a store with the setting history keeps one", e.data, err)
	}
	files := history.NewDisk(dir)
	catalog, err := e.catalog(ctx, files)
	if err != nil {
		return nil, err
	}
	request, err := e.request(catalog)
	if err != nil {
		return nil, err
	}
	in, err := history.NewReader(ctx, files)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	region, err := history.Region(ctx, files)
	if err != nil {
		return nil, err
	}
	if e.servedIn != "" {
		if e.servedIn != region {
			return nil, fmt.Errorf("--as-served-in is %q: the history in %s is that of region %s, and knows no other's", e.servedIn, dir, region)
		}
		if request.ServedIn, err = in.Steps(ctx); err != nil {
			return nil, err
		}
	}
	entityRows, err := training.OpenEntityRows(ctx, e.entityRows, entityTypes(request))
	if err != nil {
		return nil, err
	}
	written, report, err := training.Write(ctx, pit.Config{MemoryLimit: memory, Threads: e.threads}, in, entityRows, request, e.out)
	if err = errors.Join(err, entityRows.Close()); err != nil {
		return nil, err
	}
	m := e.manifest(catalog, request, in, region, written, report)
	return m, writeManifest(e.out+".manifest.json", m)
}

// catalog returns the project's definitions that lie beside its rows.
func (e *export) catalog(ctx context.Context, files history.Files) (*feature.Catalog, error) {
	encoded, err := history.Definitions(ctx, files)
	if err != nil {
		return nil, err
	}
	if encoded == nil {
		return nil, errors.New("the history has no definitions yet: apply some to its store")
	}
	registry, err := definition.DecodeRegistry(encoded)
	if err != nil {
		return nil, err
	}
	project := e.project
	if projects := registry.Projects(); project == "" && len(projects) == 1 {
		project = projects[0]
	}
	catalog, ok := registry.Catalog(project)
	if !ok {
		return nil, fmt.Errorf("--project is %q; there are %s", project, strings.Join(registry.Projects(), ", "))
	}
	return catalog, nil
}

// request resolves what is asked for.
func (e *export) request(c *feature.Catalog) (training.Request, error) {
	r := training.Request{EventTime: e.eventTime, Catalog: c}
	references, err := e.references(c)
	if err != nil {
		return r, err
	}
	for _, ref := range references {
		if _, err := c.TypeOf(ref); err != nil {
			return r, err
		}
		f := training.Feature{Name: ref.Feature}
		if v, ok := c.View(ref.View); ok {
			f.View = v
		} else {
			f.OnDemand, _ = c.OnDemand(ref.View)
		}
		if e.fullNames {
			f.As = ref.View + "__" + ref.Feature
		}
		r.Features = append(r.Features, f)
	}
	if e.knownAsOf != "" {
		if r.KnownAsOf, err = time.Parse(time.RFC3339Nano, e.knownAsOf); err != nil {
			return r, fmt.Errorf("--known-as-of is %q: write a time such as 2026-08-21T12:00:00Z", e.knownAsOf)
		}
	}
	return r, nil
}

func (e *export) references(c *feature.Catalog) ([]feature.Reference, error) {
	if e.service != "" {
		s, ok := c.Service(e.service)
		if !ok {
			return nil, c.NoService(e.service)
		}
		return s.Features, nil
	}
	var out []feature.Reference
	for _, text := range e.features {
		view, name, ok := strings.Cut(text, ":")
		if !ok || view == "" || name == "" {
			return nil, fmt.Errorf("--features has %q: write view:feature", text)
		}
		out = append(out, feature.Reference{View: view, Feature: name})
	}
	return out, nil
}

// entityTypes are the types of columns that text has to be read as.
func entityTypes(r training.Request) map[string]feature.Type {
	types := map[string]feature.Type{r.EventTime: feature.ScalarOf(feature.Timestamp)}
	keys := func(v *feature.ResolvedView) {
		for _, k := range v.Keys {
			types[k.Name] = k.Type
		}
	}
	for _, f := range r.Features {
		if f.OnDemand == nil {
			keys(f.View)
			continue
		}
		for _, ref := range f.OnDemand.Inputs {
			if v, ok := r.Catalog.View(ref.View); ok {
				keys(v)
			}
		}
		for _, field := range f.OnDemand.Request {
			types[field.Name] = field.Type
		}
	}
	return types
}

func (e *export) manifest(c *feature.Catalog, r training.Request, in *history.Reader, region string, w training.Written, report *training.Report) *api.TrainingManifest {
	m := &api.TrainingManifest{
		File: e.out, Rows: w.Rows, Bytes: w.Bytes, SHA256: w.SHA256, Project: c.Project(), RegistryRevision: c.Revision(),
		EventTime: e.eventTime, KnownAsOf: e.knownAsOf, ServedIn: e.servedIn, Matched: map[string]int64{},
		History: api.HistoryManifest{Region: region, Commit: in.Number()},
	}
	for _, f := range r.Features {
		one := api.TrainingFeature{Column: f.Name}
		if f.As != "" {
			one.Column = f.As
		}
		ref := feature.Reference{Feature: f.Name}
		if f.OnDemand != nil {
			ref.View = f.OnDemand.Name
		} else if ref.View = f.View.Name; f.View.TTL > 0 {
			one.TTL = f.View.TTL.String()
		}
		one.Feature = ref.String()
		if t, err := c.TypeOf(ref); err == nil {
			one.Type = t.String()
		}
		m.Features = append(m.Features, one)
	}
	for i, view := range report.Views {
		m.Matched[view] = report.Matched[i]
	}
	for shard, vector := range in.Progress() {
		for _, p := range vector.Positions() {
			m.History.Progress = append(m.History.Progress, api.HistoryProgress{
				Shard: fmt.Sprintf("%d/%d", shard.Group, shard.Partition), Origin: p.Origin.String(), At: p.At.String(),
			})
		}
	}
	slices.SortFunc(m.History.Progress, func(a, b api.HistoryProgress) int {
		return strings.Compare(a.Shard+" "+a.Origin, b.Shard+" "+b.Origin)
	})
	for _, gap := range in.Gaps() {
		m.History.Gaps = append(m.History.Gaps, gap.String())
	}
	return m
}

func writeManifest(path string, m *api.TrainingManifest) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err == nil {
		err = os.WriteFile(path, append(text, '\n'), 0o644)
	}
	return err
}
