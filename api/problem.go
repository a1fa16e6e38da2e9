package api

import "fmt"

// Problem is the body of every error on native paths: RFC 9457 with a stable
// code.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   Code   `json:"code"`
	Detail string `json:"detail,omitempty"`
	// Field names the part of the request at fault, such as
	// "entities.driver_id[3]".
	Field string `json:"field,omitempty"`
	// Rows name the rows of a push at fault, at most 100 of them.
	Rows []RowProblem `json:"rows,omitempty"`
	// Session is the token of a write that was applied although its concern was
	// not met in time.
	Session string `json:"session,omitempty"`
	// BadRows counts the rows at fault, those that Rows does not name included.
	BadRows int `json:"bad_rows,omitempty"`
	// Problems are the faults of refused definitions, each with its place.
	Problems []string `json:"problems,omitempty"`
	// Difference is what a refused apply would have changed unseen.
	Difference []string `json:"difference,omitempty"`
	// Concern tells who has a write whose concern was not met in time.
	Concern *ConcernMet `json:"concern,omitempty"`
	// Position is where such a write stands in its origin's log.
	Position *Position `json:"position,omitempty"`
	// Of names the store whose writes an answer lacks, or lost, where that is known.
	Of *Writer `json:"of,omitempty"`
	// Leader leads the rows' shard: of NOT_LEADER.
	Leader *LeaderStore `json:"leader,omitempty"`
	// RequestID finds the request in the store's log.
	RequestID string `json:"request_id,omitempty"`
}

// LeaderStore is the store to ask instead.
type LeaderStore struct {
	Store  string `json:"store"`
	Region string `json:"region"`
	// URL is where clients reach it, "" when it has not told.
	URL string `json:"url,omitempty"`
}

// Writer is a store as the one that accepted writes.
type Writer struct {
	Store  string `json:"store"`
	Region string `json:"region,omitempty"`
}

// RowProblem is what is wrong with one row of a push.
type RowProblem struct {
	Row   int    `json:"row"`
	Field string `json:"field,omitempty"`
	// Code is the row's own, such as EVENT_IN_FUTURE, "" when there is none.
	Code    Code   `json:"code,omitempty"`
	Message string `json:"message"`
}

// MaxRowProblems is how many rows at fault a Problem names.
const MaxRowProblems = 100

// NewProblem returns the problem of a code, with its title and status.
func NewProblem(code Code, detail string) *Problem {
	return &Problem{
		Type:   "urn:featurestore:problem:" + string(code),
		Title:  code.Title(),
		Status: code.Status(),
		Code:   code,
		Detail: detail,
	}
}

// Problemf returns the problem of a code at a field, "" for none.
func Problemf(code Code, field, format string, args ...any) *Problem {
	p := NewProblem(code, fmt.Sprintf(format, args...))
	p.Field = field
	return p
}

// Error returns code, field and detail on one line.
func (p *Problem) Error() string {
	text := string(p.Code)
	if p.Field != "" {
		text += ": " + p.Field
	}
	if p.Detail != "" {
		return text + ": " + p.Detail
	}
	return text + ": " + p.Title
}

// Is reports whether target is the problem's code, or that of one of its rows,
// or the sentinel that such a code stands for (A2).
func (p *Problem) Is(target error) bool {
	if p.Code.is(target) {
		return true
	}
	for _, r := range p.Rows {
		if r.Code != "" && r.Code.is(target) {
			return true
		}
	}
	return false
}

func (c Code) is(target error) bool {
	if code, ok := target.(Code); ok {
		return c == code
	}
	for _, s := range sentinels {
		if s.code == c && s.err == target {
			return true
		}
	}
	return false
}
