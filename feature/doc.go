// Package feature holds the domain: typed values, entity keys, rows of cells,
// the conflict rules that join them, and the registry of definitions.
//
// It does no I/O, reads no clock and starts no goroutine.
//
// Invariants:
//
//	F1. Join is commutative, associative and idempotent, on cells and on rows,
//	    so replicas that saw the same writes hold the same rows whatever the
//	    order or number of deliveries.
//	F2. A row is self-describing: joining and printing it needs no schema.
//	F3. Two entity keys are equal exactly when their join-key values are; int32
//	    and int64 values of one number are one value.
//	F4. A numeric id, once given to a view or a feature, is never given again.
//	F5. Decoding arbitrary bytes returns an error or a value; it never panics,
//	    and what it accepts it prints back to the same bytes.
//	F6. A registry is never changed: Apply returns another one, all or nothing,
//	    and only after it refused what stored rows could not follow.
//
// The joins are state-based CRDTs after Shapiro et al., "Conflict-free
// Replicated Data Types", 2011; deletes of monotone rules raise an epoch, as
// Riak's per-key epochs do, because a maximum has no inverse. See ADR 6. Siblings
// are a dotted version vector set after Preguiça et al., "Dotted Version
// Vectors", 2012. See ADR 15.
package feature
