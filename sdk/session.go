package sdk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// MaxTokens is how many tokens one request may carry.
const MaxTokens = 8

// maxHeldTokens bounds a session between two requests, which merge them.
const maxHeldTokens = 64

// session is what a context carries: the tokens that no answer has replaced.
// It is safe for concurrent use.
type session struct {
	mu struct {
		sync.Mutex
		tokens []string
	}
}

type sessionKey struct{}

// WithSession returns a context that carries a new, empty session. Each
// request made with it, or with a context derived from it, sends the session's
// tokens and puts the answer's in their place, from any number of goroutines.
func WithSession(ctx context.Context) context.Context {
	return context.WithValue(ctx, sessionKey{}, new(session))
}

// WithSessionToken returns a context whose new session begins with token: one
// or several tokens, comma-separated, as SessionToken or a Featurestore-Session
// header gave them. An empty token begins an empty session.
func WithSessionToken(ctx context.Context, token string) context.Context {
	s := new(session)
	s.mu.tokens = splitTokens(token)
	return context.WithValue(ctx, sessionKey{}, s)
}

// JoinSession adds token to the session that ctx carries: its next reads see
// what the token's session saw. It returns ErrTooManyTokens when the session
// made no request for long and holds too many, and an error when ctx carries
// no session.
func JoinSession(ctx context.Context, token string) error {
	s := sessionOf(ctx)
	if s == nil {
		return fmt.Errorf("join session: the context carries none; see WithSession")
	}
	return s.join(splitTokens(token))
}

// SessionToken returns what the session of ctx has seen, to hand to another
// process; several tokens are comma-separated. It is "" without a session, or
// when the session has seen nothing.
func SessionToken(ctx context.Context) string {
	if s := sessionOf(ctx); s != nil {
		return strings.Join(s.snapshot(), ",")
	}
	return ""
}

func sessionOf(ctx context.Context) *session {
	s, _ := ctx.Value(sessionKey{}).(*session)
	return s
}

func splitTokens(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" && !slices.Contains(out, part) {
			out = append(out, part)
		}
	}
	return out
}

// snapshot returns the tokens to send. The caller owns the slice.
func (s *session) snapshot() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mu.tokens)
}

// answered puts the answer's token in the place of those that were sent with
// its request. Tokens that came in meanwhile stay.
func (s *session) answered(sent []string, token string) {
	if token == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.tokens = slices.DeleteFunc(s.mu.tokens, func(t string) bool { return slices.Contains(sent, t) })
	for _, t := range splitTokens(token) {
		if !slices.Contains(s.mu.tokens, t) {
			s.mu.tokens = append(s.mu.tokens, t)
		}
	}
}

// reset forgets every token.
func (s *session) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.tokens = nil
}

func (s *session) join(tokens []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range tokens {
		if slices.Contains(s.mu.tokens, t) {
			continue
		}
		if len(s.mu.tokens) >= maxHeldTokens {
			return fmt.Errorf("join session: %w: it holds %d since its last request", ErrTooManyTokens, maxHeldTokens)
		}
		s.mu.tokens = append(s.mu.tokens, t)
	}
	return nil
}
