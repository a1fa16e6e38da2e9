package sdk

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

func pointerTo[T any](p *T) unsafe.Pointer { return unsafe.Pointer(p) }

func contains(s, part string) bool { return strings.Contains(s, part) }

// K5.
func TestAnAnswerReplacesOnlyTheTokensItsRequestCarried(t *testing.T) {
	ctx := WithSessionToken(t.Context(), " a, b ,a")
	s := sessionOf(ctx)
	first := s.snapshot()
	if want := []string{"a", "b"}; !reflect.DeepEqual(first, want) {
		t.Fatalf("got %v, want %v", first, want)
	}
	s.answered(first, "c") // one request of the two
	s.answered(first, "d") // the other: it did not carry c
	if got, want := SessionToken(ctx), "c,d"; got != want {
		t.Errorf("after two requests side by side: got %s, want %s", got, want)
	}
	s.answered(s.snapshot(), "e")
	if got, want := SessionToken(ctx), "e"; got != want {
		t.Errorf("after a request that carried both: got %s, want %s", got, want)
	}
	s.answered([]string{"e"}, "")
	if got, want := SessionToken(ctx), "e"; got != want {
		t.Errorf("after an answer without token: got %s, want %s", got, want)
	}
}

func TestSessionsAreOfTheContextAndBounded(t *testing.T) {
	if got := SessionToken(t.Context()); got != "" {
		t.Errorf("got %q of a context without session", got)
	}
	if err := JoinSession(t.Context(), "a"); err == nil {
		t.Error("a token joins a context without session")
	}
	ctx := WithSession(t.Context())
	for i := range maxHeldTokens {
		if err := JoinSession(ctx, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := JoinSession(ctx, "0"); err != nil {
		t.Errorf("a token that is held already: got %v, want nil", err)
	}
	if err := JoinSession(ctx, "one more"); !errors.Is(err, ErrTooManyTokens) {
		t.Errorf("got %v, want %v", err, ErrTooManyTokens)
	}
	if got := SessionToken(WithSession(ctx)); got != "" {
		t.Errorf("a new session begins with %q", got)
	}
}

func TestReadOptionsAreRenderedAsServersReadThem(t *testing.T) {
	for _, c := range []struct {
		options ReadOptions
		want    string
		fault   string
	}{
		{ReadOptions{}, "", ""},
		{ReadOptions{Level: Session}, "session", ""},
		{ReadOptions{Level: Bounded, MaxStaleness: 500_000_000}, "bounded; max-staleness=500ms", ""},
		{ReadOptions{Prefer: []Alternative{{Level: Session, Within: 5_000_000}, {Level: Eventual}}}, "session; within=5ms, eventual", ""},
		{ReadOptions{Level: "strong"}, "", `read level "strong" is not known; use eventual`},
		{ReadOptions{Level: Bounded}, "", "needs MaxStaleness"},
		{ReadOptions{MaxStaleness: 1}, "", `read level "" is not known`},
		{ReadOptions{Level: Session, Prefer: []Alternative{{Level: Eventual}}}, "", "both Level and Prefer"},
	} {
		got, err := c.options.header()
		if got != c.want && c.fault == "" || (err != nil) != (c.fault != "") || err != nil && !contains(err.Error(), c.fault) {
			t.Errorf("%+v: got %q, %v; want %q, %q", c.options, got, err, c.want, c.fault)
		}
	}
}
