package history

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/online"
)

// benchDefinitions have one view of ten float64 features.
func benchDefinitions() feature.Definitions {
	v := feature.View{Name: "stats", Entities: []string{"driver"}, Online: true, Offline: true}
	for i := range 10 {
		v.Fields = append(v.Fields, feature.Field{Name: "f" + strconv.Itoa(i), Type: feature.ScalarOf(feature.Float64)})
	}
	return feature.Definitions{
		Project:  "rides",
		Entities: []feature.Entity{{Name: "driver", JoinKeys: []feature.JoinKey{{Name: "driver_id", Type: feature.ScalarOf(feature.Int64)}}}},
		Views:    []feature.View{v},
	}
}

// fill writes rows of ten features in batches of 500, over days.
func (h *storeHouse) fill(b *testing.B, rows, days int) {
	b.Helper()
	if _, err := h.Apply(context.Background(), benchDefinitions(), nil); err != nil {
		b.Fatal(err)
	}
	v := view(b, h.Registry(), "stats")
	random := rand.New(rand.NewPCG(1, 1))
	for from := 0; from < rows; from += 500 {
		var w online.Write
		for i := from; i < min(from+500, rows); i++ {
			key, err := feature.AppendKeyValue(nil, feature.OfInt64(int64(random.IntN(100_000))))
			if err != nil {
				b.Fatal(err)
			}
			c := feature.Change{View: v.ID, Key: key, EventTime: int64(i) * (int64(days) * int64(24*time.Hour) / int64(rows))}
			for _, f := range v.Fields {
				c.Assignments = append(c.Assignments, feature.Assignment{Feature: f.ID, Type: f.Type, Value: feature.OfFloat64(random.Float64())})
			}
			w.Changes = append(w.Changes, online.Placed{Change: c, Shard: v.Shard(key)})
		}
		if _, err := h.Append(context.Background(), w); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIngest reads a log of rows with ten random float64 features, whose
// plain bytes are 80 a row, into a fresh history on disk.
func BenchmarkIngest(b *testing.B) {
	const rows = 200_000
	for _, days := range []int{1, 90} {
		s := openStore(b, "eu-1")
		s.fill(b, rows, days)
		for _, maxBytes := range []int64{8 << 20, DefaultMaxBytes} {
			b.Run(fmt.Sprintf("rows=%d/days=%d/max_bytes=%d", rows, days, maxBytes), func(b *testing.B) {
				sizeBytes, files := int64(0), 0
				for b.Loop() {
					h := open(b, NewDisk(b.TempDir()))
					in := ingester(b, s, h, func(c *IngestConfig) { c.MaxBytes, c.MaxAge = maxBytes, time.Hour })
					for full := true; full; {
						var err error
						if full, err = in.turn(context.Background(), false); err != nil {
							b.Fatal(err)
						}
					}
					if err := in.flush(context.Background()); err != nil {
						b.Fatal(err)
					}
					sizeBytes, files = 0, 0
					for _, f := range h.state().files() {
						sizeBytes, files = sizeBytes+f.SizeBytes, files+1
					}
				}
				b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
				b.ReportMetric(float64(sizeBytes)/rows, "B/row")
				b.ReportMetric(float64(files), "files")
			})
		}
		s.stop()
	}
}

// BenchmarkLookup reads 100 random rows from Badger, without a hot tier, while
// nothing, or an ingester that is far behind, goes on beside it.
func BenchmarkLookup(b *testing.B) {
	s := openStore(b, "eu-1")
	s.fill(b, 100_000, 7)
	v := view(b, s.Registry(), "stats")
	for _, ingesting := range []bool{false, true} {
		b.Run(fmt.Sprintf("keys=100/ingest=%v", ingesting), func(b *testing.B) {
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				for ingesting && ctx.Err() == nil {
					h, err := Open(ctx, Config{Files: NewDisk(b.TempDir())})
					if err != nil {
						return
					}
					in, err := NewIngester(IngestConfig{Log: s, History: h, Region: "eu", MaxBytes: 8 << 20, MaxAge: time.Nanosecond})
					if err == nil {
						_ = catchUp(ctx, in)
					}
				}
			}()
			random := rand.New(rand.NewPCG(2, 2))
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				var batch online.Batch
				for range 100 {
					key, err := feature.AppendKeyValue(nil, feature.OfInt64(int64(random.IntN(100_000))))
					if err != nil {
						b.Fatal(err)
					}
					batch.Add(v.Shard(key), v.ID, key)
				}
				if err := s.Read(ctx, &batch); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			cancel()
			<-ended
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}
