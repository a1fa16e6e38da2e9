package online

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// benchRow is a row of ten features, about 115 bytes packed.
func benchRow(id int64) Placed {
	c := change(id, 1_787_309_982_123_000_000)
	for f := range 10 {
		c.Assignments = append(c.Assignments, feature.Assignment{
			Feature: feature.FeatureID(f + 1), Type: feature.ScalarOf(feature.Float64), Value: feature.OfFloat64(float64(id) / float64(f+2)),
		})
	}
	return c
}

// BenchmarkAppend writes one row a write. The baseline is what a writer does
// without a committer: read, join, one synced transaction for row and log.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d/commit=group", writers), func(b *testing.B) {
			h := openHouse(b, benchConfig)
			each(b, writers, func(int) {
				if _, err := h.Append(context.Background(), write(benchRow(rand.Int64N(1_000_000)))); err != nil {
					b.Error(err)
				}
			})
		})
	}
	b.Run("writers=64/commit=each", func(b *testing.B) {
		h := openHouse(b, benchConfig)
		var at atomic.Uint64
		at.Store(h.disk.lastCommit())
		each(b, 64, func(int) {
			c := benchRow(rand.Int64N(1_000_000))
			key := appendRowKey(nil, c.Shard, c.View, c.Key)
			delta, err := c.Delta(feature.Row{}, 1, 1)
			if err != nil {
				b.Error(err)
			}
			ts := at.Add(1)
			txn := h.db.NewTransactionAt(ts-1, true)
			defer txn.Discard()
			if _, err := appendRow(nil, txn, key); err != nil {
				b.Error(err)
			}
			row := seal(feature.AppendRow(nil, delta), 0, key)
			for _, e := range []*badger.Entry{
				badger.NewEntry(key, row),
				badger.NewEntry(appendEntryKey(nil, c.Shard, 1, 1), row),
				badger.NewEntry(appendProgressKey(nil, c.Shard, 1), make([]byte, 12)),
			} {
				if err := txn.SetEntry(e); err != nil {
					b.Error(err)
				}
			}
			if err := txn.CommitAt(ts, nil); err != nil {
				b.Error(err)
			}
		})
	})
}

// BenchmarkAppendRows writes a hundred rows a write.
func BenchmarkAppendRows(b *testing.B) {
	const rows = 100
	h := openHouse(b, benchConfig)
	each(b, 16, func(int) {
		var w Write
		for range rows {
			w.Changes = append(w.Changes, benchRow(rand.Int64N(1_000_000)))
		}
		if _, err := h.Append(context.Background(), w); err != nil {
			b.Error(err)
		}
	})
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkJoin joins the log that BenchmarkAppend with 64 writers, or
// BenchmarkAppendRows, would make elsewhere, in intervals of as many entries as
// these have in a batch; and the same of writes with idempotency keys.
func BenchmarkJoin(b *testing.B) {
	for _, tc := range []struct {
		rows, entries int
		named         bool
	}{{1, 64, false}, {1, 64, true}, {100, 16, false}, {100, 16, true}} {
		b.Run(fmt.Sprintf("rows=%d/named=%t", tc.rows, tc.named), func(b *testing.B) {
			h := openHouse(b, benchConfig)
			const kept = 4096 // entries at a time
			room := make(chan struct{}, 2)
			at := hlc.Timestamp(0)
			b.ResetTimer()
			for left := b.N; left > 0; {
				b.StopTimer()
				r := newRemote(h.Origin() + 1)
				for range min(left, kept) {
					at++
					r.rows = plain{} // deltas do not depend on it here
					var changes []Placed
					first := rand.Int64N(1_000_000 - 100)
					for i := range tc.rows {
						changes = append(changes, benchRow(first+int64(i)))
					}
					r.write(b, at, false, changes...)
					last := &r.log[len(r.log)-1]
					if len(r.log) == 1 && at > 1 {
						last.Prev = at - 1 // what came before was joined already
					}
					if tc.named {
						last.Request = &oplog.Request{Shards: 1}
						binary.BigEndian.PutUint64(last.Request.ID[:], rand.Uint64())
					}
					last.Raw = oplog.Append(nil, last.Entry)
				}
				b.StartTimer()
				left -= len(r.log)
				for log := r.log; len(log) > 0; {
					some := log[:min(len(log), tc.entries)]
					log = log[len(some):]
					room <- struct{}{}
					iv := oplog.Interval{Shard: shardA, Origin: r.origin, After: some[0].Prev, Through: some[len(some)-1].At}
					for _, e := range some { // as it arrives
						l, err := oplog.DecodeLogged(e.Raw)
						if err != nil {
							b.Fatal(err)
						}
						iv.Entries = append(iv.Entries, l)
					}
					h.Join(iv, func(err error) {
						if err != nil {
							b.Error(err)
						}
						<-room
					})
				}
			}
			for range cap(room) {
				room <- struct{}{}
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
			b.ReportMetric(float64(tc.rows*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// each runs op b.N times by n goroutines.
func each(b *testing.B, n int, op func(worker int)) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	done := make(chan struct{})
	for w := range n {
		go func() {
			for left.Add(-1) >= 0 {
				op(w)
			}
			done <- struct{}{}
		}()
	}
	for range n {
		<-done
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}

func benchConfig(c *Config) { c.HotBytes, c.MemTableBytes = 0, 0 }

// benchEntities are loaded once for all lookups; enough that most lie in files.
const benchEntities = 300_000

// BenchmarkRead looks up uniform keys. Beside the tiers stand Badger's own
// Gets of the same rows, one transaction a lookup, checksums unchecked.
func BenchmarkRead(b *testing.B) {
	hot := openHouse(b, benchConfig)
	load(b, hot)
	cold := &house{TB: b, cfg: hot.cfg}
	for _, tier := range []string{"hot", "cold", "badger"} {
		if tier == "cold" {
			hot.stop()
			cold.cfg.HotBytes = -1
			cold.start()
			b.Cleanup(func() { cold.stop() })
			for _, err := range cold.Scan(context.Background(), shardA, 1) { // map the files
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		for _, n := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("keys=%d/tier=%s", n, tier), func(b *testing.B) {
				switch tier {
				case "hot":
					benchRead(b, hot.Store, n)
				case "cold":
					benchRead(b, cold.Store, n)
				case "badger":
					benchGets(b, cold.Store, n)
				}
			})
		}
	}
}

func load(b *testing.B, h *house) {
	b.Helper()
	for from := int64(0); from < benchEntities; from += 1000 {
		var w Write
		for id := range int64(1000) {
			w.Changes = append(w.Changes, benchRow(from+id))
		}
		h.append(w)
	}
}

func benchRead(b *testing.B, s *Store, n int) {
	b.ReportAllocs()
	var batch Batch
	var key feature.Key
	rng := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		batch.Reset()
		for range n {
			key, _ = feature.AppendKeyValue(key[:0], feature.OfInt64(rng.Int64N(benchEntities)))
			batch.Add(shardA, 1, key)
		}
		if err := s.Read(context.Background(), &batch); err != nil {
			b.Fatal(err)
		}
		if batch.Row(n-1) == nil {
			b.Fatal("no row")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
}

func benchGets(b *testing.B, s *Store, n int) {
	b.ReportAllocs()
	var key, row []byte
	rng := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		txn := s.db.NewTransactionAt(s.published.Load(), false)
		for range n {
			key = appendRowKey(key[:0], shardA, 1, entity(rng.Int64N(benchEntities)))
			item, err := txn.Get(key)
			if err != nil {
				b.Fatal(err)
			}
			if row, err = item.ValueCopy(row); err != nil {
				b.Fatal(err)
			}
		}
		txn.Discard()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
}
