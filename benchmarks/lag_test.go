package benchmarks

import (
	"context"
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"featurestore/online"
	"featurestore/relay"
)

// lagTime is how long rows are written for each round of BenchmarkLag.
var lagTime = flag.Duration("lag.time", 3*time.Second, "how long BenchmarkLag writes in a round")

var lagRows = flag.Int("lag.rows", 10_000, "rows a second that BenchmarkLag writes")

// BenchmarkLag writes rows at a steady rate in one of three regions, and
// measures for each write how long its commit took and how much later another
// region's readers see it: by its published progress. The commit is the
// baseline.
func BenchmarkLag(b *testing.B) {
	rowsPerSecond := *lagRows
	for _, delay := range []time.Duration{0, 40 * time.Millisecond} {
		b.Run("delay="+delay.String(), func(b *testing.B) {
			c := startCluster(b, delay > 0, "ap", "eu", "us")
			for _, from := range c.names {
				for _, to := range c.names {
					if from == to || delay == 0 {
						continue
					}
					if err := c.links.Set(from, to, relay.Link{Delay: delay}); err != nil {
						b.Fatal(err)
					}
				}
			}
			view := c.view(b)
			from, to := c.stores[1], c.stores[2]
			var commits, lags []int64
			for b.Loop() {
				commit, lag := steadily(b, rowsPerSecond, *lagTime, from, to, func(rows int) online.Write {
					id := rand.IntN(100_000)
					return online.Write{Changes: changes(b, view, id, id+rows)}
				})
				commits, lags = append(commits, commit...), append(lags, lag...)
			}
			commit50, commit99 := percentiles(commits)
			lag50, lag99 := percentiles(lags)
			b.ReportMetric(0, "ns/op") // a round; says nothing
			b.ReportMetric(float64(commit50)/1e6, "commit-p50-ms")
			b.ReportMetric(float64(commit99)/1e6, "commit-p99-ms")
			b.ReportMetric(float64(lag50)/1e6, "lag-p50-ms")
			b.ReportMetric(float64(lag99)/1e6, "lag-p99-ms")
			b.ReportMetric(float64(lag50)/float64(commit50), "lag/commit-p50")
			b.ReportMetric(float64(len(commits))/lagTime.Seconds()/float64(b.N), "writes/s")
		})
	}
}

// steadily writes at one store, in an open loop, a write of some rows at a time,
// and returns how long each commit took, and how long after it the write was
// published at another.
func steadily(b *testing.B, rowsPerSecond int, howLong time.Duration, from, to *member, write func(rows int) online.Write) (commits, lags []int64) {
	b.Helper()
	const rows = 10
	every := time.Second * rows / time.Duration(rowsPerSecond)
	var mu sync.Mutex
	var under sync.WaitGroup
	ctx, cancel := context.WithTimeout(b.Context(), howLong+30*time.Second)
	defer cancel()
	begun := time.Now()
	next := time.NewTimer(0)
	<-next.C
	for i := 0; ; i++ {
		due := time.Duration(i) * every
		if due > howLong {
			break
		}
		if early := due - time.Since(begun); early > 0 {
			next.Reset(early)
			<-next.C
		}
		w := write(rows)
		under.Go(func() {
			start := time.Now()
			p, err := from.write(ctx, w)
			committed := time.Now()
			if err == nil {
				err = to.store.Wait(ctx, p.Shard, vectorOf(p))
			}
			if err != nil {
				b.Error(err)
				return
			}
			seen := time.Now()
			mu.Lock()
			defer mu.Unlock()
			commits = append(commits, int64(committed.Sub(start)))
			lags = append(lags, int64(seen.Sub(committed)))
		})
	}
	under.Wait()
	return commits, lags
}
