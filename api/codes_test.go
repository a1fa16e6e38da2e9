package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"featurestore/feature"
)

// TestEveryRowOfTheTableOfCodes walks invariant A2 through the table.
func TestEveryRowOfTheTableOfCodes(t *testing.T) {
	seen := map[Code]bool{}
	for _, info := range Codes() {
		if seen[info.Code] {
			t.Errorf("%s has two rows", info.Code)
		}
		seen[info.Code] = true
		if info.Title == "" || info.Do == "" || info.Status < 400 || info.Status > 599 {
			t.Errorf("%s is incomplete: %+v", info.Code, info)
		}
		if info.Status != statusClosed && http.StatusText(info.Status) == "" {
			t.Errorf("%s has status %d, which is none", info.Code, info.Status)
		}
		p := NewProblem(info.Code, "detail")
		if p.Status != info.Status || p.Title != info.Title || !strings.HasSuffix(p.Type, string(info.Code)) {
			t.Errorf("%s: problem %+v", info.Code, p)
		}
		wrapped := fmt.Errorf("push: %w", p)
		if !errors.Is(wrapped, info.Code) {
			t.Errorf("errors.Is(problem of %s, its code) is false", info.Code)
		}
		if code, ok := CodeOf(wrapped); !ok || code != info.Code {
			t.Errorf("CodeOf(problem of %s) is %s, %v", info.Code, code, ok)
		}
		if code, ok := CodeOf(fmt.Errorf("x: %w", info.Code)); !ok || code != info.Code {
			t.Errorf("CodeOf(%s) is %s, %v", info.Code, code, ok)
		}
	}
	if Code("of a later version").Status() != http.StatusInternalServerError {
		t.Error("an unknown code is no 500")
	}
}

// TestEverySentinelIsTheSameOnBothSides: what errors.Is says of the error in
// the server, it says of the problem that the SDK has read.
func TestEverySentinelIsTheSameOnBothSides(t *testing.T) {
	row := func(err error, code Code) bool {
		return slices.ContainsFunc(sentinels, func(s sentinel) bool { return s.err == err && s.code == code })
	}
	for _, s := range sentinels {
		code, ok := CodeOf(fmt.Errorf("apply: %w", s.err))
		if !ok || !row(s.err, code) {
			t.Errorf("CodeOf(%v) is %s, %v; want %s", s.err, code, ok, s.code)
		}
		if s.code.Title() == "" {
			t.Errorf("%v has code %s, which is not in the table", s.err, s.code)
		}
		read := &Problem{Code: s.code} // as the SDK finds it in a body
		for _, other := range sentinels {
			if want := row(other.err, s.code); errors.Is(read, other.err) != want {
				t.Errorf("errors.Is(problem of %s, %v) is %v", s.code, other.err, !want)
			}
		}
	}
	if code, ok := CodeOf(errors.New("unforeseen")); ok {
		t.Errorf("an unforeseen error has code %s", code)
	}
}

// TestProblemIsWhatItsRowsAre: which row it was does not matter to errors.Is.
func TestProblemIsWhatItsRowsAre(t *testing.T) {
	p := NewProblem(CodeInvalidRows, "")
	p.Rows = []RowProblem{{Row: 1}, {Row: 2, Code: CodeEventInFuture}}
	for target, want := range map[error]bool{
		CodeInvalidRows: true, CodeEventInFuture: true, feature.ErrEventInFuture: true,
		CodeEventTooOld: false, feature.ErrEventTooOld: false, CodeInternal: false,
	} {
		if got := errors.Is(p, target); got != want {
			t.Errorf("errors.Is(problem, %v) is %v", target, got)
		}
	}
}
