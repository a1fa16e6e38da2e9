package sdk_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"featurestore/sdk"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
)

// callService calls a service of others with the baggage of ctx, and runs serve
// there with the baggage that came.
func callService(t *testing.T, ctx context.Context, serve func(context.Context)) {
	t.Helper()
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		serve(propagation.Baggage{}.Extract(context.WithoutCancel(r.Context()), propagation.HeaderCarrier(r.Header)))
	}))
	defer service.Close()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, service.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	propagation.Baggage{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
	answer, err := service.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
}

func TestASessionTravelsBetweenServicesAsBaggage(t *testing.T) {
	c := newClient(t, newStore(t).url)
	ctx := sdk.WithSession(t.Context())
	if _, err := sdk.Push(ctx, c, sdk.View("driver_stats"), trip{ID: 1, Trips: sdk.Increment[int64](3)}); err != nil {
		t.Fatal(err)
	}
	own, err := baggage.Parse("user=ann")
	if err != nil {
		t.Fatal(err)
	}
	ctx, err = sdk.SessionToBaggage(baggage.ContextWithBaggage(ctx, own))
	if err != nil {
		t.Fatal(err)
	}
	served := false
	callService(t, ctx, func(theirs context.Context) {
		served = true
		if got := baggage.FromContext(theirs).Member("user").Value(); got != "ann" {
			t.Errorf("got user %q of the baggage that was there, want ann", got)
		}
		theirs, err := sdk.SessionFromBaggage(theirs)
		if err != nil {
			t.Error(err)
		}
		if got, want := sdk.SessionToken(theirs), sdk.SessionToken(ctx); got != want || got == "" {
			t.Errorf("got session %q, want %q", got, want)
		}
		q := sdk.Features().At(sdk.ReadOptions{Level: sdk.Session, OnUnmet: sdk.Fail})
		r, err := sdk.Lookup[trip](theirs, c, q, sdk.Keys(trip{ID: 1}))
		if err != nil || r.Rows[0].Trips.Total != 3 {
			t.Errorf("got %+v, %v; want the caller's 3 trips", r, err)
		}
	})
	if !served {
		t.Error("the service was not called")
	}
}

func TestBaggageCarriesNoSessionUnlessToldTo(t *testing.T) {
	ctx := sdk.WithSessionToken(t.Context(), "a,b")
	callService(t, ctx, func(theirs context.Context) {
		theirs, err := sdk.SessionFromBaggage(theirs)
		if got := sdk.SessionToken(theirs); got != "" || err != nil {
			t.Errorf("got session %q, %v; want an empty one", got, err)
		}
		if err := sdk.JoinSession(theirs, "c"); err != nil {
			t.Errorf("without baggage there is no session: %v", err)
		}
	})
	with, err := sdk.SessionToBaggage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	empty, err := sdk.SessionToBaggage(sdk.WithSession(with))
	if err != nil || baggage.FromContext(empty).Len() != 0 {
		t.Errorf("got baggage %q, %v of a session that has seen nothing; want none", baggage.FromContext(empty), err)
	}
}

func TestSessionsInBaggageAreBounded(t *testing.T) {
	long := strings.Repeat("x", sdk.MaxBaggageBytes+1)
	ctx := sdk.WithSessionToken(t.Context(), long)
	if got, err := sdk.SessionToBaggage(ctx); !errors.Is(err, sdk.ErrTooManyTokens) || baggage.FromContext(got).Len() != 0 {
		t.Errorf("got baggage %q, %v; want none, and %v", baggage.FromContext(got), err, sdk.ErrTooManyTokens)
	}
	for _, token := range []string{long, strings.Repeat("x,", 100) + "x"} {
		member, err := baggage.NewMemberRaw("featurestore-session", token)
		if err != nil {
			t.Fatal(err)
		}
		bag, err := baggage.New(member)
		if err != nil {
			t.Fatal(err)
		}
		got, err := sdk.SessionFromBaggage(baggage.ContextWithBaggage(t.Context(), bag))
		if !errors.Is(err, sdk.ErrTooManyTokens) || sdk.SessionToken(got) != "" {
			t.Errorf("%d bytes: got session %q, %v; want an empty one, and %v", len(token), sdk.SessionToken(got), err, sdk.ErrTooManyTokens)
		}
	}
}
