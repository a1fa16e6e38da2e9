package sql

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"featurestore/feature"
	"featurestore/offline/history"
)

// partition is the column that engines make of the names of folders.
const partition = "event_date"

// widest is the kind of a join key's column in history.
func widest(k feature.Kind) feature.Kind {
	switch k {
	case feature.Int32:
		return feature.Int64
	case feature.Float32:
		return feature.Float64
	}
	return k
}

// read are the columns of features that are read.
func (f *folder) read() []named {
	var out []named
	for _, c := range f.features {
		for _, name := range c.names {
			out = append(out, named{name, c.Type})
		}
	}
	return out
}

type named struct {
	name string
	typ  feature.Type
}

// look finds the folder of a view and the columns of its features, and refuses what the
// columns do not say.
func (f *folder) look(ctx context.Context, in *history.Reader) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: view %s: %s", ErrInexpressible, f.view.Name, fmt.Sprintf(format, args...))
	}
	files := in.Files(f.view.ID, history.AllTime)
	if len(files) == 0 {
		return refuse("history has no rows of it yet, and so no files to read")
	}
	owners := map[string]map[feature.FeatureID]bool{} // of columns
	why := reasons{}
	for _, file := range files {
		folder := path.Dir(path.Dir(file.Name))
		if f.path == "" {
			f.path = folder
		}
		layout, err := in.Layout(ctx, file)
		switch {
		case err != nil:
			return err
		case len(layout.Keys) == 0:
			return refuse("%s was written before its definition was known: its keys are encoded", file.Name)
		case folder != f.path:
			return refuse("its files lie in %s and in %s", f.path, folder)
		}
		for id, name := range layout.Features {
			if owners[name] == nil {
				owners[name] = map[feature.FeatureID]bool{}
			}
			owners[name][id] = true
		}
		if !layout.Plain {
			if err := why.look(ctx, in, file, f.features); err != nil {
				return err
			}
		}
	}
	return f.bind(owners, why, refuse)
}

// bind gives each feature its columns.
func (f *folder) bind(owners map[string]map[feature.FeatureID]bool, why reasons, refuse func(string, ...any) error) error {
	var errs []error
	cases := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(owners)) {
		cases[strings.ToLower(name)] = append(cases[strings.ToLower(name)], name)
	}
	for i := range f.features {
		c := &f.features[i]
		for name, ids := range owners {
			if !ids[c.ID] {
				continue
			}
			c.names = append(c.names, name)
			if len(ids) > 1 {
				errs = append(errs, refuse("feature %s: column %s is another feature's in other files", c.Name, name))
			}
			if same := cases[strings.ToLower(name)]; len(same) > 1 {
				errs = append(errs, refuse("feature %s: columns %s are one name to SQL", c.Name, strings.Join(same, " and ")))
			}
			if strings.EqualFold(name, partition) {
				errs = append(errs, refuse("feature %s: column %s is hidden by the folders' names", c.Name, name))
			}
		}
		slices.Sort(c.names)
		if reason, ok := why[c.ID]; ok {
			errs = append(errs, refuse("feature %s (%s): %s", c.Name, c.Rule, reason))
		}
	}
	for _, k := range f.view.Keys {
		if strings.EqualFold(k.Name, partition) {
			errs = append(errs, refuse("join key %s is hidden by the folders' names", k.Name))
		}
	}
	return errors.Join(errs...)
}

// reasons say why the columns do not say all of a feature.
type reasons map[feature.FeatureID]string

// look reads the rows of a file in which columns do not say it all.
func (why reasons) look(ctx context.Context, in *history.Reader, file history.DataFile, features []column) error {
	for row, err := range in.Rows(ctx, file) {
		if err != nil {
			return err
		}
		for _, c := range features {
			if _, ok := why[c.ID]; ok {
				continue
			}
			if reason := unsaid(c.Field, &row); reason != "" {
				why[c.ID] = fmt.Sprintf("%s; see the row of event time %d in %s", reason, row.Version.EventTime, file.Name)
			}
		}
	}
	return nil
}

// unsaid tells what the columns of a row do not say of a feature; "": they say it all.
func unsaid(f *feature.Field, r *history.Row) string {
	if t := r.Delta.Tombstone; !t.IsZero() && t.ByWrite != r.Version && f.Rule != feature.EventTime {
		return "a row was deleted twice and logged again: which delete was the later one is not in the columns"
	}
	c, ok := r.Delta.Cell(f.ID)
	switch {
	case !ok:
		return ""
	case c.Kind != f.Type.Kind || c.Shape != f.Type.Shape || c.Rule != f.Rule:
		return "it was written with another type or rule"
	case !c.Epoch.IsZero():
		return "it was written after a delete, and which earlier writes that took away is not in the columns"
	case f.Rule == feature.Counter && !isOwnTotal(c, r.Version):
		return "totals of several origins were logged again as one row"
	case f.Rule == feature.Set && slices.ContainsFunc(c.Elements, func(e feature.Element) bool { return !e.Present }):
		return "elements were removed, which the columns do not say"
	}
	return ""
}

// isOwnTotal reports whether a counter's column says all of its cell.
func isOwnTotal(c feature.Cell, v feature.Version) bool {
	return len(c.Totals) == 0 || len(c.Totals) == 1 && c.Totals[0].Origin == v.Origin && c.Totals[0].At == v.At
}
