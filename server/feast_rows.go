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
func (r rowRules) valueOf(f *feature.Field, raw json.RawMessage) json.RawMessage {
	if r.feast {
		return api.FeastText(raw, f.Type)
	}
	return raw
}

// feastColumns returns the rows of a data frame: its lists, and its single
// values once for every row.
func feastColumns(w *api.ScannedFeastWrite) (*columns, error) {
	c, err := newColumns(w.Columns)
	if err != nil {
		return nil, err
	}
	for _, s := range w.Scalars {
		c.names = append(c.names, s.Name)
		c.values = append(c.values, slices.Repeat([][]byte{s.Value}, c.n))
	}
	return c, nil
}

// values returns the column of that name, nil when there is none.
func (c *columns) column(name string) (values [][]byte, ok bool) {
	i := slices.Index(c.names, name)
	if i < 0 {
		return nil, false
	}
	return c.values[i], true
}

// eventTimeColumn returns the column that holds the rows' event times: the one
// that the views' batch sources name, else event_timestamp. Every row has one:
// where Feast's clients have none, a time was not parsed.
func eventTimeColumn(views []*feature.ResolvedView, c *columns) (string, error) {
	found := ""
	for _, v := range views {
		if v.BatchSource == nil || v.BatchSource.EventTime == "" {
			continue
		}
		name := v.BatchSource.EventTime
		if _, ok := c.column(name); !ok || name == found {
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
	values, ok := c.column(found)
	if !ok {
		return "", api.Problemf(api.CodeInvalidRequest, "df."+found, "the event times are missing; add a column %s", found)
	}
	var faults rowFaults
	for i, raw := range values {
		if string(raw) == "null" {
			faults.add(i, found, "the event time is null; every row has one")
		}
	}
	return found, faults.problem()
}

// checkOnce refuses a frame in which two columns hold one feature: one by its
// own name, one by that of the batch source.
func (r rowRules) checkOnce(views []*feature.ResolvedView, c *columns) error {
	for _, v := range views {
		if v.BatchSource == nil {
			continue
		}
		held := map[string]string{}
		for _, column := range c.names {
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
