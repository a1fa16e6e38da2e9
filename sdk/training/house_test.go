package training_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"featurestore/feature/definition"
	"featurestore/replica"
	"featurestore/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const rides = `
project: rides
entities: [{name: driver, join_keys: [{name: driver_id, type: int64}]}]
views:
  - name: driver_stats
    entity: driver
    max_lateness: 87600h
    features: [{name: rate, type: float64}, {name: trips, type: int64, conflict: counter}, {name: taste, type: "vector<float32,2>"}]
services: [{name: driver_v1, features: ["driver_stats:rate", "driver_stats:trips"]}]
`

// startStore runs a real store that keeps history, until stop is called.
func startStore(edit ...func(*replica.Config)) (url string, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "training-test-")
	if err != nil {
		return "", nil, err
	}
	d, err := definition.Parse("rides.yaml", strings.NewReader(rides))
	if err != nil {
		return "", nil, err
	}
	c := replica.Config{Region: "eu", Store: "eu-1", Data: dir, Listen: "127.0.0.1:0", History: true, HistoryEvery: time.Hour}
	for _, e := range edit {
		e(&c)
	}
	r, err := replica.New(c)
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- r.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return errors.Join(<-ran, os.RemoveAll(dir))
	})
	select {
	case <-r.Ready():
	case err := <-ran:
		ran <- nil
		return "", nil, fmt.Errorf("store ended: %w", errors.Join(err, stop()))
	}
	if _, err := r.Apply(ctx, d); err != nil {
		return "", nil, errors.Join(err, stop())
	}
	return r.URL(), stop, nil
}

// newClient is a client of stores, the first of which runs for this test.
func newClient(t testing.TB, url ...string) *sdk.Client {
	t.Helper()
	c, err := sdk.New(sdk.Config{URLs: url, Project: "rides", Retry: sdk.Retry{Backoff: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func newStore(t testing.TB, edit ...func(*replica.Config)) string {
	t.Helper()
	url, stop, err := startStore(edit...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return url
}

// Driver is what is pushed.
type Driver struct {
	ID    int64              `key:"driver_id"`
	Rate  float64            `feature:"driver_stats:rate"`
	Trips sdk.Counter[int64] `feature:"driver_stats:trips"`
	At    time.Time          `feature:"@event_time"`
}

var noon = time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC)

// push writes some drivers, in the session of ctx.
func push(t testing.TB, ctx context.Context, c *sdk.Client, drivers int) {
	t.Helper()
	var rows []Driver
	for i := range drivers {
		rows = append(rows, Driver{ID: int64(i), Rate: float64(i) / 4, Trips: sdk.Increment(int64(i + 1)), At: noon})
	}
	if _, err := sdk.Push(ctx, c, sdk.View("driver_stats"), rows...); err != nil {
		t.Fatal(err)
	}
}

// Line is an entity row.
type Line struct {
	Driver *int64    `key:"driver_id"`
	At     time.Time `feature:"@event_time"`
	Label  string    `column:"label"`
	Weight []float32 `column:"weight"`
}
