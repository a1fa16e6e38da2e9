package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"featurestore/api"
	"featurestore/sdk"
)

func TestASessionSendsAtMostAsManyTokensAsARequestMayCarry(t *testing.T) {
	var s session
	for i := range 20 {
		s.answered(nil, fmt.Sprint("t", i))
	}
	s.answered(nil, "t0") // a token that is there already
	h := http.Header{}
	sent := s.send(h)
	if n := len(strings.Split(h.Get(api.HeaderSession), ",")); n != sdk.MaxTokens || len(sent) != n {
		t.Errorf("sent %d tokens and tells of %d, want %d", n, len(sent), sdk.MaxTokens)
	}
	s.answered(sent, "merged")
	if want := 20 - sdk.MaxTokens + 1; len(s.mu.tokens) != want || !slices.Contains(s.mu.tokens, "merged") {
		t.Errorf("got %q, want %d tokens with the merged one", s.mu.tokens, want)
	}
	s.answered(sent, "")
	if want := 20 - sdk.MaxTokens + 1; len(s.mu.tokens) != want {
		t.Errorf("an answer without a token leaves %d, want %d", len(s.mu.tokens), want)
	}
}
