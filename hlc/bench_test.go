package hlc_test

import (
	"fmt"
	"testing"
	"time"

	"featurestore/hlc"
)

// BenchmarkNow has time.Now beside it: the price of the order.
func BenchmarkNow(b *testing.B) {
	b.Run("clock=wall", func(b *testing.B) {
		for b.Loop() {
			_ = time.Now()
		}
	})
	b.Run("clock=hlc", func(b *testing.B) {
		c := newClock(b, hlc.Config{Persist: func(hlc.Timestamp) error { return nil }})
		for b.Loop() {
			if _, err := c.Now(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCovers(b *testing.B) {
	for _, origins := range []int{1, 5, 50} {
		b.Run(fmt.Sprintf("origins=%d", origins), func(b *testing.B) {
			v := make(hlc.Vector, origins)
			for o := range origins {
				v[hlc.Origin(o+1)] = hlc.New(sampleMillis, uint16(o))
			}
			w := v.Clone()
			for b.Loop() {
				if !v.Covers(w) {
					b.Fatal("not covered")
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	text := hlc.New(sampleMillis, 7).String()
	for b.Loop() {
		if _, err := hlc.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
