//go:build unix

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/meta"
	"featurestore/online"
	"featurestore/replica"
	"featurestore/replication/oplog"
	"featurestore/simulation"
)

// killRecords is what the directories of stopped stores hold.
type killRecords struct {
	views      map[feature.ViewID]*feature.ResolvedView
	membership *meta.Membership
	entries    map[feature.Shard]map[entryName]oplog.Entry
	rows       map[meta.Region]map[int64]feature.Row
	// writes are the entries of pushes and deletes, by what names them.
	writes map[writeName][]killWrite
	// names of pushes, by their numbers.
	names map[pushNumber]writeName
	// totals are what origins added to the counter of a driver.
	totals map[int64][]feature.Total
}

// writeName names a push by what it wrote: no two of a run share it.
type writeName struct{ driver, eventTime int64 }

// pushNumber ends the event time of a push, and stands in what it wrote.
type pushNumber struct{ driver, number int64 }

type killWrite struct {
	at    online.ShardPosition
	delta feature.Row
}

type entryName struct {
	origin uint32
	at     uint64
}

// readKillRecords reads the directories of all stores, and those that evicted
// ones put aside.
func readKillRecords(ctx context.Context, dir string) (*killRecords, error) {
	k := &killRecords{
		views: map[feature.ViewID]*feature.ResolvedView{}, entries: map[feature.Shard]map[entryName]oplog.Entry{},
		rows: map[meta.Region]map[int64]feature.Row{}, writes: map[writeName][]killWrite{},
		names: map[pushNumber]writeName{}, totals: map[int64][]feature.Total{},
	}
	for _, region := range killRegions {
		own := replica.OnlineDir(filepath.Join(dir, region))
		k.rows[meta.Region(region)] = map[int64]feature.Row{}
		aside, err := filepath.Glob(own + ".removed-*")
		if err != nil {
			return nil, err
		}
		for _, d := range append([]string{own}, aside...) {
			if err := k.read(ctx, d, meta.Region(region), d == own); err != nil {
				return nil, err
			}
		}
	}
	for shard, entries := range k.entries {
		for _, e := range entries {
			if e.Kind == oplog.Delta {
				k.index(shard, e)
			}
		}
	}
	for _, totals := range k.totals {
		slices.SortFunc(totals, func(a, b feature.Total) int { return cmp.Compare(a.At, b.At) })
	}
	return k, nil
}

func (k *killRecords) read(ctx context.Context, dir string, region meta.Region, current bool) error {
	for r, err := range online.Inspect(ctx, dir, online.InspectOptions{}) {
		if err = errors.Join(err, r.Err); err != nil {
			return fmt.Errorf("read %s: %w", dir, err)
		}
		switch {
		case r.Registry != nil:
			k.learn(r.Registry.Registry)
		case r.Membership != nil && current:
			m, err := meta.DecodeMembership(r.Membership.Encoded)
			if err != nil {
				return fmt.Errorf("read %s: %w", dir, err)
			}
			if k.membership == nil || m.Compare(k.membership) > 0 {
				k.membership = m
			}
		case r.Row != nil && current:
			row, err := feature.DecodeRow(feature.AppendRow(nil, r.Row.Row)) // the record's is gone with the next
			if err != nil {
				return err
			}
			k.rows[region][driverOf(r.Row.Key)] = row
		case r.Entry != nil:
			of := k.entries[r.Entry.Shard]
			if of == nil {
				of = map[entryName]oplog.Entry{}
				k.entries[r.Entry.Shard] = of
			}
			e, err := oplog.Decode(oplog.Append(nil, r.Entry.Entry))
			if err != nil {
				return err
			}
			of[entryName{uint32(e.Origin), uint64(e.At)}] = e
		}
	}
	return nil
}

func (k *killRecords) learn(r *feature.Registry) {
	if c, ok := r.Catalog("regions"); ok {
		for _, v := range c.Views() {
			k.views[v.ID] = v
		}
	}
}

func driverOf(key feature.Key) int64 {
	values, err := feature.DecodeKey(key)
	if err != nil {
		return -1 // no driver: what it brings is found nowhere
	}
	return values[0].Int()
}

// index notes under which names the writes of an entry are found.
func (k *killRecords) index(shard feature.Shard, e oplog.Entry) {
	for _, row := range e.Rows {
		name := writeName{driver: driverOf(row.Key), eventTime: row.Delta.Tombstone.ByEvent.EventTime}
		for _, c := range row.Delta.Cells {
			switch c.Rule {
			case feature.EventTime, feature.WriteTime:
				name.eventTime = c.Version.EventTime
			case feature.Counter:
				k.totals[name.driver] = append(k.totals[name.driver], c.Totals...)
			}
		}
		k.names[pushNumber{name.driver, name.eventTime % killIDs}] = name
		k.writes[name] = append(k.writes[name], killWrite{online.ShardPosition{Shard: shard, Position: e.Position()}, row.Delta})
	}
}

// evidence turns what clients saw and what directories hold into what checkers
// judge. What cannot be turned is broken already.
func (k *killRecords) evidence(calls []*killCall) (*simulation.Evidence, []simulation.Violation) {
	e := &simulation.Evidence{
		Membership: k.membership, Deletes: map[int64][]feature.Row{}, Expected: map[int64]feature.Row{}, Final: k.rows,
	}
	for shard, entries := range k.entries {
		for _, entry := range entries {
			e.Join(shard, entry, driverOf)
		}
	}
	var broken []simulation.Violation
	for _, call := range calls {
		op := call.Operation
		var err error
		switch {
		case op.Push != nil:
			err = k.push(call, &op)
		case op.Err != nil:
		case op.Lookup != nil:
			err = k.lookup(call.answers[0], &op)
		default:
			err = k.observation(call.answers, &op)
		}
		if err != nil {
			broken = append(broken, simulation.Violation{
				Promise: "log", Text: fmt.Sprintf("%s at %s at %s: %v", op.Session, op.Region, op.Ended.UTC().Format("15:04:05.000"), err),
			})
		}
		e.Operations = append(e.Operations, op)
	}
	return e, broken
}

// push finds a push in the log: once where it was acknowledged, and at the
// position that was told; once or never where nobody knows.
func (k *killRecords) push(call *killCall, op *simulation.Operation) error {
	found := k.writes[writeName{op.Driver, call.eventTime}]
	var refused *refusedError
	if errors.As(op.Err, &refused) && refused.Code == api.CodeConcernTimeout {
		op.Err = consistency.ErrConcernTimeout
	}
	op.Untold = call.at == ""
	switch {
	case len(found) > 1:
		return fmt.Errorf("a push is in the log %d times: at %v and %v", len(found), found[0].at, found[1].at)
	case len(found) == 0 && op.Untold:
		return nil
	case len(found) == 0:
		return fmt.Errorf("the push acknowledged at %s is in no log", call.at)
	case !op.Untold && found[0].at.Position.At.String() != call.at:
		return fmt.Errorf("the push acknowledged at %s is in the log at %v", call.at, found[0].at)
	}
	op.Position, op.Written, op.Accepted = found[0].at, found[0].delta, op.Ended
	return nil
}

// lookup turns an answer into the row that was read.
func (k *killRecords) lookup(a *api.LookupResponse, op *simulation.Operation) (err error) {
	op.Served = meta.Region(a.Consistency.Region)
	level, err := consistency.ParseLevel(a.Consistency.Met)
	if err != nil {
		return err
	}
	op.Met.Met = op.Lookup.Alternatives[0]
	if op.Met.Met.Level != level {
		return fmt.Errorf("asked for %v, met %v", op.Met.Met, level)
	}
	for region, ms := range a.Consistency.StalenessMs {
		lag := consistency.Lag{Region: meta.Region(region), Time: consistency.UnknownLag}
		if ms != api.UnknownStalenessMs {
			lag.Time = time.Duration(ms) * time.Millisecond
		}
		op.Met.Lags = append(op.Met.Lags, lag)
	}
	op.Row, err = k.row(a, 0)
	return err
}

// observation turns the answers of two passes into rows.
func (k *killRecords) observation(answers []*api.LookupResponse, op *simulation.Operation) error {
	for i, a := range answers {
		op.Served = meta.Region(a.Consistency.Region)
		pass := &op.Passes[i/2]
		if *pass == nil {
			*pass = map[int64]feature.Row{}
		}
		for n := range a.Rows {
			row, err := k.row(a, n)
			if err != nil {
				return err
			}
			driver, err := driverIn(a, n)
			if err != nil {
				return err
			}
			(*pass)[driver] = row
		}
	}
	return nil
}

func driverIn(a *api.LookupResponse, row int) (int64, error) {
	return strconv.ParseInt(string(a.Rows[row].Entity["driver_id"]), 10, 64)
}

// row finds, for every value that was read, the writes that made it.
func (k *killRecords) row(a *api.LookupResponse, n int) (feature.Row, error) {
	driver, err := driverIn(a, n)
	if err != nil {
		return feature.Row{}, err
	}
	var out feature.Row
	for i, value := range a.Rows[n].Values {
		if a.Rows[n].Statuses[i] == api.StatusNotFound {
			continue
		}
		if a.Rows[n].EventTimes[i] == nil {
			return out, fmt.Errorf("%s of driver %d is %s, with no event time", a.Features[i], driver, value)
		}
		at, err := api.ParseTime(*a.Rows[n].EventTimes[i])
		if err != nil {
			return out, err
		}
		view, name, _ := strings.Cut(a.Features[i], ":")
		field, ok := k.field(view, name)
		if !ok {
			return out, fmt.Errorf("no feature %s", a.Features[i])
		}
		c, err := k.cell(driver, field, at, value)
		if err != nil {
			return out, fmt.Errorf("%s of driver %d reads %s of %s: %w", a.Features[i], driver, value, *a.Rows[n].EventTimes[i], err)
		}
		out.Cells = append(out.Cells, c)
	}
	slices.SortFunc(out.Cells, func(a, b feature.Cell) int { return cmp.Compare(a.Feature, b.Feature) })
	return out, nil
}

func (k *killRecords) field(view, name string) (*feature.Field, bool) {
	for _, v := range k.views {
		if v.Name == view {
			return v.Field(name)
		}
	}
	return nil, false
}

// cell is what a store had of a feature when it answered with value.
func (k *killRecords) cell(driver int64, f *feature.Field, eventTime int64, value json.RawMessage) (feature.Cell, error) {
	switch f.Rule {
	case feature.Counter:
		return k.counter(driver, f, eventTime, value)
	case feature.Set:
		return k.set(driver, f, eventTime, value)
	}
	c, err := k.written(writeName{driver, eventTime}, f.ID)
	if err == nil && c.Read().String() != string(value) {
		err = fmt.Errorf("the write of that time wrote %v", c.Read())
	}
	return c, err
}

// written is the cell that a push wrote.
func (k *killRecords) written(name writeName, id feature.FeatureID) (feature.Cell, error) {
	for _, w := range k.writes[name] {
		if c, ok := w.delta.Cell(id); ok {
			return c, nil
		}
	}
	return feature.Cell{}, errors.New("no log has a write of that")
}

// counter takes a sum apart into what each life of a store has added.
func (k *killRecords) counter(driver int64, f *feature.Field, eventTime int64, value json.RawMessage) (feature.Cell, error) {
	c := feature.Cell{Feature: f.ID, Rule: f.Rule, Kind: f.Type.Kind, Shape: f.Type.Shape}
	c.Version.EventTime = eventTime
	sum, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return c, err
	}
	for unit := int64(1); sum > 0; unit, sum = unit*killCounterBase, sum/killCounterBase {
		part := sum % killCounterBase * unit
		if part == 0 {
			continue
		}
		i := slices.IndexFunc(k.totals[driver], func(t feature.Total) bool { return t.Sum.Int() == part })
		if i < 0 {
			return c, fmt.Errorf("no store ever counted to %d", part)
		}
		t := k.totals[driver][i]
		c.Totals = append(c.Totals, t)
		if v := (feature.Version{EventTime: eventTime, At: t.At, Origin: t.Origin}); c.Version.CompareByWrite(v) < 0 {
			c.Version = v
		}
	}
	slices.SortFunc(c.Totals, func(a, b feature.Total) int { return cmp.Compare(a.Origin, b.Origin) })
	return c, nil
}

// set joins the writes whose elements are there. Of removals, which nobody
// sees, the elements that came with them are.
func (k *killRecords) set(driver int64, f *feature.Field, eventTime int64, value json.RawMessage) (feature.Cell, error) {
	var elements []string
	if err := json.Unmarshal(value, &elements); err != nil {
		return feature.Cell{}, err
	}
	var out feature.Cell
	for n, element := range elements {
		c, err := k.adding(driver, f.ID, element)
		if err != nil {
			return out, err
		}
		if n == 0 {
			out = c
		} else {
			out = feature.JoinCell(out, c)
		}
	}
	if len(elements) == 0 {
		return out, errors.New("a set without elements: those of removals stay")
	}
	out.Version.EventTime = eventTime
	return out, nil
}

// adding is the cell of the push that added an element.
func (k *killRecords) adding(driver int64, id feature.FeatureID, element string) (feature.Cell, error) {
	number, err := strconv.ParseInt(element[1:], 10, 64)
	if err != nil {
		return feature.Cell{}, err
	}
	return k.written(k.names[pushNumber{driver, number}], id)
}
