package sdk_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"featurestore/sdk"
)

func TestASessionSeesItsWritesThroughAnotherClient(t *testing.T) {
	s := newStore(t)
	ctx := sdk.WithSession(t.Context())
	if _, err := sdk.Push(ctx, newClient(t, s.url), sdk.View("driver_stats"), trip{ID: 1, Trips: sdk.Increment[int64](3)}); err != nil {
		t.Fatal(err)
	}
	token := sdk.SessionToken(ctx)
	if token == "" || strings.Contains(token, ",") {
		t.Fatalf("got token %q, want one", token)
	}
	other := sdk.WithSessionToken(t.Context(), token)
	q := sdk.Features().At(sdk.ReadOptions{Level: sdk.Session, OnUnmet: sdk.Fail})
	r, err := sdk.Lookup[trip](other, newClient(t, s.url), q, sdk.Keys(trip{ID: 1}))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Rows[0].Trips.Total; got != 3 || r.Met.Level != sdk.Session || r.Met.Asked != sdk.Session {
		t.Errorf("got %d trips at %s, want 3 at session", got, r.Met.Level)
	}
}

func TestAForgedTokenIsRefused(t *testing.T) {
	c := newClient(t, newStore(t).url)
	ctx := sdk.WithSessionToken(t.Context(), "AVyfUkC7AAAAAQGiCRT6GAAAAAABAQCDm6TQAQBKejti5VcVOTeRAMUtKtzV")
	_, err := sdk.Push(ctx, c, sdk.View("driver_stats"), trip{ID: 1})
	if !errors.Is(err, sdk.ErrTokenInvalid) {
		t.Errorf("got %v, want %v", err, sdk.ErrTokenInvalid)
	}
}

// K5.
func TestOneSessionIsSafeForManyGoroutines(t *testing.T) {
	c := newClient(t, newStore(t).url)
	ctx := sdk.WithSession(within(t, time.Minute))
	var all sync.WaitGroup
	for g := range 24 {
		all.Go(func() {
			for range 10 {
				row := trip{ID: int64(g), Trips: sdk.Increment[int64](1)}
				if _, err := sdk.Push(ctx, c, sdk.View("driver_stats"), row); err != nil {
					t.Errorf("push: %v", err)
				}
				r, err := sdk.Lookup[trip](ctx, c, sdk.Features(), sdk.Keys(row))
				if err != nil || r.Rows[0].Trips.Total == 0 {
					t.Errorf("lookup: %v", err)
				}
			}
		})
	}
	all.Wait()
}

// K5.
func TestMoreTokensThanARequestMayCarryAreMergedByTheStore(t *testing.T) {
	c := newClient(t, newStore(t).url)
	joined := sdk.WithSession(within(t, time.Minute))
	for id := range int64(3*sdk.MaxTokens + 1) {
		own := sdk.WithSession(joined)
		if _, err := sdk.Push(own, c, sdk.View("driver_stats"), trip{ID: id, Trips: sdk.Increment[int64](1)}); err != nil {
			t.Fatal(err)
		}
		if err := sdk.JoinSession(joined, sdk.SessionToken(own)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(strings.Split(sdk.SessionToken(joined), ",")); n <= sdk.MaxTokens {
		t.Fatalf("only %d tokens gathered: the test shows nothing", n)
	}
	if _, err := sdk.Lookup[trip](joined, c, sdk.Features(), sdk.Keys(trip{ID: 1})); err != nil {
		t.Fatal(err)
	}
	if token := sdk.SessionToken(joined); token == "" || strings.Contains(token, ",") {
		t.Errorf("after a request: got %q, want one token", token)
	}
}

func TestWhoWaitsForARowHasSeenIt(t *testing.T) {
	c := newClient(t, newStore(t).url)
	w := newWriter[trip](t, c, sdk.View("driver_stats"), sdk.WriterConfig{MaxBatchRows: 4, MaxDelay: time.Millisecond})
	waiter := sdk.WithSession(within(t, time.Minute))
	for id := range int64(200) {
		f, err := w.Push(waiter, trip{ID: id, Trips: sdk.Increment[int64](1)})
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Wait(waiter)
		if err != nil || r.Session == "" {
			t.Fatalf("got %+v, %v; want a token", r, err)
		}
	}
	token := sdk.SessionToken(waiter)
	if n := len(strings.Split(token, ",")); token == "" || n > sdk.MaxTokens {
		t.Errorf("after 200 rows of one writer: got %d tokens, want 1 to %d", n, sdk.MaxTokens)
	}
}

// K5.
func TestTokensAreMergedByTheNextStoreWhenOneIsAway(t *testing.T) {
	s, gone := newStoreIn(t, "eu"), newStoreIn(t, "us")
	if err := gone.stop(); err != nil {
		t.Fatal(err)
	}
	joined := sdk.WithSession(within(t, time.Minute))
	for id := range int64(sdk.MaxTokens + 1) {
		own := sdk.WithSession(joined)
		if _, err := sdk.Push(own, newClient(t, s.url), sdk.View("driver_stats"), trip{ID: id, Trips: sdk.Increment[int64](1)}); err != nil {
			t.Fatal(err)
		}
		if err := sdk.JoinSession(joined, sdk.SessionToken(own)); err != nil {
			t.Fatal(err)
		}
	}
	c := newClient(t, gone.url, alsoAt(s.url))
	if _, err := sdk.Push(joined, c, sdk.View("driver_stats"), trip{ID: 1, Trips: sdk.Increment[int64](1)}); err != nil {
		t.Errorf("got %v, want the tokens merged, and the row stored, by the store that answers", err)
	}
	if token := sdk.SessionToken(joined); token == "" || strings.Contains(token, ",") {
		t.Errorf("after a request: got %q, want one token", token)
	}
}
