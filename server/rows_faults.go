package server

import (
	"errors"
	"fmt"
	"strings"

	"featurestore/api"
	"featurestore/feature"
)

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
	f.put(api.RowProblem{Row: row, Field: feature.Clip(field), Message: fmt.Sprintf(format, args...)})
}

func (f *rowFaults) addErr(row int, field string, err error) {
	code, _ := api.CodeOf(err)
	f.put(api.RowProblem{Row: row, Field: feature.Clip(field), Code: code, Message: err.Error()})
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
