package benchmarks

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/online"
)

// BenchmarkAppend writes one row of ten features a write, synced. The baseline
// is what a writer does without a committer: one synced Badger transaction a
// write, which reads the row and sets row, log entry and progress.
func BenchmarkAppend(b *testing.B) {
	const keys = 100_000
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers=%d/commit=group", writers), func(b *testing.B) {
			store, view, closeStore := openStore(b, b.TempDir())
			defer closeStore()
			write(b, writers, func(ctx context.Context) error {
				id := rand.IntN(keys)
				_, err := store.Append(ctx, online.Write{Changes: changes(b, view, id, id+1)})
				return err
			})
		})
		b.Run(fmt.Sprintf("writers=%d/commit=each", writers), func(b *testing.B) {
			db, err := badger.Open(badger.DefaultOptions(b.TempDir()).WithSyncWrites(true).WithDetectConflicts(false).WithLogger(nil))
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			row := make([]byte, 145)
			write(b, writers, func(context.Context) error {
				key := binary.BigEndian.AppendUint64([]byte("row"), uint64(rand.IntN(keys)))
				return db.Update(func(txn *badger.Txn) error {
					if _, err := txn.Get(key); err != nil && !errors.Is(err, badger.ErrKeyNotFound) {
						return err
					}
					return errors.Join(
						txn.Set(key, row),
						txn.Set(append([]byte("log"), key...), row),
						txn.Set([]byte("progress"), key))
				})
			})
		})
	}
}

// write runs op b.N times by so many writers.
func write(b *testing.B, writers int, op func(context.Context) error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := op(b.Context()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}

// openStore opens a store, runs it and applies the bench project.
func openStore(b *testing.B, dir string) (store *online.Store, view *feature.ResolvedView, closeStore func()) {
	b.Helper()
	store, err := online.Open(online.Config{Dir: dir, Region: "eu", Store: "eu-1"})
	if err != nil {
		b.Fatal(err)
	}
	stop := run(b, store.Run)
	definitions, err := definition.Parse("bench.yaml", bytes.NewReader([]byte(benchDefinitions)))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := store.Apply(b.Context(), definitions, nil); err != nil {
		b.Fatal(err)
	}
	catalog, _ := store.Registry().Catalog("bench")
	view, _ = catalog.View("driver_stats")
	return store, view, func() {
		stop()
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkOpen opens a store that holds a million rows, beside one that holds
// a thousand: opening reads no rows.
func BenchmarkOpen(b *testing.B) {
	for _, rows := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			dir := b.TempDir()
			fill(b, dir, rows)
			for b.Loop() {
				store, err := online.Open(online.Config{Dir: dir, Region: "eu", Store: "eu-1"})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := store.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}
