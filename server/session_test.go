package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"featurestore/api"
)

func TestBaggageSessions(t *testing.T) {
	for header, want := range map[string][]string{
		"":                       nil,
		"featurestore-session=A": {"A"},
		"team=a,featurestore-session = A ;p=1;q,other=b":   {"A"},
		"featurestore-session=A%2CB":                       {"A,B"},
		"featurestore-session=A,featurestore-session=B":    {"A", "B"},
		"featurestore-session-2=A,xfeaturestore-session=B": nil,
		"featurestore-session":                             {""},
		"featurestore-session=%zz":                         {"%zz"},
	} {
		if got := baggageSessions([]string{header}); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", header, got, want)
		}
	}
}

// TestBaggageIsASessionToo: its token is merged with those of the header, bound
// by the same limits, and refused like them.
func TestBaggageIsASessionToo(t *testing.T) {
	h := newHouse(t)
	push := func(view, row string) string {
		return answer[api.PushResponse](h, h.post("push", `{"view": "`+view+`", "rows": [`+row+`]}`)).Session
	}
	one := push("driver_stats", `{"driver_id": 7, "trips": 1}`)
	baggage := api.BaggageSession + "=" + one
	for _, headers := range [][]string{{"Baggage", baggage}, {"Baggage", baggage, api.HeaderSession, one}} {
		w := h.do(http.MethodGet, "/v1/projects/rides/views", "", headers...)
		if got := w.Header().Get(api.HeaderSession); got != one {
			t.Errorf("%v: got token %q, want %q", headers, got, one)
		}
	}
	if p := h.problem(h.post("lookup", wanted, "Baggage", api.BaggageSession+"=AAAA")); p.Code != api.CodeTokenInvalid {
		t.Errorf("a damaged one: got %+v", p)
	}
	many := strings.Repeat(","+baggage, 8)[1:]
	if p := h.problem(h.post("lookup", wanted, "Baggage", many, api.HeaderSession, one)); p.Code != api.CodeTokenInvalid {
		t.Errorf("nine: got %+v", p)
	}
}
