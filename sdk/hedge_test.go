package sdk

import (
	"testing"

	"pgregory.net/rapid"
)

// K11.
func TestHedgesKeepToTheirShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.Float64Range(0, 1).Draw(t, "part")
		b := newHedgeBudget(part)
		asked, hedged := 0, 0
		for _, slow := range rapid.SliceOfN(rapid.Bool(), 1, 300).Draw(t, "slow") {
			b.asked()
			asked++
			if slow && b.take() {
				hedged++
			}
			if most := 1 + part*float64(asked) + 1e-6; float64(hedged) > most {
				t.Fatalf("%d of %d requests hedged, want at most %.2f", hedged, asked, most)
			}
		}
	})
	b := newHedgeBudget(1)
	for range 100 {
		b.asked()
	}
	n := 0
	for b.take() {
		n++
	}
	if n != maxHedges {
		t.Errorf("after 100 quick requests %d may hedge at once, want %d", n, maxHedges)
	}
}
