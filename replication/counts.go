package replication

// Counts are what a core has done and met since it began. They only rise.
type Counts struct {
	// Intervals and Entries of other logs were joined.
	Intervals, Entries uint64
	// Gaps are intervals that came without what lies before them; Held are
	// entries that came before others that they depend on. Both are asked for
	// again.
	Gaps, Held uint64
	// Truncated counts how often what was asked of a peer was gone from its log,
	// Rebuilds how often a shard began to be copied from another store.
	Truncated, Rebuilds uint64
	// Salvaged are entries that evicted stores left and that were logged again
	// here; Refused are those that were too old for that.
	Salvaged, Refused uint64
	// Diverged are rows that differed from another member's when they were
	// compared. There should never be one.
	Diverged uint64
}
