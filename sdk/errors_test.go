package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"featurestore/api"
	"featurestore/feature"
)

// K4.
func TestErrorsMatchTheirCodeAndCause(t *testing.T) {
	unmet := api.NewProblem(api.CodeConcernTimeout, "2 stores have the rows")
	unmet.Session = "token"
	for _, c := range []struct {
		err     *Error
		is      []error
		not     []error
		verdict Verdict
		text    string
	}{
		{&Error{Op: "push", URL: "u", Tries: 3, Problem: unmet}, []error{ErrConcernTimeout, api.CodeConcernTimeout},
			[]error{ErrUnreachable, ErrOutcomeUnknown, ErrBehind}, Unmet, "push at u (3 tries): CONCERN_TIMEOUT: 2 stores have the rows"},
		{&Error{Op: "push", URL: "u", Tries: 1, Err: io.ErrUnexpectedEOF, OutcomeUnknown: true}, []error{ErrOutcomeUnknown, ErrUnreachable, io.ErrUnexpectedEOF},
			[]error{ErrConcernTimeout}, Unknown, "push at u: unexpected EOF; the write may have been stored"},
		{&Error{Op: "lookup", URL: "u", Tries: 1, Err: context.DeadlineExceeded}, []error{ErrUnreachable, context.DeadlineExceeded},
			[]error{ErrOutcomeUnknown}, Refused, "lookup at u: context deadline exceeded"},
		{&Error{Op: "lookup", URL: "u", Err: context.Canceled}, []error{context.Canceled}, []error{ErrUnreachable}, Refused, ""},
		{&Error{Op: "get", URL: "u", Err: fmt.Errorf("%w: x", ErrBadAnswer)}, []error{ErrBadAnswer}, []error{ErrUnreachable}, Refused, ""},
		{&Error{Op: "push", Problem: api.NewProblem(api.CodeCounterOverflow, "")}, []error{feature.ErrCounterOverflow, api.CodeCounterOverflow},
			[]error{feature.ErrSetTooLarge}, Refused, ""},
	} {
		for _, target := range c.is {
			if !errors.Is(c.err, target) {
				t.Errorf("%v: is not %v", c.err, target)
			}
		}
		for _, target := range c.not {
			if errors.Is(c.err, target) {
				t.Errorf("%v: is %v", c.err, target)
			}
		}
		if got := verdictOf(c.err); got != c.verdict {
			t.Errorf("%v: got verdict %v, want %v", c.err, got, c.verdict)
		}
		if c.text != "" && c.err.Error() != c.text {
			t.Errorf("got  %s\nwant %s", c.err, c.text)
		}
	}
	var p *api.Problem
	if err := fmt.Errorf("load: %w", &Error{Problem: unmet}); !errors.As(err, &p) || p.Session != "token" {
		t.Error("the token of a write that was applied is lost")
	}
}

func TestAnswersOfOthersAreNotTakenForAStores(t *testing.T) {
	answer := func(status int) *http.Response {
		return &http.Response{Status: http.StatusText(status), StatusCode: status}
	}
	if p, err := problemOf(answer(502), []byte("<html>\n<b>Bad Gateway</b>")); p != nil || !errors.Is(err, ErrBadAnswer) || !strings.Contains(err.Error(), "<html> <b>Bad Gateway") {
		t.Errorf("a proxy's page: got %v, %v", p, err)
	}
	if p, err := problemOf(answer(404), []byte(`{"message":"not here"}`)); p != nil || !errors.Is(err, ErrBadAnswer) {
		t.Errorf("another service's JSON: got %v, %v", p, err)
	}
	if p, err := problemOf(answer(404), []byte(`{"code":"of_a_later_version","status":404}`)); err != nil || p.Code != "of_a_later_version" {
		t.Errorf("a code of a later version: got %v, %v", p, err)
	}
}

func TestRowsAtFaultAreFoundInProblems(t *testing.T) {
	for _, c := range []struct {
		claim   string
		problem api.Problem
		want    map[int]*RowError
	}{
		{"rows that are named", api.Problem{Rows: []api.RowProblem{{Row: 1, Field: "x", Message: "m"}, {Row: 1, Field: "y"}, {Row: 9}, {Row: -1}}},
			map[int]*RowError{1: {Field: "x", Message: "m"}}},
		{"the place where a body cannot be read", api.Problem{Field: "rows[2].x", Detail: "d"}, map[int]*RowError{2: {Field: "x", Message: "d"}}},
		{"a row as a whole", api.Problem{Field: "rows[0]", Detail: "d"}, map[int]*RowError{0: {Message: "d"}}},
		{"a row that there is not", api.Problem{Field: "rows[3].x"}, map[int]*RowError{}},
		{"no row", api.Problem{Field: "view"}, map[int]*RowError{}},
	} {
		if got := rowFaults(&c.problem, 3); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.claim, got, c.want)
		}
	}
}
