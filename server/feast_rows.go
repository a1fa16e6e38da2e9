package server

import (
	"encoding/json"
	"slices"

	"featurestore/api"
	"featurestore/feature"
)

// feastEventTime is the column of event times where a view names no other; it
// is also what Feast's remote online store sends for every view.
const feastEventTime = "event_timestamp"

// namesOf returns the names of a view's join keys and features that a column
// holds. In Feast's dialect the view's batch source may call them otherwise,
// and one column may hold several.
func (r rowRules) namesOf(v *feature.ResolvedView, column string) []string {
	if r.feast && v.BatchSource != nil {
		var names []string
		for name, c := range v.BatchSource.Columns {
			if c == column {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			slices.Sort(names)
			return names
		}
	}
	return []string{column}
}

// valueOf returns a feature's value as the native dialect writes it.
func (r rowRules) valueOf(f *feature.Field, raw json.RawMessage) (json.RawMessage, error) {
	if r.feast {
		return api.FeastText(raw, f.Type)
	}
	return raw, nil
}

// A frame is the rows of a data frame: its lists, and its single values once
// for every row.
type frame struct {
	*columns
	scalars []api.Cell
}

// newFrame bounds what the single values stand for by what a body could have
// said in full: at most one value in eight bytes of the largest.
func newFrame(w *api.ScannedFeastWrite, limits Limits) (frame, error) {
	c, err := newColumns(w.Columns)
	if err != nil {
		return frame{}, err
	}
	if most := limits.BodyBytes / 8; c.n*len(w.Scalars) > most {
		return frame{}, api.Problemf(api.CodeTooManyRows, "df",
			"%d single values stand for %d rows each; together at most %d values: send fewer rows at once", len(w.Scalars), c.n, most)
	}
	return frame{columns: c, scalars: w.Scalars}, nil
}

func (f frame) row(i int, visit func(name string, raw json.RawMessage) bool) {
	f.columns.row(i, visit)
	for _, s := range f.scalars {
		if !visit(s.Name, s.Value) {
			return
		}
	}
}

// has reports whether there is a column of that name.
func (f frame) has(name string) bool {
	return slices.Contains(f.names, name) || slices.ContainsFunc(f.scalars, func(c api.Cell) bool { return c.Name == name })
}

// all returns the names of all columns.
func (f frame) all() []string {
	names := slices.Clone(f.names)
	for _, s := range f.scalars {
		names = append(names, s.Name)
	}
	return names
}

// nulls returns the rows in which a column is null.
func (f frame) nulls(name string) []int {
	var rows []int
	for i := range f.n {
		f.row(i, func(n string, raw json.RawMessage) bool {
			if n == name && string(raw) == "null" {
				rows = append(rows, i)
			}
			return n != name
		})
	}
	return rows
}

// eventTimeColumn returns the column that holds the rows' event times: the one
// that the views' batch sources name, else event_timestamp. Every row has one:
// where Feast's clients have none, a time was not parsed.
func eventTimeColumn(views []*feature.ResolvedView, f frame) (string, error) {
	found := ""
	for _, v := range views {
		if v.BatchSource == nil || v.BatchSource.EventTime == "" {
			continue
		}
		name := v.BatchSource.EventTime
		if !f.has(name) || name == found {
			continue
		}
		if found != "" {
			return "", api.Problemf(api.CodeInvalidRequest, "df."+name,
				"the views of this push source take their event times from different columns, %s and %s; send one of them", found, name)
		}
		found = name
	}
	if found == "" {
		found = feastEventTime
	}
	if !f.has(found) {
		return "", api.Problemf(api.CodeInvalidRequest, "df."+found, "the event times are missing; add a column %s", found)
	}
	var faults rowFaults
	for _, i := range f.nulls(found) {
		faults.add(i, found, "the event time is null; every row has one")
	}
	return found, faults.problem()
}

// checkOnce refuses a frame in which two columns hold one feature: one by its
// own name, one by that of the batch source.
func (r rowRules) checkOnce(views []*feature.ResolvedView, f frame) error {
	for _, v := range views {
		if v.BatchSource == nil {
			continue
		}
		held := map[string]string{}
		for _, column := range f.all() {
			for _, name := range r.namesOf(v, column) {
				if other, ok := held[name]; ok {
					return api.Problemf(api.CodeInvalidRequest, "df."+column, "%s and %s both hold %s of view %s; send one of them", other, column, name, v.Name)
				}
				held[name] = column
			}
		}
	}
	return nil
}
