package online

import (
	"slices"
	"testing"
)

func TestARowIsSupersededWhenAllItsChangesAre(t *testing.T) {
	w := Write{Rows: []int{0, 0, 1, 4, 4}}
	for _, tt := range []struct{ lost, want []int }{
		{nil, nil},
		{[]int{0}, nil},
		{[]int{1}, nil},
		{[]int{0, 1}, []int{0}},
		{[]int{1, 2, 3}, []int{1}},
		{[]int{0, 1, 2, 3, 4}, []int{0, 1, 4}},
	} {
		var r Receipt
		for i := range w.Rows {
			r.noteChange(&w, i, slices.Contains(tt.lost, i))
		}
		if !slices.Equal(r.Superseded, tt.want) {
			t.Errorf("changes %v lost: got rows %v, want %v", tt.lost, r.Superseded, tt.want)
		}
	}
}
