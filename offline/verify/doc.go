// Package verify recomputes from history what a served log says was served, and says of
// every cell that differs whether that is a defect.
//
//	served log ──> sample of lookups ──> by view and entity key
//	                                          │
//	history ──> rows of each entity ──────────┤
//	                                          ├─> as a store at the lookup's vector must serve it
//	                                          │      another value, event time or status: a defect
//	                                          └─> as it was true when it was served
//	                                                 another value: its cause (training.Cause)
//
// The first comparison has no excuse: history and the store read one log, and a row is
// the join of its entries. Either the store served something else, or history lost or
// changed something, or the served log is forged. The second says how far serving is from
// the truth, which it may be.
//
// Invariants:
//
//	VF1. A cell that a store cannot have served, as it is logged, at any vector between
//	     those of its row is a defect, and no other cell is.
//	VF2. A cell of which history does not tell, because it has not come to its vector, has
//	     a gap, or let go of it, or because the definitions of its time were not kept, is
//	     counted as such and compared with nothing.
//	VF3. A cell that is served as it must be, and not as it was true, has one cause.
//	VF4. What is computed on demand is computed again, of inputs that are recomputed
//	     themselves and of the values that came with the request.
//	VF5. Memory is bounded by Config.Lookups and MaxCells, and by the rows of one entity.
package verify
