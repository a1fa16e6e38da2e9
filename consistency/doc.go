// Package consistency decides what a read may answer and when a write is
// acknowledged: read levels, write concerns, session tokens.
//
// The decisions are pure functions of what is asked and what is known here:
// CoveredPosition, Concern.Count, Alternative.unmet, and, of several stores, the
// methods of world and poll. Three files wait: admit.go and quorum.go for reads,
// write.go for writes.
// Data is reached through the small interface Store, other stores through Peers.
//
// Invariants:
//
//	C1. A read answered "session met" saw every write its tokens name: for each
//	    cell a value at least as new as the token's positions imply.
//	C2. Progress is read before data, and data published after it is durable, so
//	    a snapshot holds at least what the checked progress says.
//	C3. A token is built from the cells a session read and the writes it made,
//	    never from a replica's whole progress: a snapshot may hold a cell newer
//	    than the published progress, and the next replica must not show an older
//	    one.
//	C4. A token that was not made by this deployment is refused at once.
//	C5. Every wait ends: met, deadline, or the position is lost.
//	C6. No answer claims more than was met; less than asked is an error or says
//	    "degraded".
//	C7. A bound on staleness is true whatever clocks show: everything accepted
//	    longer ago is in the answer. It rests on time that passed here (ADR 10).
//	    Nothing heard of a store is no bound, never a small one.
//	C8. A read is sent to another store only once, and only to one that has told
//	    that it meets it.
//	C9. An acknowledgement counts for an active member that has told that the
//	    position is on its disk, together with all of that log before it.
//	C10. A token that was trimmed leaves out only what every member has that may
//	    answer it.
//	C11. A read at level quorum sees every write that was acknowledged at quorum
//	     before it began: it joins the rows of a majority, read after it began.
//	C12. With blocking repair reads at level quorum never go back, whoever joins
//	     them: a majority has what is shown, by its own row or its own progress,
//	     before it is shown. No row goes anywhere but through the log.
//	C13. A request for less than a group or view allows is refused.
//	C14. A read at level leader is answered by a store that leads each of its shards,
//	     and is certain of it, with nothing that could be lost with the store: before
//	     the rows are read, and once more after (I12).
//	C15. Rows of leader groups are written by the leader alone; concerns and
//	     require_live count positions of the log of its term.
//
// Session guarantees after Terry et al., "Session Guarantees for Weakly
// Consistent Replicated Data", 1994; preference lists after Terry et al.,
// "Consistency-Based Service Level Agreements for Cloud Storage" (Pileus),
// 2013. See docs/consistency.md.
package consistency
