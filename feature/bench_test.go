package feature

import (
	"fmt"
	"math"
	"testing"
)

// benchRow is the row of the lookup benchmarks: n float64 features written at once.
func benchRow(b *testing.B, n int) Row {
	b.Helper()
	c := Change{EventTime: 1787309982123000000}
	for i := range n {
		c.Assignments = append(c.Assignments, Assignment{
			Feature: FeatureID(i + 1), Type: ScalarOf(Float64), Value: OfFloat64(math.Sqrt(float64(i))),
		})
	}
	row, err := c.Delta(Row{}, 1787309982123<<16, 1)
	if err != nil {
		b.Fatal(err)
	}
	return row
}

// BenchmarkReadRow compares the two ways to the values of an encoded row.
func BenchmarkReadRow(b *testing.B) {
	for _, n := range []int{10, 100} {
		encoded := AppendRow(nil, benchRow(b, n))
		b.Run(fmt.Sprintf("features=%d/by=ReadRow", n), func(b *testing.B) {
			b.ReportAllocs()
			var sum float64
			for b.Loop() {
				r, err := ReadRow(encoded)
				for r.Next() {
					v, err := r.Cell.Value()
					if err != nil {
						b.Fatal(err)
					}
					sum += v.Float()
				}
				if err != nil || r.Err() != nil {
					b.Fatal(err, r.Err())
				}
			}
		})
		b.Run(fmt.Sprintf("features=%d/by=DecodeRow", n), func(b *testing.B) {
			b.ReportAllocs()
			var sum float64
			for b.Loop() {
				row, err := DecodeRow(encoded)
				if err != nil {
					b.Fatal(err)
				}
				for i := range row.Cells {
					sum += row.Cells[i].Read().Float()
				}
			}
		})
	}
}

// BenchmarkJoinRow joins a delta of one feature, and of all, into a row of ten.
// The baseline is what a store does besides: decode the row, encode the result.
func BenchmarkJoinRow(b *testing.B) {
	row := benchRow(b, 10)
	encoded := AppendRow(nil, row)
	for _, n := range []int{1, 10} {
		delta := benchRow(b, n)
		b.Run(fmt.Sprintf("delta=%d/by=JoinRow", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				JoinRow(row, delta)
			}
		})
	}
	b.Run("by=DecodeRow+AppendRow", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			r, err := DecodeRow(encoded)
			if err != nil {
				b.Fatal(err)
			}
			buf = AppendRow(buf[:0], r)
		}
	})
}
