package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"featurestore/api"
)

// TestARetrySaysWhyAndEnds: nobody waits long without a word for what does not
// come.
func TestARetrySaysWhyAndEnds(t *testing.T) {
	refused := func(code api.Code) error { return &refusedError{api.NewProblem(code, "for this reason")} }
	for _, x := range []struct {
		claim   string
		errs    []error // the last one stays
		lasting time.Duration
		tries   int // at least
		told    int
	}{
		{"too few members", []error{refused(api.CodeNotEnoughLive)}, defaultRetryFor, 3, 1},
		{"no answer", []error{&unreachableError{url: "http://127.0.0.1:1", err: errors.New("connection refused")}}, defaultRetryFor, 3, 1},
		{"each reason", []error{refused(api.CodeOverloaded), refused(api.CodeOverloaded), refused(api.CodeConcernTimeout)}, defaultRetryFor, 4, 2},
		{"the reason again, later", []error{refused(api.CodeNotEnoughLive)}, 35 * time.Second, 10, 3},
		{"one try", []error{refused(api.CodeNotEnoughLive)}, 0, 1, 0},
		{"a mistake", []error{refused(api.CodeInvalidRequest)}, defaultRetryFor, 1, 0},
		{"what helps", []error{refused(api.CodeOverloaded), nil}, defaultRetryFor, 2, 1},
	} {
		t.Run(x.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				r := retries{lasting: x.lasting, report: &out}
				began, tries := time.Now(), 0
				err := r.do(t.Context(), func() error {
					tries++
					return x.errs[min(tries, len(x.errs))-1]
				})
				if want := x.errs[len(x.errs)-1]; err != want {
					t.Errorf("got %v, want %v", err, want)
				}
				if took := time.Since(began); took > x.lasting || tries < x.tries {
					t.Errorf("%d tries took %v, want at least %d in at most %v", tries, took, x.tries, x.lasting)
				}
				if got := strings.Count(out.String(), "trying again, for at most "+x.lasting.String()+" (--retry-for): "); got != x.told || strings.Count(out.String(), "\n") != got {
					t.Errorf("told %d times, want %d:\n%s", got, x.told, &out)
				}
			})
		})
	}
}
