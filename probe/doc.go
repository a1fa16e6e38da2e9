// Package probe judges what a canary saw: whether any answer broke a promise,
// how far regions lag each other, how likely a stale read is, and which settings
// would meet an objective.
//
// The caller writes numbers that rise, one write at a time, to a row of its own,
// and reads them in every region. It tells a Recorder each write that was
// acknowledged, and each read with when it was sent and what it showed, all by one
// clock: the caller's.
//
// Invariants:
//
//	J1. A violation is certain: a write counts from when its acknowledgement was
//	    here, a read from when it was sent. What overlaps proves nothing.
//	J2. What is kept does not grow with time: histograms of fixed size, the last
//	    writes of each region, the first violations and the count of all.
//	J3. A prediction of stale reads is made of replication lags alone, which other
//	    reads measured than those whose stale share stands beside it.
//	J4. The same measurements and the same objective give the same advice, which
//	    names each number that decided.
//
// Predictions after Bailis et al., "Probabilistically Bounded Staleness for
// Practical Partial Quorums" (VLDB 2012).
package probe
