package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"featurestore/hlc"
	"featurestore/online"
)

// TestWritesWaitForWhatTheyFollow to be no longer too far ahead of the clock:
// the store that wrote it was killed, and began ahead of its own.
func TestWritesWaitForWhatTheyFollow(t *testing.T) {
	for _, c := range []struct {
		ahead, timeout, want time.Duration
		err                  error
	}{
		{200 * time.Millisecond, 2 * time.Second, 0, nil},
		{900 * time.Millisecond, 2 * time.Second, 400 * time.Millisecond, nil},
		{900 * time.Millisecond, 300 * time.Millisecond, 0, hlc.ErrAhead},
	} {
		synctest.Test(t, func(t *testing.T) {
			clock, err := hlc.NewClock(hlc.Config{MaxSkew: 500 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			after := hlc.FromTime(began.Add(c.ahead))
			ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
			defer cancel()
			_, err = onceDue(ctx, func(context.Context) (online.Receipt, error) { return online.Receipt{}, clock.Witness(after) })
			if took := time.Since(began).Round(2 * time.Millisecond); took != c.want || !errors.Is(err, c.err) {
				t.Errorf("%v ahead with %v: got %v after %v, want %v after %v", c.ahead, c.timeout, err, took, c.err, c.want)
			}
		})
	}
}
