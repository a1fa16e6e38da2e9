// Package export makes what leaves a history: training sets, and whatever else is
// made of one commit of it. The command, REST and Arrow Flight share it, so that the
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
package export
