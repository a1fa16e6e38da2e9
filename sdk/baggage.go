package sdk

import (
	"context"
	"fmt"
	"strings"

	"featurestore/api"

	"go.opentelemetry.io/otel/baggage"
)

// MaxBaggageBytes bounds a session in baggage: it is a header of every request
// that the service makes.
const MaxBaggageBytes = 2 << 10

// SessionToBaggage returns a context whose OpenTelemetry baggage carries what
// the session of ctx has seen so far, for the requests to other services that
// are made with it: their propagation.Baggage sends it, to whomever they go.
// The member "featurestore-session" of ctx is replaced, or left out when the
// session has seen nothing. A baggage that would be too long is ErrTooManyTokens
// where a request merges the tokens.
//
// Nothing else puts a session into baggage.
func SessionToBaggage(ctx context.Context) (context.Context, error) {
	bag, token := baggage.FromContext(ctx), SessionToken(ctx)
	if token == "" {
		return baggage.ContextWithBaggage(ctx, bag.DeleteMember(api.BaggageSession)), nil
	}
	if len(token) > MaxBaggageBytes {
		return ctx, fmt.Errorf("session to baggage: %w: %d bytes, at most %d; make a request first, which merges them",
			ErrTooManyTokens, len(token), MaxBaggageBytes)
	}
	member, err := baggage.NewMemberRaw(api.BaggageSession, token)
	if err == nil {
		bag, err = bag.SetMember(member)
	}
	if err != nil {
		return ctx, fmt.Errorf("session to baggage: %w", err)
	}
	return baggage.ContextWithBaggage(ctx, bag), nil
}

// SessionFromBaggage returns a context whose new session begins with the one in
// the baggage of ctx, as the caller of a service has sent it; an empty session
// when there is none. With one that is too long the session is empty too, and
// the error tells that reads may be older than what the caller saw.
func SessionFromBaggage(ctx context.Context) (context.Context, error) {
	token := baggage.FromContext(ctx).Member(api.BaggageSession).Value()
	tokens := strings.Count(token, ",") + 1
	if len(token) > MaxBaggageBytes || tokens > maxHeldTokens {
		return WithSession(ctx), fmt.Errorf("session from baggage: %w: %d in %d bytes; at most %d in %d",
			ErrTooManyTokens, tokens, len(token), maxHeldTokens, MaxBaggageBytes)
	}
	return WithSessionToken(ctx, token), nil
}
