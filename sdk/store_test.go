package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"featurestore/feature/definition"
	"featurestore/replica"
	"featurestore/sdk"
	"featurestore/server"

	"go.uber.org/goleak"
)

// TestMain holds K9.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rides are the definitions that tests and examples use.
const rides = `
project: rides
entities:
  - {name: driver, join_keys: [{name: driver_id, type: int64}]}
  - {name: driver_city, join_keys: [{name: driver_id, type: int64}, {name: city, type: string}]}
views:
  - name: driver_stats
    entity: driver
    ttl: 24h
    push_source: driver_push
    features:
      - {name: conv_rate, type: float32}
      - {name: rating, type: float64}
      - {name: trips, type: int64, conflict: counter}
      - {name: tags, type: "list<string>"}
      - {name: areas, type: "list<string>", conflict: set}
  - name: driver_city_stats
    entity: driver_city
    features:
      - {name: tips, type: float64}
  - name: everything
    entity: driver
    features:
      - {name: bool, type: bool}
      - {name: int32, type: int32}
      - {name: int64, type: int64}
      - {name: float32, type: float32}
      - {name: float64, type: float64}
      - {name: string, type: string}
      - {name: bytes, type: bytes}
      - {name: time, type: timestamp}
      - {name: uuid, type: uuid}
      - {name: decimal, type: decimal}
      - {name: json, type: json}
      - {name: times, type: "list<timestamp>"}
      - {name: blobs, type: "list<bytes>"}
      - {name: vector, type: "vector<float32,3>"}
services:
  - {name: driver_v1, features: ["driver_stats:conv_rate", "driver_stats:trips", "driver_stats:tags"]}
`

// A store is a real one: Badger in a temporary folder, REST on loopback.
type store struct {
	url  string
	stop func() error
}

// startStore runs a store of region eu with the definitions until stop is called.
func startStore(definitions string, limits ...server.Limits) (*store, error) {
	return startStoreIn("eu", definitions, limits...)
}

// startStoreIn runs the store of a region.
func startStoreIn(region, definitions string, limits ...server.Limits) (*store, error) {
	dir, err := os.MkdirTemp("", "sdk-test-")
	if err != nil {
		return nil, err
	}
	d, err := definition.Parse("rides.yaml", strings.NewReader(definitions))
	if err != nil {
		return nil, err
	}
	cfg := replica.Config{Region: region, Store: region + "-1", Data: dir, Listen: "127.0.0.1:0"}
	if len(limits) > 0 {
		cfg.Limits = limits[0]
	}
	r, err := replica.New(cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- r.Run(ctx) }()
	s := &store{url: r.URL()}
	s.stop = func() error {
		cancel()
		return errors.Join(<-ran, os.RemoveAll(dir))
	}
	select {
	case <-r.Ready():
	case err := <-ran:
		cancel()
		return nil, fmt.Errorf("store ended: %w", err)
	}
	if _, err := r.Apply(ctx, d); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// newStore runs a store for one test.
func newStore(tb testing.TB, limits ...server.Limits) *store {
	tb.Helper()
	return newStoreIn(tb, "eu", limits...)
}

// newStoreIn runs the store of a region for one test, which may stop it before.
func newStoreIn(tb testing.TB, region string, limits ...server.Limits) *store {
	tb.Helper()
	s, err := startStoreIn(region, rides, limits...)
	if err != nil {
		tb.Fatal(err)
	}
	s.stop = sync.OnceValue(s.stop)
	tb.Cleanup(func() {
		if err := s.stop(); err != nil {
			tb.Errorf("stop the store: %v", err)
		}
	})
	return s
}

// newClient makes a client of the stores at urls; changes adjust its Config.
func newClient(tb testing.TB, url string, changes ...func(*sdk.Config)) *sdk.Client {
	tb.Helper()
	cfg := sdk.Config{URLs: []string{url}, Project: "rides"}
	for _, change := range changes {
		change(&cfg)
	}
	c, err := sdk.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// newWriter makes a writer and runs it until the test ends.
func newWriter[T any](tb testing.TB, c *sdk.Client, to sdk.Target, cfg sdk.WriterConfig) *sdk.Writer[T] {
	tb.Helper()
	w, err := sdk.NewWriter[T](c, to, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(tb.Context())
	ran := make(chan error, 1)
	go func() { ran <- w.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			tb.Errorf("run the writer: %v", err)
		}
	})
	return w
}

// within bounds a test that would otherwise wait for ever.
func within(tb testing.TB, d time.Duration) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), d)
	tb.Cleanup(cancel)
	return ctx
}
