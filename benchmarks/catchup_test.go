package benchmarks

import (
	"context"
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/online"
	"featurestore/relay"
)

// What the default run does is small; RESULTS.md has the full size.
var (
	cutTime       = flag.Duration("catchup.cut", 3*time.Second, "how long BenchmarkCatchUp cuts a region off")
	bootstrapRows = flag.Int("bootstrap.rows", 50_000, "rows that BenchmarkBootstrap copies into a new region")
)

// BenchmarkCatchUp writes 5,000 rows a second in one region, cuts another off,
// and measures how fast it takes in what it missed once the cut has healed, while
// writing goes on. The baseline is the rate at which rows arrive. Lookups go on
// in the region that catches up: their p99 then stands beside that from before.
func BenchmarkCatchUp(b *testing.B) {
	const rowsPerSecond, rows = 5_000, 100
	for b.Loop() {
		c := startCluster(b, true, "ap", "eu", "us")
		view, from, to := c.view(b), c.stores[1], c.stores[2]
		keys := 100_000
		_, last := commit(b, from, view, 0, keys, 1000, 4)
		wait(b, to, last)

		ctx, stop := context.WithCancel(b.Context())
		var mu sync.Mutex
		written := 0
		var writing sync.WaitGroup
		writing.Go(func() {
			pace(ctx, time.Second*rows/rowsPerSecond, func() {
				id := rand.IntN(keys - rows)
				p, err := from.write(b.Context(), online.Write{Changes: changes(b, view, id, id+rows)})
				if err != nil {
					b.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				last, written = p, written+rows
			})
		})
		before := lookUpWhile(b, to, view, keys, func() { rest(b, time.Second) })
		cut := func(cut bool) {
			for _, way := range [][2]string{{"eu", "us"}, {"us", "eu"}, {"ap", "us"}, {"us", "ap"}} {
				if err := c.links.Set(way[0], way[1], relay.Link{Cut: cut}); err != nil {
					b.Fatal(err)
				}
			}
		}
		mu.Lock()
		begun := written
		mu.Unlock()
		cut(true)
		rest(b, *cutTime)
		cut(false)
		mu.Lock()
		missed, upTo := written-begun, last
		mu.Unlock()
		start := time.Now()
		during := lookUpWhile(b, to, view, keys, func() { wait(b, to, upTo) })
		took := time.Since(start)
		stop()
		writing.Wait()
		b.ReportMetric(float64(missed)/took.Seconds(), "caught-up-rows/s")
		b.ReportMetric(float64(missed)/took.Seconds()/rowsPerSecond, "times-arrival")
		b.ReportMetric(float64(missed), "rows-missed")
		report(b, before, during)
	}
	b.ReportMetric(0, "ns/op") // a round; says nothing
}

// BenchmarkBootstrap starts a store in a new region and measures how fast it
// copies what the two others have, while lookups go on in the one it copies
// from.
func BenchmarkBootstrap(b *testing.B) {
	for b.Loop() {
		c := prepareCluster(b, false, "ap", "eu", "us")
		ap := c.start(b, "ap")
		c.apply(b)
		view := c.view(b)
		committed, last := commit(b, ap, view, 0, *bootstrapRows, 1000, 4)
		before := lookUpWhile(b, ap, view, *bootstrapRows, func() { rest(b, time.Second) })
		start := time.Now()
		during := lookUpWhile(b, ap, view, *bootstrapRows, func() {
			wait(b, c.start(b, "us"), last)
		})
		took := time.Since(start)
		b.ReportMetric(float64(*bootstrapRows)/took.Seconds(), "copied-rows/s")
		b.ReportMetric(float64(*bootstrapRows)/committed.Seconds(), "committed-rows/s")
		report(b, before, during)
	}
	b.ReportMetric(0, "ns/op") // a round; says nothing
}

func report(b *testing.B, before, during []int64) {
	before50, before99 := percentiles(before)
	during50, during99 := percentiles(during)
	b.ReportMetric(float64(before50)/1e3, "lookup-p50-µs-before")
	b.ReportMetric(float64(before99)/1e3, "lookup-p99-µs-before")
	b.ReportMetric(float64(during50)/1e3, "lookup-p50-µs-during")
	b.ReportMetric(float64(during99)/1e3, "lookup-p99-µs-during")
}

// lookUpWhile reads ten drivers of a store 500 times a second while work works,
// and returns how long each took.
func lookUpWhile(b *testing.B, m *member, view *feature.ResolvedView, keys int, work func()) (took []int64) {
	b.Helper()
	ctx, stop := context.WithCancel(b.Context())
	var reading sync.WaitGroup
	reading.Go(func() {
		var batch online.Batch
		pace(ctx, 2*time.Millisecond, func() {
			batch.Reset()
			for range 10 {
				key := keyOf(b, rand.IntN(keys))
				batch.Add(view.Shard(key), view.ID, key)
			}
			start := time.Now()
			if err := m.store.Read(b.Context(), &batch); err != nil {
				b.Error(err)
			}
			took = append(took, int64(time.Since(start)))
		})
	})
	work()
	stop()
	reading.Wait()
	return took
}

// pace calls f so often until ctx ends; a call that is late is made at once.
func pace(ctx context.Context, every time.Duration, f func()) {
	begun := time.Now()
	next := time.NewTimer(every)
	for i := 1; ; i++ {
		next.Reset(time.Until(begun.Add(time.Duration(i) * every)))
		select {
		case <-next.C:
		case <-ctx.Done():
			return
		}
		f()
	}
}

// rest lets time pass.
func rest(b *testing.B, d time.Duration) {
	b.Helper()
	select {
	case <-time.After(d):
	case <-b.Context().Done():
		b.Fatal(b.Context().Err())
	}
}

func wait(b *testing.B, m *member, p online.ShardPosition) {
	b.Helper()
	if err := m.store.Wait(b.Context(), p.Shard, vectorOf(p)); err != nil {
		b.Fatal(err)
	}
}

func keyOf(b *testing.B, id int) feature.Key {
	key, err := feature.AppendKeyValue(nil, feature.OfInt64(int64(id)))
	if err != nil {
		b.Fatal(err)
	}
	return key
}
