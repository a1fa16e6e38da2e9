// Package export makes what leaves a history: training sets, snapshots of views, what
// changed since one, and rows as they were written. The command, REST and Arrow Flight share it, so that the
// same request gives the same bytes whichever way it comes.
//
//	names ──> Past.Training ──> Export ──> Run ──> records    (REST, Flight)
//	                                        │
//	                                        └────> Write ──> file, then its manifest
//
// A Past is one commit of a history with the definitions that lie beside it. What is
// resolved against it, joined from it and said of it in a manifest belongs together,
// whatever the store does meanwhile.
//
// Invariants:
//
//	EX1. A file appears under its name when it is complete, and not before; its
//	     manifest appears after it. What fails or is cancelled leaves neither.
//	EX2. A manifest says of which commit, definitions and request an export is made,
//	     and the sum of its contents.
//	EX3. The same request of the same commit gives the same bytes.
//	EX4. An export without rows is complete: it has the schema that it would have with
//	     some.
//	EX5. A snapshot has the row of each entity that a store serves which has come to
//	     where the history is. A snapshot with the changes since its manifest put over
//	     it, by entity, is the snapshot of the later commit; entities of which
//	     retention or erasure took all rows meanwhile are not among the changes.
//	EX6. Memory is bounded whatever is exported: a training set's by pit.Config, and
//	     what is made of one view by one entity's joined row and some rows of each of a few files.
package export
