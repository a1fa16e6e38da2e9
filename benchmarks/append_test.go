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
	"time"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/online"
)

// BenchmarkAppend writes one row of ten features a write, synced. The baseline
// is what a writer does without a committer: one synced Badger transaction a
// write, which reads the row and sets row, log entry and progress. They take
// turns, for a disk that others use is slow at times.
func BenchmarkAppend(b *testing.B) {
	const keys = 100_000
	for _, writers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			store, view, closeStore := openStore(b, b.TempDir())
			defer closeStore()
			db, err := badger.Open(badger.DefaultOptions(b.TempDir()).WithSyncWrites(true).WithDetectConflicts(false).WithLogger(nil))
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			group := func(ctx context.Context) error {
				id := rand.IntN(keys)
				_, err := store.Append(ctx, online.Write{Changes: changes(b, view, id, id+1)})
				return err
			}
			var groupWrites, eachWrites int
			var groupTook, eachTook time.Duration
			for b.Loop() {
				groupWrites += 100 * writers
				groupTook += write(b, writers, 100*writers, group)
				eachWrites += 20 * writers
				eachTook += write(b, writers, 20*writers, func(context.Context) error { return writeEach(db, rand.IntN(keys)) })
			}
			rate := func(writes int, took time.Duration) float64 { return float64(writes) / took.Seconds() }
			b.ReportMetric(0, "ns/op") // a round of turns; says nothing
			b.ReportMetric(rate(groupWrites, groupTook), "group-writes/s")
			b.ReportMetric(rate(eachWrites, eachTook), "each-writes/s")
			b.ReportMetric(rate(groupWrites, groupTook)/rate(eachWrites, eachTook), "times-each")
		})
	}
}

// writeEach is one write without a committer.
func writeEach(db *badger.DB, id int) error {
	key := binary.BigEndian.AppendUint64([]byte("row"), uint64(id))
	row := make([]byte, 145)
	return db.Update(func(txn *badger.Txn) error {
		if _, err := txn.Get(key); err != nil && !errors.Is(err, badger.ErrKeyNotFound) {
			return err
		}
		return errors.Join(
			txn.Set(key, row),
			txn.Set(append([]byte("log"), key...), row),
			txn.Set([]byte("progress"), key))
	})
}

// write runs op so many times by so many writers and returns how long that took.
func write(b *testing.B, writers, times int, op func(context.Context) error) time.Duration {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(times))
	start := time.Now()
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
	return time.Since(start)
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
