package benchmarks

import (
	"sync"
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/online"
)

// BenchmarkStream brings what one region has written to another that was out of
// reach meanwhile: from log to rows, through the streams between stores. The
// baseline is the committing of the same rows in the first; the two take turns,
// a part of the rows each.
func BenchmarkStream(b *testing.B) {
	const rows, batch, writers = 100_000, 100, 16
	c := startCluster(b, false, "eu", "us")
	eu, us := c.stores[0], c.stores[1]
	view := c.view(b)
	var committed, applied time.Duration
	written := 0
	for b.Loop() {
		us.disconnect()
		took, last := commit(b, eu, view, written%500_000, rows, batch, writers)
		committed += took
		written += rows
		start := time.Now()
		c.connect(b, us)
		if err := us.store.Wait(b.Context(), last.Shard, vectorOf(last)); err != nil {
			b.Fatal(err)
		}
		applied += time.Since(start)
	}
	rate := func(took time.Duration) float64 { return float64(written) / took.Seconds() }
	b.ReportMetric(0, "ns/op") // a round of turns; says nothing
	b.ReportMetric(rate(committed), "committed-rows/s")
	b.ReportMetric(rate(applied), "applied-rows/s")
	b.ReportMetric(rate(applied)/rate(committed), "of-committed")
}

// commit writes so many drivers, a batch at a time, and returns how long that
// took and where the last of them went.
func commit(b *testing.B, m *member, view *feature.ResolvedView, first, rows, batch, writers int) (took time.Duration, last online.ShardPosition) {
	b.Helper()
	work := make(chan online.Write, rows/batch)
	for from := first; from < first+rows; from += batch {
		work <- online.Write{Changes: changes(b, view, from, from+batch)}
	}
	close(work)
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := time.Now()
	for range writers {
		wg.Go(func() {
			for w := range work {
				p, err := m.write(b.Context(), w)
				if err != nil {
					b.Error(err)
					return
				}
				mu.Lock()
				if p.Position.At > last.Position.At {
					last = p
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return time.Since(start), last
}
