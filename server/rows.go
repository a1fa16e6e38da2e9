package server

import (
	"cmp"
	"encoding/json"
	"slices"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/online"
)

// A rowSource is the rows of a request, still JSON: native rows or columns, or
// the columns of Feast's dialect.
type rowSource interface {
	// len returns the number of rows.
	len() int
	// row calls visit with each named value of row i until it returns false.
	row(i int, visit func(name string, raw json.RawMessage) bool)
}

// rowRules say how the rows of a dialect are read.
type rowRules struct {
	// eventTime is the name of the event time among a row's values.
	eventTime string
	// ignoreUnknown leaves out values that no view has, as Feast does.
	ignoreUnknown bool
	// deletes makes rows that name an entity and nothing else.
	deletes    bool
	generation uint16
	// now is the store's clock, the event time of rows that give none.
	now int64
}

// rows are the changes that a request's rows mean, all of them checked (S1).
type rows struct {
	changes []online.Placed
	// of is, for each change, the index of its row.
	of []int
	// n is the number of rows.
	n int
}

// converter turns rows into changes of one or several views, collecting what
// is wrong with every row.
type converter struct {
	rules  rowRules
	views  []*feature.ResolvedView
	names  map[string]*binding
	faults rowFaults
	out    rows

	// Of the row at hand:
	row       int
	eventTime int64
	keys      [][]feature.Value // by view, in the order of its Keys
	assigned  [][]feature.Assignment
}

// convert returns the changes of every row of src for every view, or a Problem
// invalid_rows that names the rows at fault.
func convert(views []*feature.ResolvedView, rules rowRules, src rowSource) (*rows, error) {
	c := &converter{
		rules: rules, views: views, names: map[string]*binding{},
		keys: make([][]feature.Value, len(views)), assigned: make([][]feature.Assignment, len(views)),
	}
	for i, v := range views {
		c.keys[i] = make([]feature.Value, len(v.Keys))
	}
	c.out.n = src.len()
	c.out.changes = make([]online.Placed, 0, c.out.n*len(views))
	c.out.of = make([]int, 0, c.out.n*len(views))
	for i := range c.out.n {
		c.convertRow(i, src)
	}
	if err := c.faults.problem(); err != nil {
		return nil, err
	}
	return &c.out, nil
}

func (c *converter) convertRow(i int, src rowSource) {
	c.row, c.eventTime = i, c.rules.now
	for v := range c.views {
		clear(c.keys[v])
		c.assigned[v] = nil // a finished change holds the last row's
	}
	src.row(i, func(name string, raw json.RawMessage) bool {
		c.take(name, raw)
		return true
	})
	if c.faults.last() == i {
		return
	}
	took := false
	for v := range c.views {
		if c.rules.deletes || len(c.assigned[v]) > 0 {
			c.finish(v)
			took = true
		}
	}
	if !took {
		c.fault("", "the row has no feature; name at least one besides the join keys")
	}
}

// take reads one named value of the row at hand.
func (c *converter) take(name string, raw json.RawMessage) {
	b := c.bind(name)
	switch {
	case b.eventTime:
		if string(raw) == "null" {
			return // the store's clock
		}
		ns, err := api.DecodeTime(raw)
		if err != nil {
			c.faultErr(name, err)
			return
		}
		c.eventTime = ns
	case len(b.uses) == 0 && !c.rules.ignoreUnknown:
		c.fault(name, "%s", b.unknown)
	}
	for _, u := range b.uses {
		if u.field == nil {
			v, err := api.DecodeKey(raw, c.views[u.view].Keys[u.key].Type)
			if err != nil {
				c.faultErr(name, err)
				return
			}
			c.keys[u.view][u.key] = v
			continue
		}
		a, err := assign(u.field, raw)
		if err != nil {
			c.faultErr(name, err)
			return
		}
		if c.assigned[u.view] == nil {
			c.assigned[u.view] = make([]feature.Assignment, 0, len(c.views[u.view].Fields))
		}
		c.assigned[u.view] = append(c.assigned[u.view], a)
	}
}

// finish makes the change of one view from the row at hand.
func (c *converter) finish(v int) {
	view := c.views[v]
	var key feature.Key
	for i, k := range view.Keys {
		if c.keys[v][i].IsNull() {
			c.fault(k.Name, "the join key is missing; %s needs one of type %s", view.Name, k.Type)
			return
		}
		var err error
		if key, err = feature.AppendKeyValue(key, c.keys[v][i]); err != nil {
			c.faultErr(k.Name, err)
			return
		}
	}
	if len(key) > feature.MaxKeyBytes {
		c.fault(view.Keys[0].Name, "the join keys take %d bytes; at most %d", len(key), feature.MaxKeyBytes)
		return
	}
	if err := view.CheckEventTime(c.eventTime, c.rules.now); err != nil {
		c.faultErr(c.rules.eventTime, err)
		return
	}
	slices.SortFunc(c.assigned[v], func(a, b feature.Assignment) int { return cmp.Compare(a.Feature, b.Feature) })
	c.out.changes = append(c.out.changes, online.Placed{
		Shard: view.Shard(key),
		Change: feature.Change{
			View: view.ID, Key: key, EventTime: c.eventTime, Generation: c.rules.generation,
			Delete: c.rules.deletes, Assignments: c.assigned[v],
		},
	})
	c.out.of = append(c.out.of, c.row)
}

func (c *converter) fault(field, format string, args ...any) {
	c.faults.add(c.row, field, format, args...)
}
func (c *converter) faultErr(field string, err error) { c.faults.addErr(c.row, field, err) }
