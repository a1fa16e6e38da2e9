package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/offline/history"
	"featurestore/offline/pit"
)

// ColumnDeleted marks, among changes, the entities that have no row any more.
const ColumnDeleted = history.ColumnDeleted

// ErrRetained reports that some of what came after a vector has been taken away by
// retention.
var ErrRetained = errors.New("history does not reach back that far")

// ErrOtherHistory reports a manifest that is not of an earlier commit of this history.
var ErrOtherHistory = errors.New("the manifest is not of this history")

// ViewRequest says what of one view is exported, in names.
type ViewRequest struct {
	// Project is needless when there is one.
	Project string
	View    string
	// ServedAt makes a snapshot what a store serves at this time, by the view's ttl:
	// older features are their defaults, and rows without any other are left out. The
	// zero Time leaves out nothing.
	ServedAt time.Time
	// Since is the history of an earlier manifest: changes and rows are those that came
	// after it. Changes need it; without it, rows are all.
	Since *api.HistoryManifest
	// Part is which part of rows is exported, nil for all; see Outline.
	Part *api.ExportPart
}

// Snapshot returns the rows of a view as a store serves them that has come to where the
// history is: one for each entity that has a row, in order of the encoded entity key, with its
// join keys, event_timestamp (that of its latest feature) and features; a feature
// that was never written is its default, null for none.
func (p *Past) Snapshot(r ViewRequest, c pit.Config) (Export, error) {
	if r.Since != nil {
		return nil, &FieldError{"since", errors.New("a snapshot has every row: ask for changes to have those since an earlier one")}
	}
	v, err := p.view(api.ExportSnapshot, r, c)
	if err != nil {
		return nil, err
	}
	return (*served)(v), nil
}

// Changes returns the rows, as Snapshot has them, of the entities of which something
// came since an earlier manifest, and with _deleted those that have no row any more
// (EX5).
func (p *Past) Changes(r ViewRequest, c pit.Config) (Export, error) {
	if r.Since == nil {
		return nil, &FieldError{"since", errors.New("it is missing: give the history of the manifest that changes are to come after")}
	}
	if !r.ServedAt.IsZero() {
		return nil, &FieldError{"served_at", errors.New("it is of snapshots: what grows too old is no change")}
	}
	v, err := p.view(api.ExportChanges, r, c)
	if err != nil {
		return nil, err
	}
	return (*served)(v), nil
}

// Rows returns what was written to a view as history has it (history.RecordSchema), by
// day of the event; with Since, what came after.
func (p *Past) Rows(r ViewRequest, c pit.Config) (Export, error) {
	if !r.ServedAt.IsZero() {
		return nil, &FieldError{"served_at", errors.New("it is of snapshots: rows are as they were written")}
	}
	v, err := p.view(api.ExportRows, r, c)
	if err != nil {
		return nil, err
	}
	return (*rows)(v), nil
}

// viewExport is what is exported of one view.
type viewExport struct {
	past    *Past
	kind    string
	asked   ViewRequest
	catalog *feature.Catalog
	view    *feature.ResolvedView
	config  pit.Config
	// now is up to where history is, since what comes after: nil for everything.
	now, since map[feature.Shard]hlc.Vector
}

func (p *Past) view(kind string, r ViewRequest, c pit.Config) (*viewExport, error) {
	catalog, err := p.Project(r.Project)
	if err != nil {
		return nil, err
	}
	v, ok := catalog.View(r.View)
	if !ok {
		if _, computed := catalog.OnDemand(r.View); computed {
			return nil, &FieldError{"view", fmt.Errorf("%s is computed on demand: it has no rows", r.View)}
		}
		return nil, &FieldError{"view", catalog.NoView(r.View)}
	}
	if !v.Offline {
		return nil, &FieldError{"view", fmt.Errorf("%s keeps no history (offline: false)", r.View)}
	}
	if err := errors.Join(c.Validate(), r.checkPart(kind)); err != nil {
		return nil, err
	}
	e := &viewExport{past: p, kind: kind, asked: r, catalog: catalog, view: v, config: c, now: p.in.Progress()}
	if r.Since != nil {
		if e.since, err = p.sinceOf(r.Since); err != nil {
			return nil, &FieldError{"since", err}
		}
	}
	return e, nil
}

// sinceOf reads the vector of an earlier manifest, and says whether all that came
// after it is there.
func (p *Past) sinceOf(m *api.HistoryManifest) (map[feature.Shard]hlc.Vector, error) {
	since, err := vectors(m)
	if err != nil {
		return nil, err
	}
	if m.Region != "" && p.region != "" && m.Region != p.region {
		return nil, fmt.Errorf("%w: it is of region %s, the history of %s", ErrOtherHistory, m.Region, p.region)
	}
	now := p.in.Progress()
	var latest hlc.Timestamp
	for shard, v := range since {
		for _, at := range v.Positions() {
			latest = max(latest, at.At)
			if !now[shard].CoversPosition(at) {
				return nil, fmt.Errorf("%w: it has the log of %v in shard %s up to %v, the history at commit %d up to %v",
					ErrOtherHistory, at.Origin, shardText(shard), at.At, p.in.Number(), now[shard][at.Origin])
			}
		}
	}
	if first := p.retained; !first.IsZero() && latest.Time().Before(first) {
		return nil, fmt.Errorf("%w: it ends at %v, and events before %s are gone; take a new snapshot",
			ErrRetained, latest.Time().UTC().Format(time.RFC3339), first.Format(time.DateOnly))
	}
	return since, nil
}

// Progress implements Export.
func (e *viewExport) Progress() (done, total int64) {
	for _, f := range e.files() {
		total += f.Rows
	}
	return min(e.past.in.RowsRead(), total), total
}

// isNew reports whether an entry of a shard came after since.
func (e *viewExport) isNew(shard feature.Shard, at hlc.Position) bool {
	return e.since == nil || !e.since[shard].CoversPosition(at)
}

// files are those of the view that have something to export; none where nothing
// came since.
func (e *viewExport) files() []history.DataFile {
	all := partOf(e.past.in.Files(e.view.ID, history.AllTime), e.asked.Part)
	if e.since == nil {
		return all
	}
	if first, any := e.firstNew(); any && slices.ContainsFunc(all, func(f history.DataFile) bool { return f.MaxAt > first }) {
		return all
	}
	return nil
}

// firstNew returns the timestamp after which all that is new was accepted; false:
// nothing is new.
func (e *viewExport) firstNew() (first hlc.Timestamp, any bool) {
	for shard, v := range e.now {
		for origin, at := range v {
			if had := e.since[shard][origin]; had < at && (!any || had < first) {
				first, any = had, true
			}
		}
	}
	return first, any
}

// Manifest implements Export.
func (e *viewExport) Manifest() (*api.ExportManifest, error) {
	m := &api.ExportManifest{
		Kind: e.kind, Project: e.catalog.Project(), RegistryRevision: e.catalog.Revision(), View: e.view.Name, Part: e.asked.Part,
		EventTime: history.ColumnEvent, Since: e.asked.Since, History: e.past.manifest(),
	}
	if !e.asked.ServedAt.IsZero() {
		m.ServedAt = e.asked.ServedAt.UTC().Format(time.RFC3339Nano)
	}
	for _, f := range e.view.Fields {
		one := api.ExportedFeature{Column: f.Name, Feature: feature.Reference{View: e.view.Name, Feature: f.Name}.String(), Type: f.Type.String()}
		if e.view.TTL > 0 {
			one.TTL = e.view.TTL.String()
		}
		m.Features = append(m.Features, one)
	}
	var err error
	m.Definition, err = definitionOf(e.catalog, func(name string) bool { return name == e.view.Name }, "")
	return m, err
}

// spillDir makes a folder for the time of an export.
func (e *viewExport) spillDir() (dir string, remove func() error, err error) {
	dir, err = os.MkdirTemp(e.config.SpillDir, "featurestore-export-")
	if err != nil {
		return "", nil, fmt.Errorf("export view %s: %w", e.view.Name, err)
	}
	return dir, func() error { return os.RemoveAll(dir) }, nil
}

// rows are the rows of a view as history has them.
type rows viewExport

// Manifest implements Export.
func (e *rows) Manifest() (*api.ExportManifest, error) { return (*viewExport)(e).Manifest() }

// Progress implements Export.
func (e *rows) Progress() (done, total int64) { return (*viewExport)(e).Progress() }

// Run copies the files, column by column.
func (e *rows) Run(ctx context.Context, yield func(arrow.Record) error) (*api.ExportManifest, error) {
	v := (*viewExport)(e)
	m, err := v.Manifest()
	if err != nil {
		return nil, err
	}
	for _, f := range v.files() {
		wanted, any := v.wanted(f)
		if !any {
			continue
		}
		for rec, err := range v.past.in.Records(ctx, v.view, f, wanted) {
			if err != nil {
				return nil, fmt.Errorf("history of view %s: %w", v.view.Name, err)
			}
			m.Rows += rec.NumRows()
			if err := yield(rec); err != nil {
				return nil, err
			}
		}
	}
	if m.Rows == 0 {
		return m, yield(emptyRecord(history.RecordSchema(v.view)))
	}
	return m, nil
}

// wanted says which rows of a file are new, nil for all; any is false for none.
func (e *viewExport) wanted(f history.DataFile) (wanted history.Wanted, any bool) {
	if e.since == nil {
		return nil, true
	}
	first, any := e.firstNew()
	if !any || f.MaxAt <= first {
		return nil, false
	}
	// Of an origin the logs of all shards are known up to somewhere: what is before
	// or behind all of that needs no look at the shard.
	least, most := map[hlc.Origin]hlc.Timestamp{}, map[hlc.Origin]hlc.Timestamp{}
	for shard, v := range e.now {
		if shard.Group != e.view.Group.ID {
			continue
		}
		for origin := range v {
			had := e.since[shard][origin]
			if at, ok := least[origin]; !ok || had < at {
				least[origin] = had
			}
			most[origin] = max(most[origin], had)
		}
	}
	return func(at hlc.Position, key func() feature.Key) bool {
		switch {
		case at.At > most[at.Origin]:
			return true
		case at.At <= least[at.Origin]:
			return false
		}
		return e.isNew(e.view.Shard(key()), at)
	}, true
}
