package history

import (
	"cmp"
	"math/bits"
	"slices"
	"time"
)

// maxMerged is how many files are merged at a time: of each, some rows are in
// memory.
const maxMerged = 64

// choose returns the sets of files that compaction makes one of each: at least so
// many, of one view and day and about one size, none of half the target or more.
// Merging files of one size alone writes a row again a logarithm of times
// (O'Neil et al., "The Log-Structured Merge-Tree", 1996, as tiers).
func choose(files []DataFile, least int, targetBytes int64) [][]DataFile {
	type tier struct {
		part  partID
		class int
	}
	tiers := map[tier][]DataFile{}
	var order []tier
	for _, f := range files {
		if f.SizeBytes >= targetBytes/2 {
			continue
		}
		t := tier{partID{f.View, f.Day}, sizeClass(f.SizeBytes)}
		if tiers[t] == nil {
			order = append(order, t)
		}
		tiers[t] = append(tiers[t], f)
	}
	slices.SortFunc(order, func(a, b tier) int { return cmp.Or(a.part.compare(b.part), cmp.Compare(a.class, b.class)) })
	var sets [][]DataFile
	for _, t := range order {
		set := tiers[t]
		if len(set) < least {
			continue
		}
		slices.SortFunc(set, func(a, b DataFile) int { return cmp.Compare(a.Name, b.Name) })
		sets = append(sets, set[:min(len(set), maxMerged)])
	}
	return sets
}

// sizeClass is the same for sizes within a factor of four; all below 32 KiB are
// of one, for there the footer is most of a file.
func sizeClass(sizeBytes int64) int { return (bits.Len64(uint64(sizeBytes)>>15) + 1) / 2 }

// outdated returns the files of days that ended before a time: retention takes
// whole days.
func outdated(files []DataFile, before time.Time) []DataFile {
	cut := DayOf(before.UnixNano())
	var old []DataFile
	for _, f := range files {
		if f.Day < cut {
			old = append(old, f)
		}
	}
	return old
}
