package training

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/offline/history"
)

// BenchmarkCompare is one entity's states, a row: by event time and as served alone, and
// compared with causes; of an entity that was followed with some lag, and of one that was
// loaded at once, long after.
func BenchmarkCompare(b *testing.B) {
	fields := comparedFields[:2]
	for _, rows := range []int{100, 10_000} {
		for _, loaded := range []bool{false, true} {
			random := rand.New(rand.NewPCG(1, 1))
			var all []history.Row
			var total int64
			at := map[hlc.Position]int64{}
			for i := range rows {
				event := int64(i) * 1000
				accepted := event + random.Int64N(50)
				if loaded {
					accepted = int64(rows)*1000 + int64(i)
				}
				total++
				v := feature.Version{EventTime: event * 1e6, At: hlc.New(accepted, uint16(i)), Origin: 1}
				all = append(all, history.Row{Key: feature.Key("k"), Log: v.Position(), Version: v, Delta: feature.Row{Cells: []feature.Cell{
					{Feature: rate, Kind: feature.Float64, Version: v, Value: feature.OfFloat64(random.Float64())},
					{Feature: trips, Rule: feature.Counter, Kind: feature.Int64, Version: v, Totals: []feature.Total{{Origin: 1, At: v.At, Sum: feature.OfInt64(total)}}},
				}}})
				at[v.Position()] = (accepted + random.Int64N(2000)) * 1e6
			}
			readable := func(p hlc.Position) (int64, bool) { return at[p], true }
			each := func(name string, do func() int) {
				b.Run(fmt.Sprintf("rows=%d/loaded=%t/states=%s", rows, loaded, name), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if do() == 0 {
							b.Fatal("no state")
						}
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
				})
			}
			each("event", func() (n int) {
				for range byEvent(all) {
					n++
				}
				return n
			})
			each("served", func() (n int) {
				for range asServed(all, readable) {
					n++
				}
				return n
			})
			each("compared", func() (n int) {
				for c := range compare(all, readable) {
					for _, f := range fields {
						_ = c.cause(f)
					}
					n++
				}
				return n
			})
		}
	}
}
