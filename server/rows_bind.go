package server

import (
	"encoding/json"
	"errors"
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

// rowFaults collects what is wrong with the rows of a request, which come in
// rising order.
type rowFaults struct {
	named []api.RowProblem // at most api.MaxRowProblems
	rows  int              // at fault
	at    int              // one past the last row at fault
	more  bool
}

// last returns the last row at fault, -1 for none.
func (f *rowFaults) last() int { return f.at - 1 }

// full reports that further faults are counted and not named: what they would
// say need not be worked out.
func (f *rowFaults) full() bool { return len(f.named) == api.MaxRowProblems }

func (f *rowFaults) add(row int, field, format string, args ...any) {
	if f.full() {
		f.put(api.RowProblem{Row: row})
		return
	}
	f.put(api.RowProblem{Row: row, Field: clip(field), Message: fmt.Sprintf(format, args...)})
}

func (f *rowFaults) addErr(row int, field string, err error) {
	code, _ := api.CodeOf(err)
	f.put(api.RowProblem{Row: row, Field: clip(field), Code: code, Message: err.Error()})
}

func (f *rowFaults) put(p api.RowProblem) {
	if p.Row != f.last() {
		f.rows++
		f.at = p.Row + 1
	}
	if len(f.named) < api.MaxRowProblems {
		f.named = append(f.named, p)
		return
	}
	f.more = true
}

// problem returns the refusal of the whole request, nil when no row is at
// fault.
func (f *rowFaults) problem() error {
	if f.rows == 0 {
		return nil
	}
	detail := fmt.Sprintf("%d rows are at fault; nothing was stored", f.rows)
	if f.rows == 1 {
		detail = fmt.Sprintf("row %d is at fault; nothing was stored", f.last())
	}
	if f.more {
		detail += fmt.Sprintf("; the first %d faults are named", len(f.named))
	}
	p := api.NewProblem(api.CodeInvalidRows, detail)
	p.Rows, p.BadRows, p.Field = f.named, f.rows, f.named[0].Field
	return p
}

// changeFault turns the store's refusal of one change into one of its row.
func (rs *rows) changeFault(index int, err error) error {
	if index < 0 || index >= len(rs.of) {
		return err
	}
	code, ok := api.CodeOf(err)
	if !ok {
		code = codeOf(err)
	}
	switch code {
	case api.CodeInternal, api.CodeCorruptData:
		return err // the store is at fault
	}
	var f rowFaults
	f.put(api.RowProblem{Row: rs.of[index], Code: code, Message: unwrapped(err).Error()})
	return f.problem()
}

// unwrapped returns the innermost error that says something of its own.
func unwrapped(err error) error {
	if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), "change ") {
		return inner
	}
	return err
}
