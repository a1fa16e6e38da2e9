package verify

import (
	"cmp"
	"slices"

	"featurestore/hlc"
)

// step is one origin's positions, rising.
type step struct {
	origin hlc.Origin
	at     []hlc.Timestamp
}

// positions puts them in order, each once.
func positions(by map[hlc.Origin][]hlc.Timestamp) []step {
	var out []step
	for origin, at := range by {
		slices.Sort(at)
		out = append(out, step{origin, slices.Compact(at)})
	}
	slices.SortFunc(out, func(a, b step) int { return cmp.Compare(a.origin, b.origin) })
	return out
}
