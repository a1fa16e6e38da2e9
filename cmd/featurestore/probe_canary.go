package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/sdk"
)

// canaryRow is the row that a probe writes: of one view, under a key of its own.
type canaryRow struct {
	view    string
	feature string // that nulls are written to
	all     []string
	keys    sdk.Columns
	json    string // the keys as members of a JSON object
}

// The join keys of a canary whose key is not given.
const (
	canaryText   = "featurestore-probe"
	canaryNumber = -987654321
)

// newCanaryRow finds a feature to write to, and makes the key: of what the columns
// say, or the default of its type.
func newCanaryRow(view api.View, given []column) (canaryRow, error) {
	row := canaryRow{view: view.Name, keys: sdk.Columns{}}
	for _, f := range view.Features {
		row.all = append(row.all, view.Name+":"+f.Name)
		if row.feature == "" && (f.Conflict == "" || f.Conflict == "event_time") {
			row.feature = f.Name
		}
	}
	if row.feature == "" {
		return row, fmt.Errorf("view %s has no feature under the conflict rule event_time, which the probe writes nulls to: choose another by --view", view.Name)
	}
	var members []string
	for _, k := range view.JoinKeys {
		t, err := feature.ParseType(k.Type)
		if err != nil {
			return row, fmt.Errorf("the store names a type that this command does not know; is it of another version? %w", err)
		}
		text, err := canaryKey(k, t, given)
		if err != nil {
			return row, err
		}
		raw := valueJSON(text, t)
		members = append(members, fmt.Sprintf("%q:%s", k.Name, raw))
		var n int64
		if json.Unmarshal(raw, &n) == nil {
			row.keys[k.Name] = []int64{n}
		} else {
			row.keys[k.Name] = []string{text}
		}
	}
	row.json = strings.Join(members, ",")
	return row, nil
}

func canaryKey(k api.NamedType, t feature.Type, given []column) (string, error) {
	for _, c := range given {
		if c.name == k.Name && len(c.values) == 1 {
			return c.values[0], nil
		}
	}
	switch {
	case len(given) > 0:
		return "", fmt.Errorf("join key %s is not given one value: write %s=VALUE", k.Name, k.Name)
	case t.Kind == feature.Int32, t.Kind == feature.Int64:
		return fmt.Sprint(canaryNumber), nil
	case t.Kind == feature.String:
		return canaryText, nil
	}
	return "", fmt.Errorf("join key %s is of type %s, for which there is no default: give %s=VALUE, a key that is nobody's", k.Name, k.Type, k.Name)
}

// storeCanary is a canary in one store.
type storeCanary struct {
	at     string
	client *sdk.Client
	row    canaryRow
}

func newStoreCanary(region, url, project string, row canaryRow) (*storeCanary, error) {
	c, err := sdk.New(sdk.Config{
		URLs: []string{url}, Project: project, Timeout: 5 * time.Second, Retry: sdk.Retry{Tries: 1},
	})
	if err != nil {
		return nil, err
	}
	return &storeCanary{region, c, row}, nil
}

func (c *storeCanary) region() string { return c.at }

func (c *storeCanary) write(ctx context.Context, number int64, concern string) (string, error) {
	at := time.UnixMilli(number).UTC().Format(time.RFC3339Nano)
	row := fmt.Sprintf(`{%s,%q:null,"event_time":%q}`, c.row.json, c.row.feature, at)
	done, err := sdk.Push(ctx, c.client, sdk.Target{View: c.row.view, Concern: concern}, sdk.RawRow(row))
	if err != nil {
		return "", err
	}
	if !done.Concern.Met {
		return "", fmt.Errorf("write concern %s: %w", concern, sdk.ErrConcernTimeout)
	}
	return done.Region, nil
}

func (c *storeCanary) read(ctx context.Context, options sdk.ReadOptions) (int64, sdk.Met, error) {
	name := c.row.view + ":" + c.row.feature
	got, err := sdk.Lookup[struct{}](ctx, c.client, sdk.Query{Names: []string{name}, Read: options}, c.row.keys)
	if err != nil {
		return 0, sdk.Met{}, err
	}
	if got.Status(0, name) == sdk.NotFound {
		return 0, got.Met, nil
	}
	return got.EventTime(0, name).UnixMilli(), got.Met, nil
}

// free checks that the row is nobody's.
func (c *storeCanary) free(ctx context.Context) error {
	got, err := sdk.Lookup[struct{}](ctx, c.client, sdk.Query{Names: c.row.all}, c.row.keys)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(got.Statuses(0), func(s sdk.Status) bool { return s != sdk.NotFound }) {
		return fmt.Errorf("region %s has a row of view %s under {%s}: give a key that is nobody's, or delete the row if a probe that was killed left it", c.at, c.row.view, c.row.json)
	}
	return nil
}

// remove deletes the row, at the first of the stores that does it.
func removeCanary(ctx context.Context, canaries []*storeCanary, number int64) error {
	var faults []error
	for _, c := range canaries {
		_, err := c.client.Delete(ctx, sdk.Target{View: c.row.view}, c.row.keys, time.UnixMilli(number+1))
		if err == nil || sdk.Applied(err) {
			return nil
		}
		faults = append(faults, err)
	}
	return fmt.Errorf("the row {%s} of view %s was not deleted: %w", canaries[0].row.json, canaries[0].row.view, errors.Join(faults...))
}
