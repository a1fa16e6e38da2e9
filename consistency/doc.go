// Package consistency decides what a read may answer and when a write is
// acknowledged: read levels, write concerns, session tokens.
//
// The decisions are pure functions of what is asked and what is known here:
// CoveredPosition, Concern.Count, Alternative.unmet. One file, coordinator.go,
// waits. Data is reached through the small interface Store, declared there.
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
//
// Session guarantees after Terry et al., "Session Guarantees for Weakly
// Consistent Replicated Data", 1994; preference lists after Terry et al.,
// "Consistency-Based Service Level Agreements for Cloud Storage" (Pileus),
// 2013. See docs/consistency.md.
package consistency
