package server

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"featurestore/api"
	"featurestore/feature"
)

// A binding is what a name in a request's rows stands for.
type binding struct {
	eventTime bool
	uses      []use
}

// A use is a join key or a feature of one view.
type use struct {
	view  int
	key   int
	field *feature.Field // nil for a join key
}

// maxNames bounds the names that a converter remembers. A request with more
// has mostly unknown ones, and is refused.
const maxNames = 4096

// bind finds what a name stands for, once a request.
func (c *converter) bind(name string) *binding {
	if b, ok := c.names[name]; ok {
		return b
	}
	b := &binding{eventTime: name == c.rules.eventTime}
	for v, view := range c.views {
		if b.eventTime {
			break
		}
		for _, name := range c.rules.namesOf(view, name) {
			k := slices.IndexFunc(view.Keys, func(k feature.JoinKey) bool { return k.Name == name })
			if k >= 0 {
				b.uses = append(b.uses, use{view: v, key: k})
			} else if f, ok := view.Field(name); ok && !c.rules.deletes {
				b.uses = append(b.uses, use{view: v, field: f})
			}
		}
	}
	if len(c.names) < maxNames {
		c.names[name] = b
	}
	return b
}

// describeUnknown suggests the nearest of the names that the views have.
func (c *converter) describeUnknown(name string) string {
	var known, views []string
	for _, view := range c.views {
		views = append(views, view.Name)
		for _, k := range view.Keys {
			known = append(known, k.Name)
		}
		for i := range view.Fields {
			if !c.rules.deletes {
				known = append(known, view.Fields[i].Name)
			}
		}
	}
	if c.rules.eventTime != "" {
		known = append(known, c.rules.eventTime)
	}
	what := "no join key or feature"
	if c.rules.deletes {
		what = "no join key"
	}
	text := fmt.Sprintf("%s has %s of that name", strings.Join(views, ", "), what)
	if near := feature.Nearest(name, known); near != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return text
}

// assign reads what a row does to one feature, by the feature's conflict rule.
func assign(f *feature.Field, raw json.RawMessage) (feature.Assignment, error) {
	a := feature.Assignment{Feature: f.ID, Rule: f.Rule, Type: f.Type}
	var err error
	switch f.Rule {
	case feature.Counter:
		a.Value, err = api.DecodeIncrement(raw, f.Type)
	case feature.Set:
		a.Value, a.Remove, err = api.DecodeEdit(raw, f.Type)
	default:
		a.Value, err = api.DecodeValue(raw, f.Type)
	}
	if size := len(a.Value.Text()); err == nil && f.Rule == feature.Siblings && size > feature.MaxSiblingBytes {
		err = fmt.Errorf("the value takes %d bytes; under siblings at most %d", size, feature.MaxSiblingBytes)
	}
	if err == nil && (f.Rule == feature.Max || f.Rule == feature.Min) {
		switch {
		case a.Value.IsNull():
			err = fmt.Errorf("a %s is never null: leave it out, or delete the entity to reset it", f.Rule)
		case a.Value.IsNaN():
			err = fmt.Errorf("NaN has no place among numbers, so %s cannot take it", f.Rule)
		}
	}
	return a, err
}
