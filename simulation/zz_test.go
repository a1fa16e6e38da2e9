package simulation

import "testing"

func TestZZ(t *testing.T) {
	for s := uint64(*first); s < uint64(*first)+uint64(*seeds); s++ {
		if err := runLines(t, DrawWith(s, Cuts|Losses), 0); err != nil {
			t.Errorf("seed %d: %.3000v", s, err)
		}
	}
}
