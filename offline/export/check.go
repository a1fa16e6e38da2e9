package export

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/feature"
)

// Check compares the columns of entity rows with what the training set needs of them,
// and with what it adds, so that what is wrong is told before anything is read. Faults
// are FieldErrors: of entity_rows, features or full_feature_names.
func (t *Training) Check(entityRows *arrow.Schema) error {
	var have []string
	for _, f := range entityRows.Fields() {
		have = append(have, f.Name)
	}
	if n := len(entityRows.FieldIndices(t.asked.EventTime)); n != 1 {
		text := fmt.Sprintf("they have %s, for their times; they have %s", columnsNamed(n, t.asked.EventTime), strings.Join(have, ", "))
		return &FieldError{"entity_rows", &MissingError{strings.ReplaceAll(text, "%", "%%") + ": name the right one by %s", []string{"event_time"}}}
	}
	needs := t.needs()
	for _, name := range slices.Sorted(maps.Keys(needs)) {
		n := len(entityRows.FieldIndices(name))
		if n == 1 {
			continue
		}
		hint := ""
		if near := feature.Nearest(name, have); n == 0 && near != "" {
			hint = fmt.Sprintf(`; did you mean %q?`, near)
		}
		return &FieldError{"entity_rows", fmt.Errorf("they have %s: it is %s; they have %s%s", columnsNamed(n, name), needs[name], strings.Join(have, ", "), hint)}
	}
	return t.checkNames(have)
}

// columnsNamed says that there is no column of a name, or that there are several.
func columnsNamed(n int, name string) string {
	if n == 0 {
		return fmt.Sprintf("no column %q", name)
	}
	return fmt.Sprintf("%d columns %q", n, name)
}

// needs are the columns that entity rows shall have beside their times, and what for.
func (t *Training) needs() map[string]string {
	needs := map[string]string{}
	keys := func(v *feature.ResolvedView, columns []string) {
		for i, k := range v.Keys {
			switch {
			case columns == nil:
				needs[k.Name] = fmt.Sprintf("a join key of view %s", v.Name)
			case columns[i] != k.Name:
				needs[columns[i]] = fmt.Sprintf("to be join key %s of view %s", k.Name, v.Name)
			default:
				needs[k.Name] = fmt.Sprintf("a join key of view %s", v.Name)
			}
		}
	}
	for _, f := range t.request.Features {
		if f.OnDemand == nil {
			keys(f.View, f.Keys)
			continue
		}
		for _, ref := range f.OnDemand.Inputs {
			if v, ok := t.catalog.View(ref.View); ok {
				keys(v, nil)
			}
		}
		for _, field := range f.OnDemand.Request {
			needs[field.Name] = fmt.Sprintf("a request value of %s", f.OnDemand.Name)
		}
	}
	return needs
}

// checkNames reports features that would be columns of one name, or of one that the
// entity rows have.
func (t *Training) checkNames(have []string) error {
	taken := map[string]string{}
	for _, name := range have {
		taken[name] = "a column of the entity rows"
	}
	for _, f := range t.request.Features {
		column, of := f.Name, ""
		if f.As != "" {
			column = f.As
		}
		if f.OnDemand != nil {
			of = f.OnDemand.Name
		} else {
			of = f.View.Name
		}
		is := fmt.Sprintf("feature %s:%s", of, f.Name)
		before, twice := taken[column]
		switch {
		case twice && before == is:
			return &FieldError{"features", fmt.Errorf("%s is asked for twice", is)}
		case twice && f.As == "":
			return &FieldError{"full_feature_names", fmt.Errorf("%s and %s would both be column %q: ask for full names, and features are called view__feature", before, is, column)}
		case twice:
			return &FieldError{"entity_rows", errors.New(before + " has the name of " + is + ", which is column " + column + ": call it otherwise")}
		}
		taken[column] = is
	}
	return nil
}
