package export

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/offline/history"
)

// Past is one commit of a history, and the definitions that lie beside it. It is for
// reading: its methods are safe for concurrent use.
type Past struct {
	in       *history.Reader
	registry *feature.Registry
	region   string
	// retained is the first day of which history has all, zero: it has every day.
	retained time.Time
}

// Open reads the latest commit of a history that another process writes, or none. It
// returns ErrNoHistory where there are no definitions. The caller closes it.
func Open(ctx context.Context, files history.Files) (*Past, error) {
	in, err := history.NewReader(ctx, files)
	if err != nil {
		return nil, err
	}
	p, err := Of(ctx, in, files)
	if err != nil {
		in.Close()
		return nil, err
	}
	return p, nil
}

// Of is Open for a reader of a history that this process writes: files stay as long
// as the Past, which closes the reader. After an error the caller does.
func Of(ctx context.Context, in *history.Reader, files history.Files) (*Past, error) {
	encoded, err := history.Definitions(ctx, files)
	if err != nil {
		return nil, err
	}
	if encoded == nil {
		return nil, fmt.Errorf("%w yet: it has no definitions; apply some to its store", ErrNoHistory)
	}
	return with(ctx, in, files, encoded)
}

// with is Of with definitions as they are kept.
func with(ctx context.Context, in *history.Reader, files history.Files, encoded []byte) (*Past, error) {
	registry, err := definition.DecodeRegistry(encoded)
	if err != nil {
		return nil, err
	}
	return OfRegistry(ctx, in, files, registry)
}

// OfRegistry is Of by these definitions: those in force, where they may not lie beside
// the rows yet.
func OfRegistry(ctx context.Context, in *history.Reader, files history.Files, registry *feature.Registry) (*Past, error) {
	region, err := history.Region(ctx, files)
	if err != nil {
		return nil, err
	}
	retained, err := history.RetainedSince(ctx, files)
	if err != nil {
		return nil, err
	}
	return &Past{in: in, registry: registry, region: region, retained: retained}, nil
}

// Close lets go of the history's files.
func (p *Past) Close() { p.in.Close() }

// Project returns the definitions of a project; "": of the only one there is.
func (p *Past) Project(name string) (*feature.Catalog, error) {
	if projects := p.registry.Projects(); name == "" && len(projects) == 1 {
		name = projects[0]
	}
	catalog, ok := p.registry.Catalog(name)
	if !ok {
		return nil, &FieldError{"project", fmt.Errorf("%w: it is %q; there are %s", ErrNoProject, name, strings.Join(p.registry.Projects(), ", "))}
	}
	return catalog, nil
}

// manifest says up to where the history was.
func (p *Past) manifest() api.HistoryManifest {
	m := api.HistoryManifest{Region: p.region, Commit: p.in.Number(), Progress: []api.HistoryProgress{}}
	committed := p.in.CommittedAt()
	if !committed.IsZero() {
		m.CommittedAt = committed.Format(time.RFC3339Nano)
	}
	for shard, vector := range p.in.Progress() {
		for _, at := range vector.Positions() {
			m.Progress = append(m.Progress, api.HistoryProgress{
				Shard: shardText(shard), Origin: at.Origin.String(), At: at.At.String(), LagMS: max(0, committed.UnixMilli()-at.At.Millis()),
			})
		}
	}
	slices.SortFunc(m.Progress, func(a, b api.HistoryProgress) int {
		return cmp.Or(strings.Compare(a.Shard, b.Shard), strings.Compare(a.Origin, b.Origin))
	})
	for _, gap := range p.in.Gaps() {
		m.Gaps = append(m.Gaps, gap.String())
	}
	return m
}
