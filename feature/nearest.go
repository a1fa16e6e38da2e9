package feature

import (
	"iter"
	"slices"
)

// Nearest returns the name of names that name was probably meant to be: the
// one that the fewest edits turn it into, "" when none is near. Edges use it to
// suggest fields.
func Nearest(name string, names []string) string { return nearest(name, slices.Values(names)) }

// nearest returns the name that the fewest edits turn into name, "" when that
// would take more than a third of it. Of equals the first in order wins.
func nearest(name string, names iter.Seq[string]) string {
	if len(name) > MaxNameBytes {
		return ""
	}
	best, least := "", len(name)/3+1
	for _, n := range slices.Sorted(names) {
		if d := edits(name, n); d < least || d == least && best == "" {
			best, least = n, d
		}
	}
	return best
}

// edits is the Levenshtein distance of a and b in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
