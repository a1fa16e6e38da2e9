package benchmarks

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/meta"
	"featurestore/online"
)

// BenchmarkConcern writes one row a write by 64 writers at one of three regions,
// and waits for a concern. The baseline is local, which waits for nobody; they
// take turns.
func BenchmarkConcern(b *testing.B) {
	const writers, keys = 64, 100_000
	c := startCluster(b, false, "ap", "eu", "us")
	at, view := c.stores[1], c.view(b)
	coordinator, err := consistency.NewCoordinator(consistency.Config{
		Store: consistency.OwnStore{Log: at.store}, Peers: at.node, Self: meta.Member{Store: "eu-1", Region: "eu", Origin: at.store.Identity().Origin},
		Group: at.store.Registry().Group, Now: func() int64 { return time.Now().UnixNano() },
	})
	if err != nil {
		b.Fatal(err)
	}
	with := func(kind consistency.ConcernKind) func(context.Context) error {
		return func(ctx context.Context) error {
			id := rand.IntN(keys)
			w := online.Write{Changes: changes(b, view, id, id+1)}
			asked := consistency.Write{Concern: consistency.Concern{Kind: kind}, Timeout: 30 * time.Second}
			if err := coordinator.AdmitWrite(ctx, &asked, []consistency.Target{{Shard: w.Changes[0].Shard}}); err != nil {
				return err
			}
			p, err := at.write(ctx, w)
			if err != nil {
				return err
			}
			got, err := coordinator.Acknowledge(ctx, &asked, []consistency.ShardPosition{{Shard: p.Shard, Position: p.Position}})
			if err == nil && !got.Met {
				err = consistency.ErrConcernTimeout
			}
			return err
		}
	}
	kinds := []consistency.ConcernKind{consistency.Local, consistency.MemberQuorum, consistency.All}
	var writes [3]int
	var took [3]time.Duration
	for _, kind := range kinds { // warm
		write(b, writers, 10*writers, with(kind))
	}
	for b.Loop() {
		for i, kind := range kinds {
			writes[i] += 50 * writers
			took[i] += write(b, writers, 50*writers, with(kind))
			// What one turn leaves for the others to catch up with is not the next one's.
			write(b, 1, 1, with(consistency.All))
		}
	}
	rate := func(i int) float64 { return float64(writes[i]) / took[i].Seconds() }
	b.ReportMetric(0, "ns/op") // a round of turns; says nothing
	for i, kind := range kinds {
		b.ReportMetric(rate(i), (consistency.Concern{Kind: kind}).String()+"-writes/s")
	}
	b.ReportMetric(rate(1)/rate(0), "quorum-of-local")
	b.ReportMetric(rate(2)/rate(0), "all-of-local")
}

// BenchmarkQuorumRead looks one driver up in one of three regions on loopback at
// level quorum, beside session and eventual: one after the other by one client,
// for how long a read takes, and by many.
func BenchmarkQuorumRead(b *testing.B) {
	const rows = 100_000
	regions := startRegions(b)
	token := ""
	for from := 0; from < rows; from += 1000 {
		token = push(b, regions[0], token, from, from+1000)
	}
	for _, r := range regions {
		covered(b, r, token)
	}
	order := loadOrder{Kind: "http", Address: regions[1].Addr().String(), Path: "/v1/projects/bench/lookup", Keys: rows}
	at := func(level string, connections, entities int) loadOrder {
		o := order
		o.Connections, o.Entities, o.Headers = connections, entities, api.HeaderConsistency+": "+level+"\r\n"
		return o
	}
	levels := []string{"quorum", "session", "eventual"}
	for _, entities := range []int{1, 10} {
		b.Run(fmt.Sprintf("alone/entities=%d", entities), func(b *testing.B) {
			p50, p99 := map[string][]time.Duration{}, map[string][]time.Duration{}
			for b.Loop() {
				for _, level := range levels {
					o := at(level, 1, entities)
					o.Requests = 1000
					r := load(b, o)
					p50[level], p99[level] = append(p50[level], r.P50), append(p99[level], r.P99)
				}
			}
			b.ReportMetric(0, "ns/op") // a round of turns; says nothing
			middle := func(all []time.Duration) float64 {
				slices.Sort(all)
				return float64(all[len(all)/2].Microseconds())
			}
			for _, level := range levels {
				b.ReportMetric(middle(p50[level]), level+"-p50-µs")
				b.ReportMetric(middle(p99[level]), level+"-p99-µs")
			}
		})
		b.Run(fmt.Sprintf("entities=%d", entities), func(b *testing.B) {
			var sides []side
			for _, level := range levels {
				sides = append(sides, side{level, at(level, lookupConnections, entities)})
			}
			compare(b, 4000, sides)
		})
	}
}
