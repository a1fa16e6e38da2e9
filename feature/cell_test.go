package feature

import (
	"testing"

	"pgregory.net/rapid"
)

// F1 on the cells of every rule.
func TestJoinCellIsASemilattice(t *testing.T) {
	for _, a := range testSchema {
		t.Run(a.Rule.String()+" "+a.Type.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				x, y, z := drawCell(t, a), drawCell(t, a), drawCell(t, a)
				xy := JoinCell(x, y)
				for _, law := range []struct {
					name      string
					got, want Cell
				}{
					{"commutative", JoinCell(y, x), xy},
					{"associative", JoinCell(xy, z), JoinCell(x, JoinCell(y, z))},
					{"idempotent", JoinCell(x, x), x},
					{"absorbing", JoinCell(xy, y), xy},
				} {
					if !law.got.equal(law.want) {
						t.Errorf("%s: got %+v\nwant %+v\nx %+v\ny %+v\nz %+v", law.name, law.got, law.want, x, y, z)
					}
				}
			})
		})
	}
}
