package pit

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// BenchmarkJoin joins 100,000 entity rows with 400,000 feature rows of ten
// values, beside the plain way: read everything into maps, and search. For the
// comparison with DuckDB on larger files see tools/duckdb.
func BenchmarkJoin(b *testing.B) {
	const width, keys, span, entities = 10, 10_000, 1_000_000, 100_000
	table := drawnFiles(b, 4, 100_000, width, keys, span)
	for _, limit := range []int64{0, LeastMemory} {
		b.Run(fmt.Sprintf("limit=%dMiB", limit>>20), func(b *testing.B) {
			for b.Loop() {
				rows := int64(0)
				_, err := Join(b.Context(), Config{MemoryLimit: limit, SpillDir: b.TempDir()}, newDrawnRows(entities, keys, span, 0), drawnRequest(table, width), func(r arrow.Record) error {
					rows += r.NumRows()
					return nil
				})
				if err != nil || rows != entities {
					b.Fatalf("%d rows, %v", rows, err)
				}
			}
			b.ReportMetric(float64(entities)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			if n := mapJoin(b, table, width, newDrawnRows(entities, keys, span, 0)); n == 0 {
				b.Fatal("nothing matched")
			}
		}
		b.ReportMetric(float64(entities)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	})
}

// mapJoin reads all rows with all values into a map of slices, sorts those, and
// searches them. It returns how many values it found.
func mapJoin(b *testing.B, table Table, width int, entity *drawnRows) (found int) {
	type row struct {
		time   int64
		values []float64
	}
	byKey := map[int64][]row{}
	most := Batch{Rows: 1 << 13, Bytes: 1 << 20}
	for _, part := range table.Parts() {
		heads, err := part.Heads(context.Background(), most)
		if err != nil {
			b.Fatal(err)
		}
		all := make([]int64, part.Rows())
		columns := make([]int, width)
		for i := range all {
			all[i] = int64(i)
		}
		for i := range columns {
			columns[i] = i
		}
		values, err := part.Values(context.Background(), columns, all, most)
		if err != nil {
			b.Fatal(err)
		}
		var r arrow.Record
		at := 0
		for {
			h, err := heads.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			for i, key := range h.Keys[0].(*array.Int64).Int64Values() {
				if r == nil || at == int(r.NumRows()) {
					if r, err = values.Next(); err != nil {
						b.Fatal(err)
					}
					at = 0
				}
				one := row{time: h.Versions[i].EventTime}
				for c := range width {
					one.values = append(one.values, r.Column(c).(*array.Float64).Value(at))
				}
				byKey[key] = append(byKey[key], one)
				at++
			}
		}
		if err := heads.Close(); err != nil {
			b.Fatal(err)
		}
		if err := values.Close(); err != nil {
			b.Fatal(err)
		}
	}
	for _, rows := range byKey {
		slices.SortFunc(rows, func(a, b row) int { return int(a.time - b.time) })
	}
	for entity.Next() {
		r := entity.Record()
		for i, key := range r.Column(0).(*array.Int64).Int64Values() {
			t := int64(r.Column(1).(*array.Timestamp).Value(i))
			rows := byKey[key]
			at, _ := slices.BinarySearchFunc(rows, t+1, func(a row, t int64) int { return int(a.time - t) })
			if at > 0 && rows[at-1].time >= t-500_000 {
				found += len(rows[at-1].values)
			}
		}
	}
	return found
}
