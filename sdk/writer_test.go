package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/sdk"
)

// trip counts one trip of a driver.
type trip struct {
	ID    int64              `key:"driver_id"`
	Trips sdk.Counter[int64] `feature:"driver_stats:trips"`
}

// totals looks up the counters of drivers 0 to n-1.
func totals(t *testing.T, c *sdk.Client, n int64) []int64 {
	t.Helper()
	var ids, out []int64
	for id := range n {
		ids = append(ids, id)
	}
	r, err := sdk.Lookup[trip](t.Context(), c, sdk.Features(), sdk.Columns{"driver_id": ids})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		out = append(out, row.Trips.Total)
	}
	return out
}

// K3, K6.
func TestEveryRowIsCountedOnceThoughConnectionsBreak(t *testing.T) {
	s := newStore(t)
	broken := newRelay(t, s.url, flaky(1))
	c := newClient(t, broken.url, func(cfg *sdk.Config) { cfg.Retry.Tries = 30; cfg.Retry.Backoff = time.Millisecond })
	w := newWriter[trip](t, c, sdk.View("driver_stats"), sdk.WriterConfig{
		MaxBatchRows: 10, MaxDelay: time.Millisecond,
		Retry: sdk.Retry{Tries: 50, Backoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond},
	})
	const drivers, writers, each = 7, 4, 300
	ctx := within(t, time.Minute)
	var pushing sync.WaitGroup
	for n := range writers {
		pushing.Go(func() {
			var futures []*sdk.Future
			for i := range each {
				f, err := w.Push(ctx, trip{ID: int64(n+i) % drivers, Trips: sdk.Increment[int64](1)})
				if err != nil {
					t.Errorf("push: %v", err)
					return
				}
				futures = append(futures, f)
			}
			for i, f := range futures {
				if r, err := f.Wait(ctx); r.Verdict != sdk.Accepted {
					t.Errorf("row %d: got %v, %v; want accepted", i, r.Verdict, err)
				}
			}
		})
	}
	pushing.Wait()
	if broken.cuts.Load() < 10 {
		t.Fatalf("only %d connections were cut: the test shows nothing", broken.cuts.Load())
	}
	var sum int64
	got := totals(t, newClient(t, s.url), drivers)
	for _, n := range got {
		sum += n
	}
	if sum != writers*each {
		t.Errorf("got %v, together %d, want %d; %d connections were cut", got, sum, writers*each, broken.cuts.Load())
	}
}

// K6.
func TestBadRowsAreToldApartFromGoodOnes(t *testing.T) {
	c := newClient(t, newStore(t).url)
	w := newWriter[sdk.RawRow](t, c, sdk.View("driver_stats"), sdk.WriterConfig{MaxBatchRows: 400, MaxDelay: time.Hour, MaxInFlight: 1})
	ctx := within(t, time.Minute)
	future := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	wantFault := map[int]string{}
	var futures []*sdk.Future
	for i := range 400 {
		row := fmt.Sprintf(`{"driver_id": %d, "trips": 1}`, i)
		switch {
		case i%3 == 0: // more than an answer can name
			row, wantFault[i] = fmt.Sprintf(`{"driver_id": %d, "trips": "many"}`, i), "trips"
		case i == 100:
			row, wantFault[i] = fmt.Sprintf(`{"driver_id": %d, "trips": 1, "event_time": %q}`, i, future), "event_time"
		case i == 200:
			row, wantFault[i] = `{"driver_id": null, "trips": 1}`, "driver_id"
		case i == 301:
			row, wantFault[i] = fmt.Sprintf(`{"driver_id": %d, "trip": 1}`, i), "trip"
		}
		f, err := w.Push(ctx, sdk.RawRow(row))
		if err != nil {
			t.Fatal(err)
		}
		futures = append(futures, f)
	}
	if err := w.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	for i, f := range futures {
		r, err := f.Wait(ctx)
		field, bad := wantFault[i]
		var fault *sdk.RowError
		switch {
		case !bad && (r.Verdict != sdk.Accepted || err != nil):
			t.Errorf("row %d: got %v, %v; want accepted", i, r.Verdict, err)
		case bad && (r.Verdict != sdk.Refused || !errors.As(err, &fault) || fault.Field != field || !errors.Is(err, sdk.ErrInvalidRows)):
			t.Errorf("row %d: got %v, %v; want refused for %s", i, r.Verdict, err, field)
		}
	}
	for id, n := range totals(t, c, 400) {
		want := int64(1)
		if _, bad := wantFault[id]; bad {
			want = 0
		}
		if n != want {
			t.Errorf("driver %d: got %d trips, want %d", id, n, want)
		}
	}
}

// K3, K6.
func TestBadRowsAreToldApartThoughConnectionsBreak(t *testing.T) {
	s := newStore(t)
	broken := newRelay(t, s.url, flaky(2))
	c := newClient(t, broken.url, func(cfg *sdk.Config) { cfg.Retry.Tries = 30; cfg.Retry.Backoff = time.Millisecond })
	w := newWriter[sdk.RawRow](t, c, sdk.View("driver_stats"), sdk.WriterConfig{
		MaxBatchRows: 20, MaxDelay: time.Millisecond,
		Retry: sdk.Retry{Tries: 50, Backoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond},
	})
	ctx := within(t, time.Minute)
	var futures []*sdk.Future
	for i := range 400 {
		trips := "1"
		if i%7 == 0 {
			trips = `"many"`
		}
		f, err := w.Push(ctx, sdk.RawRow(fmt.Sprintf(`{"driver_id": %d, "trips": %s}`, i, trips)))
		if err != nil {
			t.Fatal(err)
		}
		futures = append(futures, f)
	}
	if err := w.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if broken.cuts.Load() < 3 {
		t.Fatalf("only %d connections were cut: the test shows nothing", broken.cuts.Load())
	}
	got := totals(t, newClient(t, s.url), 400)
	for i, f := range futures {
		want, trips := sdk.Accepted, int64(1)
		if i%7 == 0 {
			want, trips = sdk.Refused, 0
		}
		if r, err := f.Wait(ctx); r.Verdict != want || got[i] != trips {
			t.Errorf("row %d: got %v, %d trips, %v; want %v, %d", i, r.Verdict, got[i], err, want, trips)
		}
	}
}

func TestARowThatOverflowsItsCounterIsFound(t *testing.T) {
	c := newClient(t, newStore(t).url)
	w := newWriter[trip](t, c, sdk.View("driver_stats"), sdk.WriterConfig{MaxDelay: time.Hour, MaxInFlight: 1})
	ctx := within(t, time.Minute)
	const max = 1<<63 - 1
	if _, err := sdk.Push(ctx, c, sdk.View("driver_stats"), trip{ID: 3, Trips: sdk.Increment[int64](max)}); err != nil {
		t.Fatal(err)
	}
	var futures []*sdk.Future
	for id := range int64(8) {
		f, err := w.Push(ctx, trip{ID: id, Trips: sdk.Increment[int64](1)})
		if err != nil {
			t.Fatal(err)
		}
		futures = append(futures, f)
	}
	if err := w.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	for id, f := range futures {
		want := sdk.Accepted
		if id == 3 {
			want = sdk.Refused
		}
		if r, err := f.Wait(ctx); r.Verdict != want {
			t.Errorf("driver %d: got %v, %v; want %v", id, r.Verdict, err, want)
		}
	}
	want := []int64{1, 1, 1, max, 1, 1, 1, 1}
	for id, n := range totals(t, c, 8) {
		if n != want[id] {
			t.Errorf("driver %d: got %d, want %d", id, n, want[id])
		}
	}
}

// K8.
func TestPushBlocksWhileTheWriterIsFull(t *testing.T) {
	c := newClient(t, newStore(t).url)
	w, err := sdk.NewWriter[trip](c, sdk.View("driver_stats"), sdk.WriterConfig{MaxBuffered: 3, MaxBatchRows: 2})
	if err != nil {
		t.Fatal(err)
	}
	ctx := within(t, time.Minute)
	row := trip{ID: 1, Trips: sdk.Increment[int64](1)}
	var futures []*sdk.Future
	for range 3 {
		f, err := w.Push(ctx, row)
		if err != nil {
			t.Fatal(err)
		}
		futures = append(futures, f)
	}
	full, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := w.Push(full, row); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a fourth row: got %v, want %v", err, context.DeadlineExceeded)
	}
	// The next row waits for room, which Run makes.
	pushed := make(chan error, 1)
	go func() {
		f, err := w.Push(ctx, row)
		if err == nil {
			_, err = f.Wait(ctx)
		}
		pushed <- err
	}()
	ran := make(chan error, 1)
	go func() { ran <- w.Run(t.Context()) }()
	if err := <-pushed; err != nil {
		t.Errorf("the row that waited: %v", err)
	}
	for _, f := range futures {
		if _, err := f.Wait(ctx); err != nil {
			t.Error(err)
		}
	}
	if err := w.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := <-ran; err != nil {
		t.Error(err)
	}
	if got := totals(t, c, 2)[1]; got != 4 {
		t.Errorf("got %d trips, want the 4 rows taken", got)
	}
	if _, err := w.Push(ctx, row); !errors.Is(err, sdk.ErrClosed) {
		t.Errorf("after Close: got %v, want %v", err, sdk.ErrClosed)
	}
}

func TestAFullWriterDoesNotWaitForItsBatchesToFill(t *testing.T) {
	c := newClient(t, newStore(t).url)
	w := newWriter[trip](t, c, sdk.View("driver_stats"), sdk.WriterConfig{MaxBuffered: 3, MaxDelay: time.Hour})
	ctx := within(t, time.Minute)
	for i := range 10 {
		if _, err := w.Push(ctx, trip{ID: int64(i), Trips: sdk.Increment[int64](1)}); err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
	}
}

// K7.
func TestRowsOfOneEntityAreWrittenInOrder(t *testing.T) {
	c := newClient(t, newStore(t).url)
	w := newWriter[driver](t, c, sdk.View("driver_stats"), sdk.WriterConfig{MaxBatchRows: 3, MaxDelay: time.Millisecond})
	ctx := within(t, time.Minute)
	for i := range 300 {
		// No event time: the later written wins.
		if _, err := w.Push(ctx, driver{ID: int64(i % 5), ConvRate: sdk.Some(float32(i))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	r, err := sdk.Lookup[driver](ctx, c, sdk.Service("driver_v1"), sdk.Columns{"driver_id": []int64{0, 1, 2, 3, 4}})
	if err != nil {
		t.Fatal(err)
	}
	for id, row := range r.Rows {
		if want := float32(295 + id); row.ConvRate.Value != want {
			t.Errorf("driver %d: got %v, want the last, %v", id, row.ConvRate.Value, want)
		}
	}
}

func TestAnOlderEventIsSuperseded(t *testing.T) {
	c := newClient(t, newStore(t).url)
	w := newWriter[sdk.RawRow](t, c, sdk.View("driver_stats"), sdk.WriterConfig{MaxBatchRows: 2, MaxInFlight: 1})
	ctx := within(t, time.Minute)
	now := time.Now().UTC()
	var verdicts []sdk.Verdict
	for _, at := range []time.Time{now, now.Add(-time.Hour)} {
		f, err := w.Push(ctx, sdk.RawRow(fmt.Sprintf(`{"driver_id": 1, "conv_rate": 0.5, "event_time": %q}`, at.Format(time.RFC3339Nano))))
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Wait(ctx)
		if err != nil {
			t.Fatal(err)
		}
		verdicts = append(verdicts, r.Verdict)
	}
	if verdicts[0] != sdk.Accepted || verdicts[1] != sdk.Superseded {
		t.Errorf("got %v, want accepted and superseded", verdicts)
	}
}

// K6.
func TestNoRowIsLostSilentlyWhenTheStoreIsAway(t *testing.T) {
	s, err := startStore(rides)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, s.url)
	w, err := sdk.NewWriter[trip](c, sdk.View("driver_stats"), sdk.WriterConfig{
		MaxBatchRows: 5, DrainTimeout: 50 * time.Millisecond, Retry: sdk.Retry{Tries: 1000, Backoff: time.Millisecond, MaxBackoff: time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := within(t, time.Minute)
	running, stop := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() { ran <- w.Run(running) }()
	first, err := w.Push(ctx, trip{ID: 1, Trips: sdk.Increment[int64](1)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	var futures []*sdk.Future
	for i := range 100 {
		f, err := w.Push(ctx, trip{ID: int64(i), Trips: sdk.Increment[int64](1)})
		if err != nil {
			t.Fatal(err)
		}
		futures = append(futures, f)
	}
	stop()
	err = <-ran
	if !errors.Is(err, sdk.ErrNotSent) || !strings.Contains(err.Error(), "100 rows") {
		t.Errorf("got %v, want %v of 100 rows", err, sdk.ErrNotSent)
	}
	for i, f := range futures {
		r, err := f.Wait(ctx)
		if r.Verdict != sdk.Refused && r.Verdict != sdk.Unknown || err == nil {
			t.Fatalf("row %d: got %v, %v; want an error that says what became of it", i, r.Verdict, err)
		}
	}
}

func TestCloseOfAWriterThatNeverRanSaysSo(t *testing.T) {
	c := newClient(t, newStore(t).url)
	w, err := sdk.NewWriter[trip](c, sdk.View("driver_stats"), sdk.WriterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := within(t, time.Minute)
	f, err := w.Push(ctx, trip{ID: 1})
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if err := w.Close(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	if r, err := f.Wait(ctx); r.Verdict != sdk.Refused || !errors.Is(err, sdk.ErrNotSent) {
		t.Errorf("got %v, %v; want refused, %v", r.Verdict, err, sdk.ErrNotSent)
	}
	if err := w.Run(ctx); err == nil {
		t.Error("a closed writer runs")
	}
}

func TestRequestsSayTheirDeadlineAndTraceAndShareConnections(t *testing.T) {
	s := newStore(t)
	r := newRelay(t, s.url, never)
	c := newClient(t, r.url)
	ctx := within(t, time.Minute)
	for range 50 {
		if _, err := sdk.Lookup[driver](traced(ctx), c, sdk.Service("driver_v1"), sdk.Keys(driver{ID: 1})); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.accepted.Load(); n != 1 {
		t.Errorf("50 lookups, one after the other, took %d connections, want 1", n)
	}
	for _, want := range []string{"Traceparent: 00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01\r\n", api.HeaderTimeout + ": 4.9"} {
		if !strings.Contains(r.sent(), want) {
			t.Errorf("no request has the header %q", strings.TrimSpace(want))
		}
	}
}

func TestAnotherStoreIsAskedWhenOneIsAway(t *testing.T) {
	s := newStore(t)
	gone, err := startStore(rides)
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.stop(); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, gone.url, func(cfg *sdk.Config) { cfg.URLs = append(cfg.URLs, s.url) })
	if _, err := sdk.Push(t.Context(), c, sdk.View("driver_stats"), trip{ID: 1, Trips: sdk.Increment[int64](2)}); err != nil {
		t.Fatal(err)
	}
	if got := totals(t, c, 2)[1]; got != 2 {
		t.Errorf("got %d trips, want 2", got)
	}
	alone := newClient(t, gone.url, func(cfg *sdk.Config) { cfg.Retry.Tries = 2 })
	_, err = alone.Views(t.Context())
	var e *sdk.Error
	if !errors.Is(err, sdk.ErrUnreachable) || !errors.As(err, &e) || e.Tries != 2 || e.OutcomeUnknown {
		t.Errorf("got %v, want %v after 2 tries", err, sdk.ErrUnreachable)
	}
}

// K3.
func TestAWriteWithoutAnswerSaysThatItMayBeStored(t *testing.T) {
	s := newStore(t)
	var connections atomic.Int64
	r := newRelay(t, s.url, func() int { // the definitions are read over the first connection
		if connections.Add(1) == 1 {
			return 0
		}
		return 1
	})
	c := newClient(t, r.url, func(cfg *sdk.Config) { cfg.Retry.Tries = 2 })
	if _, err := sdk.Lookup[trip](t.Context(), c, sdk.Features(), sdk.Keys(trip{})); err != nil {
		t.Fatal(err)
	}
	c.Close() // the next request needs a new connection
	to := sdk.View("driver_stats")
	to.IdempotencyKey = "the-same"
	row := trip{ID: 1, Trips: sdk.Increment[int64](1)}
	_, err := sdk.Push(t.Context(), c, to, row)
	var e *sdk.Error
	if !errors.Is(err, sdk.ErrOutcomeUnknown) || !errors.As(err, &e) || e.IdempotencyKey != "the-same" {
		t.Fatalf("got %v, want %v", err, sdk.ErrOutcomeUnknown)
	}
	direct := newClient(t, s.url)
	again, err := sdk.Push(t.Context(), direct, to, row)
	if err != nil || !again.Repeated {
		t.Errorf("pushed again under its key: got %+v, %v; want it repeated", again, err)
	}
	if got := totals(t, direct, 2)[1]; got != 1 {
		t.Errorf("got %d trips, want 1", got)
	}
}
