package main

import (
	"fmt"
	"slices"
	"testing"
)

// TestPartIsCutLikeTheWhole holds W2: pushes of a part of the file are among
// those of the whole, so that loading the whole afterwards repeats them.
func TestPartIsCutLikeTheWhole(t *testing.T) {
	var text []string
	for month, lines := range []int{2300, 1000, 7} {
		for i := range lines {
			text = append(text, fmt.Sprintf("%d,A,B,1,2011-%02d-01T08:26:00Z,2.55,,UK", i, month+1))
		}
	}
	whole := cuts(t, text, 0)
	want := [][2]int{{2, 1001}, {1002, 2001}, {2002, 2301}, {2302, 3301}, {3302, 3308}}
	if !slices.Equal(whole, want) {
		t.Fatalf("the file is cut at %v, want %v", whole, want)
	}
	for months, pushes := range map[int]int{1: 3, 2: 4, 3: 5, 4: 5} {
		if got := cuts(t, text, months); !slices.Equal(got, whole[:pushes]) {
			t.Errorf("%d months are cut at %v, want %v", months, got, whole[:pushes])
		}
	}
	if got := cuts(t, nil, 0); len(got) > 0 {
		t.Errorf("a file without lines is cut at %v, want nowhere", got)
	}
}

// cuts returns the first and last lines of each chunk.
func cuts(t *testing.T, lines []string, months int) (out [][2]int) {
	t.Helper()
	r, err := newLineReader(zipped(t, lines...), months)
	if err != nil {
		t.Fatal(err)
	}
	chunks := make(chan *chunk, len(lines)+1)
	if err := readChunks(t.Context(), r, chunks); err != nil {
		t.Fatal(err)
	}
	next := 2
	for c := range chunks {
		if c.first != next || c.last != next+len(c.all)-1 {
			t.Errorf("chunk %d to %d has %d lines, want it to begin with %d", c.first, c.last, len(c.all), next)
		}
		next = c.last + 1
		out = append(out, [2]int{c.first, c.last})
	}
	return out
}
