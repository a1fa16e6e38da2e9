package peer

import (
	"fmt"
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication"
	"featurestore/replication/oplog"
)

// interval128 is an interval of 128 rows of about 115 bytes each, in an entry a
// row as single pushes make them.
func interval128(t testing.TB) oplog.Interval {
	t.Helper()
	iv := oplog.Interval{Shard: feature.Shard{Group: 1}, Origin: 1, After: 100, Through: 300}
	prev := iv.After
	for i := range 128 {
		at := hlc.Position{Origin: 1, At: iv.After + 1 + hlc.Timestamp(i)}
		change := feature.Change{EventTime: 1_700_000_000_000 + int64(i)*977}
		for f := range 6 {
			v := float64(i*7919+f*104729%1009) * 1.0001
			change.Assignments = append(change.Assignments, feature.Assignment{
				Feature: feature.FeatureID(f + 1), Type: feature.ScalarOf(feature.Float64), Value: feature.OfFloat64(v),
			})
		}
		row, err := change.Delta(feature.Row{}, at.At, at.Origin)
		if err != nil {
			t.Fatal(err)
		}
		key := feature.Key(fmt.Sprintf("driver-%06d", i*7919%1_000_000))
		iv.Entries = append(iv.Entries, logged(t, oplog.Entry{
			Kind: oplog.Delta, Origin: 1, At: at.At, Prev: prev, Rows: []oplog.Row{{View: 1, Key: key, Delta: row}},
		}))
		prev = at.At
	}
	return iv
}

// BenchmarkInterval sends intervals of 128 rows through loopback and decodes
// them; both ends share the machine.
func BenchmarkInterval(b *testing.B) {
	iv := interval128(b)
	for _, compress := range []bool{false, true} {
		b.Run(fmt.Sprintf("compress=%v", compress), func(b *testing.B) {
			cfg := Config{Compress: compress}
			dialed, accepted := converse(b, run(b, cfg), run(b, cfg))
			ctx := b.Context()
			b.ReportAllocs()
			b.SetBytes(int64(iv.SizeBytes()))
			received := make(chan error)
			n := b.N
			go func() {
				for range n {
					if _, err := dialed.Receive(ctx); err != nil {
						received <- err
						return
					}
				}
				received <- nil
			}()
			b.ResetTimer()
			for range n {
				if err := accepted.Send(ctx, replication.Interval{Interval: iv}); err != nil {
					b.Fatal(err)
				}
			}
			if err := <-received; err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			b.ReportMetric(float64(len(iv.Entries))*float64(n)/b.Elapsed().Seconds(), "rows/s")
		})
	}
	c := testCodec(b, 1<<20, true)
	packed := len(encoded(b, c, replication.Interval{Interval: iv}))
	b.Logf("%d bytes of entries, %d a row, make a compressed frame of %d", iv.SizeBytes(), iv.SizeBytes()/128, packed)
}
