// Package hlc orders writes across stores: a 64-bit hybrid logical timestamp,
// the clock that issues it, and vectors that say how much of every origin's
// log has been seen.
//
//	 63                                         16 15             0
//	+---------------------------------------------+----------------+
//	|        milliseconds since 1970, UTC         |    counter     |
//	+---------------------------------------------+----------------+
//	                     48 bits                       16 bits
//
// Timestamps compare as integers. The counter orders what one millisecond
// cannot, and carries into the milliseconds when it runs out. Two stores may
// issue the same timestamp; (Origin, Timestamp), a Position, is unique.
//
// Invariants:
//
//	H1. Now and Reserve return timestamps greater than every timestamp the
//	    clock returned or witnessed in this life, whatever the wall clock does.
//	H2. A timestamp is issued only below a limit that Persist has recorded. A
//	    life that starts from the recorded limit therefore repeats nothing of
//	    the lives before it, and issues nothing below it.
//	H3. When Persist fails nothing is issued and the clock does not move.
//	H4. Witness never moves the clock further than MaxSkew ahead of the wall
//	    clock: one bad clock cannot drag the others along.
//	H5. The persisted limit leads the larger of the wall clock plus Window, and
//	    the timestamp being issued, by at most one millisecond. A store that
//	    crashes again and again does not run ahead by a Window each time.
//	H6. Close leaves a limit of Last+1, and a timestamp asked for after Close
//	    is persisted for again: a clean restart does not start ahead.
//	H7. Now and Witness do not allocate when there is nothing to persist or to
//	    complain about.
//	H8. Parse(t.String()) is t, and Parse accepts nothing but what String
//	    prints.
//	H9. Vectors under Merge and Floor form a lattice ordered by Covers: Merge
//	    is the least vector that covers both, Floor the greatest both cover. An
//	    absent origin and a zero timestamp are the same thing.
//
// What was witnessed is remembered for one life only; a session that needs
// more brings its token along, and the token is witnessed again.
//
// A wall clock that jumps forward takes the clock with it: one store cannot
// tell that from the passing of time. Only a comparison with peers can.
//
// Sources: Kulkarni, Demirbas, Madappa, Avva, Leone, "Logical Physical Clocks
// and Consistent Snapshots in Globally Distributed Databases", 2014, for the
// clock; the persisted limit is the usual guard of timestamp oracles.
package hlc
