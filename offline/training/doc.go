// Package training makes training sets: entity rows, each joined with what a
// store would have served for it at its time. It puts history and the
// point-in-time join together.
//
// The join (package pit) takes rows whole: the latest by event time. What a store
// serves is more than that. A write may set some features of a row and leave the
// others alone, counters add up, sets grow, a delete takes away what came before it.
// So history's rows of each entity are first made into states, one after the other,
// by the join that stores use (feature.JoinRow); the join finds the state of
// an entity row's time; and what is older in it than the view's ttl, or not there, is
// the feature's default, feature by feature.
//
//	history: rows by key ──> states of each entity ──> a Parquet file a view
//	                                                        │
//	entity rows ────────────────────────────────────> pit.Join
//	                                                        │
//	out <── what is older than its ttl is the default <─────┘
//
// States follow one another in one of two orders. By event time they say what was
// true: the state at t is the join of all writes with event times up to t, whenever
// they came (Request.KnownAsOf leaves out those accepted later). By the time at which
// a region had them (Request.ServedIn) they say what inference there saw: late rows and the
// lag of replication are in the training set as they were in production.
//
// Invariants:
//
//	U1. A feature of an entity row at t is the one that a store serves at t which
//	    joined exactly the writes with event times at or before t; with ServedIn,
//	    exactly those that the region could read at t, those pushed to history
//	    alone excepted.
//	U2. What the store would call outside its max age at t, because the cell's event
//	    time is before t − ttl, or not found, is the feature's default; null for none.
//	    A null that was written is null.
//	U3. A counter by event time is the sum of the increments with event times at
//	    or before t, in whatever order they were accepted, since the last delete.
//	U4. Rows, their order and their bytes are those of the point-in-time join: one for
//	    each entity row, the same on every run (pit, B1 and B5).
//	U5. A feature that is computed on demand is what a store would compute of the
//	    features above, and of the entity row's columns in the place of the request.
//	U6. The entity rows of a query over history (KeysOf) are those of each key that
//	    it has of a view, and was known, once for each time that is asked: by the
//	    encoded key, then by time, the same on every run.
//	U7. With Request.Differences every cell that a region had otherwise than it was true
//	    is counted once, under the one cause that the rows tell (Cause), and no other
//	    cell is; the training set is the same to the byte.
package training
