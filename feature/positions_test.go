package feature

import (
	"slices"
	"testing"

	"featurestore/hlc"
)

func TestPositionsAreThoseOfAllThatMadeUpARow(t *testing.T) {
	row := Row{
		Tombstone: Tombstone{ByEvent: Version{Origin: 1, At: 10}, ByWrite: Version{Origin: 2, At: 20}},
		Cells: []Cell{
			{Version: Version{Origin: 3, At: 30}},
			{Version: Version{Origin: 4, At: 40}, Totals: []Total{{Origin: 5, At: 50}}},
			{Version: Version{Origin: 6, At: 60}, Elements: []Element{{Origin: 7, At: 70}}},
			{Version: Version{Origin: 8, At: 80}, Siblings: &SiblingSet{
				Replaced: []hlc.Position{{Origin: 1, At: 99}}, Beside: []Sibling{{Version: Version{Origin: 9, At: 90}}},
			}},
		},
	}
	var want []hlc.Position
	for o := range hlc.Origin(9) {
		want = append(want, hlc.Position{Origin: o + 1, At: 10 * hlc.Timestamp(o+1)})
	}
	if got := slices.Collect(row.Positions()); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for n := range want {
		got := 0
		for range row.Positions() {
			if got++; got > n {
				break
			}
		}
	}
}
