package sdk

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"featurestore/api"
)

// batch is rows of one lane that travel together. The lane's goroutine alone
// changes it once it is sealed; done is closed after the last verdict.
type batch struct {
	rows []byte // encoded, one after the other
	ends []int  // of each row in rows
	due  time.Time
	done chan struct{}

	verdicts []Verdict
	errs     map[int]error
	// before are the session's tokens when the batch was sent, session those
	// after its last answer.
	before  []string
	session string
}

func newBatch(due time.Time) *batch { return &batch{due: due, done: make(chan struct{})} }

func (b *batch) len() int { return len(b.ends) }

// add appends an encoded row and returns its index.
func (b *batch) add(row []byte) int {
	b.rows = append(b.rows, row...)
	b.ends = append(b.ends, len(b.rows))
	return len(b.ends) - 1
}

func (b *batch) row(i int) []byte {
	start := 0
	if i > 0 {
		start = b.ends[i-1]
	}
	return b.rows[start:b.ends[i]]
}

// body builds a push of some rows.
func (b *batch) body(head []byte, rows []int) []byte {
	out := make([]byte, 0, len(head)+len(b.rows)+len(rows)+len(`,"rows":[]}`))
	out = append(append(out, head...), `,"rows":[`...)
	for i, row := range rows {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, b.row(row)...)
	}
	return append(out, "]}"...)
}

func (b *batch) judge(row int, v Verdict, err error) {
	if b.verdicts == nil {
		b.verdicts = make([]Verdict, b.len())
	}
	b.verdicts[row] = v
	if err != nil {
		if b.errs == nil {
			b.errs = map[int]error{}
		}
		b.errs[row] = err
	}
}

// result may be called after done.
func (b *batch) result(row int) RowResult {
	r := RowResult{Verdict: b.verdicts[row], Err: b.errs[row]}
	if r.Verdict != Refused {
		r.Session = b.session
	}
	return r
}

// counts returns how many rows got each verdict.
func (b *batch) counts() (n [len(verdictNames)]int) {
	for _, v := range b.verdicts {
		n[v]++
	}
	return n
}

// rowFaults returns the rows that a problem names, by their index in its request.
func rowFaults(p *api.Problem, rows int) map[int]*RowError {
	out := map[int]*RowError{}
	for _, r := range p.Rows {
		if r.Row >= 0 && r.Row < rows && out[r.Row] == nil {
			out[r.Row] = &RowError{Field: r.Field, Message: r.Message}
		}
	}
	if len(out) > 0 {
		return out
	}
	// A body that cannot be read is refused at its first fault: "rows[3].x".
	if rest, ok := strings.CutPrefix(p.Field, "rows["); ok {
		index, field, _ := strings.Cut(rest, "]")
		if i, err := strconv.Atoi(index); err == nil && i >= 0 && i < rows {
			out[i] = &RowError{Field: strings.TrimPrefix(field, "."), Message: p.Detail}
		}
	}
	return out
}

// divide says whether a batch that failed whole is sent again in halves: it is
// too large, or some row of it, which the problem does not name, is at fault.
func divide(err error, rows int) bool {
	var p *api.Problem
	if rows < 2 || !errors.As(err, &p) {
		return false
	}
	switch p.Code {
	case api.CodePayloadTooLarge, api.CodeTooManyRows,
		api.CodeInvalidRows, api.CodeInvalidValue, api.CodeCounterOverflow, api.CodeSetTooLarge,
		api.CodeEventTooOld, api.CodeEventInFuture:
		return true
	}
	return false
}
