package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/source"
)

// chooseFields reads the view's schema and says which columns to read.
func (l *loader) chooseFields() error {
	var names []string
	add := func(name, typ, conflict string, key bool) error {
		t, err := feature.ParseType(typ)
		if err != nil {
			return fmt.Errorf("the store names a type that this command does not know; is it of another version? %w", err)
		}
		column := name
		if c, ok := l.columns[name]; ok {
			column = c
		}
		names = append(names, name)
		l.fields = append(l.fields, loadField{
			name: name, column: column, typ: t, key: key,
			merges: slices.Contains([]string{feature.Counter.String(), feature.Set.String(), feature.Max.String(), feature.Min.String()}, conflict),
		})
		return nil
	}
	for _, k := range l.view.JoinKeys {
		if err := add(k.Name, k.Type, "", true); err != nil {
			return err
		}
	}
	for _, f := range l.view.Features {
		if err := add(f.Name, f.Type, f.Conflict, false); err != nil {
			return err
		}
	}
	for name := range l.columns {
		if !slices.Contains(names, name) {
			hint := "it has " + strings.Join(names, ", ")
			if near := feature.Nearest(name, names); near != "" {
				hint = "did you mean " + near + "?"
			}
			return fmt.Errorf("--map: view %s has no %s; %s", l.viewName, name, hint)
		}
	}
	l.options.Columns = nil
	wanted := map[string]feature.Type{}
	for _, f := range l.fields {
		if was, twice := wanted[f.column]; twice {
			if was != f.typ {
				return fmt.Errorf("--map: column %s cannot be both %s and %s", f.column, was, f.typ)
			}
			continue
		}
		wanted[f.column] = f.typ
		l.options.Columns = append(l.options.Columns, source.Want{Name: f.column, Type: f.typ})
	}
	for _, name := range l.timeColumns() {
		if _, twice := wanted[name]; !twice {
			l.options.Columns = append(l.options.Columns, source.Want{Name: name, Type: feature.ScalarOf(feature.Timestamp)})
		}
	}
	return nil
}

// timeColumns are the columns that may hold the event time, the first that a
// row has winning.
func (l *loader) timeColumns() []string {
	if l.eventTime != "" {
		return []string{l.eventTime}
	}
	return []string{"event_timestamp", api.EventTimeField}
}

// checkColumns compares what is needed with what the file has; nil means that
// the file has no list of its columns.
func (l *loader) checkColumns(have []string) error {
	if have == nil {
		return nil
	}
	var errs []error
	features := 0
	used := l.timeColumns()
	for _, f := range l.fields {
		used = append(used, f.column)
		switch there := slices.Contains(have, f.column); {
		case f.key && !there:
			errs = append(errs, fmt.Errorf("%s has no column %s for join key %s; it has %s; --map %s=COLUMN names another", l.path, f.column, f.name, strings.Join(have, ", "), f.name))
		case !f.key && there:
			features++
		case !there && l.columns[f.name] != "":
			errs = append(errs, fmt.Errorf("%s has no column %s, which --map names; it has %s", l.path, f.column, strings.Join(have, ", ")))
		}
	}
	if l.eventTime != "" && !slices.Contains(have, l.eventTime) {
		errs = append(errs, fmt.Errorf("%s has no column %s, which --event-time names; it has %s", l.path, l.eventTime, strings.Join(have, ", ")))
	}
	if len(errs) == 0 && features == 0 {
		errs = append(errs, fmt.Errorf("%s has no column of a feature of view %s; it has %s", l.path, l.viewName, strings.Join(have, ", ")))
	}
	for _, name := range have {
		if name != "" && !slices.Contains(used, name) {
			l.ignored = append(l.ignored, name)
		}
	}
	return errors.Join(errs...)
}
