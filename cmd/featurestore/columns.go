package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"featurestore/api"
	"featurestore/feature"
)

// A column is a named list of values from the command line: driver_id=1,2.
type column struct {
	name   string
	values []string
}

// parseColumns reads arguments of the form name=value[,value…]. A name given
// again goes on where it stopped; name=[…] takes values with commas, as JSON.
func parseColumns(args []string, example string) ([]column, error) {
	var out []column
	for _, arg := range args {
		name, list, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q is no key and value: write %s", arg, example)
		}
		values := strings.Split(list, ",")
		if strings.HasPrefix(list, "[") {
			var raw []json.RawMessage
			if err := json.Unmarshal([]byte(list), &raw); err != nil {
				return nil, fmt.Errorf("%q: after = stands no JSON list: %w", arg, err)
			}
			values = make([]string, len(raw))
			for i, r := range raw {
				values[i] = string(r)
				var s string
				if json.Unmarshal(r, &s) == nil {
					values[i] = s
				}
			}
		}
		at := -1
		for i := range out {
			if out[i].name == name {
				at = i
			}
		}
		if at < 0 {
			out = append(out, column{name: name})
			at = len(out) - 1
		}
		out[at].values = append(out[at].values, values...)
	}
	return out, nil
}

// toJSON writes a column for a type: text is quoted, numbers are not. The store
// judges whether the values fit.
func (c column) toJSON(t feature.Type) []json.RawMessage {
	out := make([]json.RawMessage, len(c.values))
	for i, v := range c.values {
		out[i] = valueJSON(v, t)
	}
	return out
}

func valueJSON(text string, t feature.Type) json.RawMessage {
	quoted := func() json.RawMessage { return api.AppendString(nil, text) }
	switch t.Kind {
	case feature.Int32, feature.Int64:
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return quoted()
		}
		return json.RawMessage(text)
	case feature.Float32, feature.Float64, feature.Bool, feature.Null:
		if !json.Valid([]byte(text)) {
			return quoted()
		}
		return json.RawMessage(text)
	}
	return quoted()
}

// project reads what the store knows of the client's project.
type projectTypes struct {
	keys    map[string]feature.Type
	request map[string]feature.Type
}

// types reads the types of a project's join keys and of the values that its
// on-demand features take.
func (c *client) types(ctx context.Context) (projectTypes, error) {
	var entities, onDemand api.Catalog
	if err := errors.Join(c.get(ctx, c.path("entities"), &entities)); err != nil {
		return projectTypes{}, err
	}
	if err := c.get(ctx, c.path("on-demand"), &onDemand); err != nil {
		return projectTypes{}, err
	}
	out := projectTypes{keys: map[string]feature.Type{}, request: map[string]feature.Type{}}
	for _, e := range entities.Entities {
		if err := addTypes(out.keys, e.JoinKeys); err != nil {
			return projectTypes{}, err
		}
	}
	for _, o := range onDemand.OnDemands {
		if err := addTypes(out.request, o.Request); err != nil {
			return projectTypes{}, err
		}
	}
	return out, nil
}

func addTypes(into map[string]feature.Type, named []api.NamedType) error {
	for _, n := range named {
		t, err := feature.ParseType(n.Type)
		if err != nil {
			return fmt.Errorf("the store names a type that this command does not know; is it of another version? %w", err)
		}
		into[n.Name] = t
	}
	return nil
}
