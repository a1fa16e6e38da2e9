package simulation

import (
	"errors"
	"testing"

	"featurestore/fault"
)

// TestCheckersFindPlantedFaults is the negative control of the checkers (V3):
// each fault switches one rule of the protocol off, and some random scenario
// must show it. It prints how many it took.
func TestCheckersFindPlantedFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("runs many scenarios")
	}
	for _, f := range fault.All() {
		t.Run(f.String(), func(t *testing.T) {
			for n := range *tries {
				err := runSeed(t, *first+uint64(n), fault.Of(f))
				var broken *BrokenError
				switch {
				case err == nil:
				case errors.As(err, &broken):
					t.Logf("found by scenario %d: %v", n+1, broken.Violations[0])
					return
				default:
					t.Logf("found by scenario %d, which got stuck: %.300v", n+1, err)
					return
				}
			}
			t.Errorf("%d scenarios did not show it", *tries)
		})
	}
}
