package sdk_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"featurestore/sdk"
)

// BenchmarkWriter pushes rows from 8 goroutines through one Writer, beside the
// same rows pushed one a request, over loopback to a store that syncs.
func BenchmarkWriter(b *testing.B) {
	c := newClient(b, newStore(b).url)
	var next atomic.Int64
	row := func() trip {
		return trip{ID: next.Add(1) % 100_000, Trips: sdk.Increment[int64](1)}
	}
	b.Run("rows=batched", func(b *testing.B) {
		w := newWriter[trip](b, c, sdk.View("driver_stats"), sdk.WriterConfig{MaxDelay: time.Millisecond})
		b.ReportAllocs()
		b.SetParallelism(4)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if _, err := w.Push(b.Context(), row()); err != nil {
					b.Error(err)
					return
				}
			}
		})
		if err := w.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("rows=single", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(4)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if _, err := sdk.Push(b.Context(), c, sdk.View("driver_stats"), row()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

// BenchmarkLookup looks entities up over loopback, one caller.
func BenchmarkLookup(b *testing.B) {
	c := newClient(b, newStore(b).url)
	var rows []driver
	for id := range int64(1000) {
		rows = append(rows, driver{ID: id, ConvRate: sdk.Some[float32](0.5), Trips: sdk.Increment[int64](1), Tags: []string{"night"}})
	}
	if _, err := sdk.Push(b.Context(), c, sdk.View("driver_stats"), rows...); err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("entities=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := sdk.Lookup[driver](b.Context(), c, sdk.Service("driver_v1"), sdk.Keys(rows[:n]...)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
