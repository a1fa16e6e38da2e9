package export

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/training"
)

// ParseAlias reads an alias as commands take it, and returns its name:
//
//	ALIAS=VIEW[,JOINKEY=COLUMN]…
func ParseAlias(text string) (name string, a api.ExportAlias, err error) {
	form := func(what string) error {
		return fmt.Errorf("%q %s: write ALIAS=VIEW,JOINKEY=COLUMN, such as origin=place_stats,city=from_city", text, what)
	}
	a.Keys = map[string]string{}
	for i, part := range strings.Split(text, ",") {
		left, right, ok := strings.Cut(part, "=")
		switch {
		case !ok || left == "" || right == "":
			return "", a, form(fmt.Sprintf("has %q where two names belong, with = between them", part))
		case i == 0:
			name, a.View = left, right
		case a.Keys[left] != "":
			return "", a, form("gives join key " + left + " two columns")
		default:
			a.Keys[left] = right
		}
	}
	return name, a, nil
}

// alias is an alias whose view was found, and the entity rows' columns in the order of
// the view's join keys.
type alias struct {
	name string
	view *feature.ResolvedView
	keys []string
}

// resolveAliases finds the views of all aliases, each of which some feature must name.
func (r *TrainingRequest) resolveAliases(c *feature.Catalog) (map[string]alias, error) {
	out := map[string]alias{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(r.Aliases)) {
		one, err := resolveAlias(name, r.Aliases[name], c)
		if err == nil && !slices.ContainsFunc(r.Features, func(f string) bool { return strings.HasPrefix(f, name+":") }) {
			err = fmt.Errorf("no feature is asked for as %s:…", name)
		}
		if err != nil {
			errs = append(errs, &FieldError{"aliases[" + name + "]", err})
			continue
		}
		out[name] = one
	}
	return out, errors.Join(errs...)
}

func resolveAlias(name string, a api.ExportAlias, c *feature.Catalog) (alias, error) {
	_, isView := c.View(name)
	_, isOnDemand := c.OnDemand(name)
	if name == "" || strings.Contains(name, ":") || isView || isOnDemand {
		return alias{}, fmt.Errorf("%q cannot be an alias: it needs a name of its own, which no view has", name)
	}
	v, ok := c.View(a.View)
	if !ok {
		if _, ok := c.OnDemand(a.View); ok {
			return alias{}, fmt.Errorf("%s is computed on demand, and has no join keys: give aliases to the views that it is computed of", a.View)
		}
		return alias{}, c.NoView(a.View)
	}
	out := alias{name: name, view: v}
	var names []string
	for _, k := range v.Keys {
		names = append(names, k.Name)
		column := a.Keys[k.Name]
		if column == "" {
			column = k.Name
		}
		out.keys = append(out.keys, column)
	}
	for _, key := range slices.Sorted(maps.Keys(a.Keys)) {
		if !slices.Contains(names, key) {
			return alias{}, fmt.Errorf("view %s has no join key %q; it has %s", v.Name, key, strings.Join(names, ", "))
		}
	}
	return out, nil
}

// feature is one of the view's under the alias, in a column of both names: without the
// alias' the columns of two aliases would be called alike.
func (a alias) feature(name string, c *feature.Catalog) (training.Feature, error) {
	if _, err := c.TypeOf(feature.Reference{View: a.view.Name, Feature: name}); err != nil {
		return training.Feature{}, err
	}
	return training.Feature{View: a.view, Name: name, As: a.name + "__" + name, Keys: a.keys}, nil
}

// nameOf is what a request calls a view under a choice of keys: by the first alias of
// those, or as it is.
func (r *TrainingRequest) nameOf(view string, keys []string, features []training.Feature) string {
	for _, f := range features {
		if f.View == nil || f.View.Name != view || f.Keys == nil || !slices.Equal(f.Keys, keys) {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(r.Aliases)) {
			if f.As == name+"__"+f.Name {
				return name
			}
		}
	}
	return view
}
