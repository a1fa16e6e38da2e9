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
	// feast reads names and values as Feast's dialect has them, and leaves out
	// values that no view has: see feast_rows.go.
	feast bool
	// deletes makes rows that name an entity and nothing else.
	deletes    bool
	generation uint16
	// now is the store's clock, the event time of rows that give none.
	now int64
	// most bounds the changes that the rows make.
	most int
}

// rows are the changes that a request's rows mean, all of them checked (E1).
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
	parts     []part // by view
	key       feature.Key
}

// A part is what the row at hand has for one view.
type part struct {
	touched  bool // it has something for the view besides join keys
	given    []bool
	keys     []feature.Value // in the order of the view's Keys
	assigned []feature.Assignment
}

// convert returns the changes of every row of src for every view, or a Problem
// invalid_rows that names the rows at fault.
func convert(views []*feature.ResolvedView, rules rowRules, src rowSource) (*rows, error) {
	c := &converter{
		rules: rules, views: views, names: map[string]*binding{}, parts: make([]part, len(views)),
	}
	for i, v := range views {
		c.parts[i] = part{given: make([]bool, len(v.Keys)), keys: make([]feature.Value, len(v.Keys))}
	}
	c.out.n = src.len()
	// A row that feeds one of many views makes one change.
	c.out.changes = make([]online.Placed, 0, c.out.n)
	c.out.of = make([]int, 0, c.out.n)
	for i := range c.out.n {
		c.convertRow(i, src)
		if made := len(c.out.changes); made > rules.most {
			return nil, api.Problemf(api.CodeTooManyRows, "rows", "%d rows make more than %d changes in %d views; push fewer rows at once", c.out.n, rules.most, len(views))
		}
	}
	if err := c.faults.problem(); err != nil {
		return nil, err
	}
	return &c.out, nil
}

func (c *converter) convertRow(i int, src rowSource) {
	c.row, c.eventTime = i, c.rules.now
	for v := range c.parts {
		p := &c.parts[v]
		clear(p.given)
		p.touched, p.assigned = c.rules.deletes, p.assigned[:0]
	}
	src.row(i, func(name string, raw json.RawMessage) bool {
		c.take(name, raw)
		return true
	})
	touched := false
	for v := range c.parts {
		if c.parts[v].touched {
			touched = true
			c.check(v)
		}
	}
	if !touched && c.faults.last() != i {
		c.fault("", "the row has no feature; name at least one besides the join keys")
	}
	for v := range c.parts {
		if c.parts[v].touched && c.faults.last() != i {
			c.finish(v)
		}
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
	case len(b.uses) == 0 && !c.rules.feast:
		c.unknown(name)
	}
	for _, u := range b.uses {
		if err := c.use(u, raw); err != nil {
			c.faultErr(name, err)
			return
		}
	}
}

// use reads a value as a join key or a feature of one view.
func (c *converter) use(u use, raw json.RawMessage) (err error) {
	p := &c.parts[u.view]
	if u.field == nil {
		p.given[u.key] = true
		p.keys[u.key], err = api.DecodeKey(raw, c.views[u.view].Keys[u.key].Type)
		return err
	}
	p.touched = true
	if raw, err = c.rules.valueOf(u.field, raw); err != nil {
		return err
	}
	a, err := assign(u.field, raw)
	if err != nil {
		return err
	}
	p.assigned = append(p.assigned, a)
	return nil
}

// check finds what the row at hand lacks for one view.
func (c *converter) check(v int) {
	view := c.views[v]
	for i, k := range view.Keys {
		if !c.parts[v].given[i] {
			c.fault(k.Name, "the join key is missing; %s needs one of type %s", view.Name, k.Type)
		}
	}
	if err := view.CheckEventTime(c.eventTime, c.rules.now); err != nil {
		c.faultErr(c.rules.eventTime, err)
	}
}

// finish makes the change of one view from the row at hand.
func (c *converter) finish(v int) {
	view, p := c.views[v], &c.parts[v]
	c.key = c.key[:0]
	for i, k := range view.Keys {
		var err error
		if c.key, err = feature.AppendKeyValue(c.key, p.keys[i]); err != nil {
			c.faultErr(k.Name, err)
			return
		}
	}
	if len(c.key) > feature.MaxKeyBytes {
		c.fault(view.Keys[0].Name, "the join keys take %d bytes; at most %d", len(c.key), feature.MaxKeyBytes)
		return
	}
	key := slices.Clone(c.key)
	slices.SortFunc(p.assigned, func(a, b feature.Assignment) int { return cmp.Compare(a.Feature, b.Feature) })
	c.out.changes = append(c.out.changes, online.Placed{
		Shard: view.Shard(key),
		Change: feature.Change{
			View: view.ID, Key: key, EventTime: c.eventTime, Generation: c.rules.generation,
			Delete: c.rules.deletes, Assignments: slices.Clone(p.assigned),
		},
	})
	c.out.of = append(c.out.of, c.row)
}

// unknown refuses a name that stands for nothing.
func (c *converter) unknown(name string) {
	text := ""
	if !c.faults.full() { // or a body of a million wrong names would take a minute
		text = c.describeUnknown(name)
	}
	c.fault(name, "%s", text)
}

func (c *converter) fault(field, format string, args ...any) {
	c.faults.add(c.row, field, format, args...)
}
func (c *converter) faultErr(field string, err error) { c.faults.addErr(c.row, field, err) }
