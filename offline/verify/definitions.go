package verify

import (
	"context"
	"errors"

	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/offline/history"
)

// catalogs are the definitions that were in force, by project and revision.
type catalogs map[catalogID]*feature.Catalog

type catalogID struct {
	project  string
	revision uint64
}

// ErrNoDefinitions reports a history beside which no definitions lie.
var ErrNoDefinitions = errors.New("the history has no definitions yet: apply some to its store")

// loadCatalogs reads all definitions that lie beside a history.
func loadCatalogs(ctx context.Context, files history.Files) (catalogs, error) {
	out := catalogs{}
	for encoded, err := range history.EveryDefinitions(ctx, files) {
		if err != nil {
			return nil, err
		}
		registry, err := definition.DecodeRegistry(encoded)
		if err != nil {
			return nil, err
		}
		for _, project := range registry.Projects() {
			if c, ok := registry.Catalog(project); ok {
				out[catalogID{project, c.Revision()}] = c
			}
		}
	}
	if len(out) == 0 {
		return nil, ErrNoDefinitions
	}
	return out, nil
}

// everLeftOut reports whether any definitions kept a view out of history: what was written
// then is not in it, whatever they say since.
func (c catalogs) everLeftOut(view feature.ViewID) bool {
	for _, catalog := range c {
		for _, v := range catalog.Views() {
			if v.ID == view && !v.Offline {
				return true
			}
		}
	}
	return false
}
