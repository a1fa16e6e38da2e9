package oplog

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
)

// benchEntry is a push of n rows of ten float64 features.
func benchEntry(b *testing.B, n int) Entry {
	b.Helper()
	at := hlc.New(1787309982123, 0)
	e := Entry{Kind: Delta, At: at, Origin: 1, Prev: at - 1}
	c := feature.Change{EventTime: at.Time().UnixNano()}
	for id := range feature.FeatureID(10) {
		c.Assignments = append(c.Assignments, feature.Assignment{
			Feature: id + 1, Type: feature.ScalarOf(feature.Float64), Value: feature.OfFloat64(float64(id) / 3),
		})
	}
	row, err := c.Delta(feature.Row{}, at, e.Origin)
	if err != nil {
		b.Fatal(err)
	}
	for id := range n {
		e.Rows = append(e.Rows, Row{View: 1, Key: driver(int64(id)), Delta: row})
	}
	return e
}

// BenchmarkEntry writes and reads entries. The baseline is what no format can
// save: a copy of the bytes and their checksum.
func BenchmarkEntry(b *testing.B) {
	for _, n := range []int{1, 100} {
		e := benchEntry(b, n)
		encoded := Append(nil, e)
		buf := bytes.Clone(encoded)
		for _, op := range []struct {
			name string
			run  func() error
		}{
			{"Append", func() error { buf = Append(buf[:0], e); return nil }},
			{"Decode", func() error { _, err := Decode(encoded); return err }},
			{"Validate", e.Validate},
			{"copy+crc", func() error { copy(buf, encoded); crc32.Checksum(buf, castagnoli); return nil }},
		} {
			b.Run(fmt.Sprintf("rows=%d/by=%s", n, op.name), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(encoded)))
				for b.Loop() {
					if err := op.run(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
