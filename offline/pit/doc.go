// Package pit joins entity rows with feature rows as they stood in time: the
// point-in-time join that makes training sets.
//
// For each entity row at time t, and for each joined view, it finds the
// feature row of the same entity key with the greatest event time in
// [t − ttl, t], both ends included. The package knows Arrow records and the
// interface Table; it knows no server, no layout of history and no on-demand
// feature.
//
// # The algorithm
//
// The entity rows of one key, ordered by time, cut the time line into gaps. A
// feature row belongs to one gap: it ends at the first entity row that may see
// it. Each gap keeps the best feature row offered to it, and when all have been
// offered, an entity row's match is the best of its own gap and of the gaps
// before it, if it is within its ttl. So:
//
//	entity rows ──> spool ──> spine: by key, then by time; one slot a row
//	                            ^
//	feature rows: keys, times ──┘ offer, in any order, by many workers
//	                            │
//	                            v
//	        matches (feature row, entity row), sorted by feature row
//	                            │
//	feature rows: values of matched rows only, file by file
//	                            │
//	                            v
//	        values, sorted by entity row ──> spool's rows + values ──> out
//
// Feature rows are neither sorted nor kept: of most of them only the key and
// the times are ever decoded. Each arrow has two forms. What fits the memory
// limit stays in memory; else it goes through files in the spill directory: the
// spool as it comes, matches and values in runs that are cut into ranges. A
// spine that is too large is made in pieces: a few pieces are offered all
// feature rows again; for many, entity rows and feature rows are first
// partitioned by the hash of their keys, so that each piece meets only its own.
// A partition that is too large for memory all the same, as that of one key
// which all rows have, is again made in pieces.
//
// A table whose rows bring only some of its features each, as history's deltas
// do, is joined as several views: one for each set of features, in which rows
// that say nothing of them are skipped. Rules that need more than one row, such
// as counters of several origins, are beyond this package.
//
// # Source
//
// The slots are those of a sort-merge as-of join (Kx's aj; DuckDB's ASOF JOIN)
// turned around: there both sides are sorted, here only the smaller. The
// partitions are those of the GRACE hash join (Kitsuregawa, Tanaka, Moto-Oka,
// "Application of Hash to Data Base Machine and Its Architecture", 1983).
//
// # Invariants
//
//	B1. There is one output row for each entity row, in the order of input, with
//	    the entity row's columns as they came; matched or not.
//	B2. The match of an entity row at t is the feature row of an equal key that
//	    is greatest by (event time, generation, timestamp, origin) among those
//	    with event time in [t − ttl, t], both ends included; a ttl of zero has
//	    no lower end. Where it is a tombstone, the features are null.
//	B3. Keys are equal when they are value by value, and of one class: integers
//	    of any width are one class, text and bytes are two. Null and NaN equal
//	    nothing, and an entity row without a time has no match.
//	B4. Feature rows known later than Request.KnownAsOf do not exist. With
//	    Request.AsServed a feature row exists for entity rows from the time on
//	    at which it was known. Skipped rows (Heads.Skipped) do not exist.
//	B5. The output is the same, to the byte, on every run: for any order of a
//	    view's parts and their rows, for any number of threads, and whether or
//	    not anything was spilled. Only feature rows that are equal in all of B2's
//	    order are told apart by their place: part name, part, row.
//	B6. What the join holds at once is planned within Config.MemoryLimit, whatever
//	    the size and skew of its inputs; the rest is on disk.
//	B7. Join returns with all its goroutines ended, all its files removed and all
//	    records released, whether it succeeded, failed or was cancelled.
//	B8. A time that nanoseconds in 64 bits cannot hold is an error that names
//	    column and row; nothing is rounded, cut or wrapped around.
//	B9. No FixedSizeList leaves the join: arrow v17 writes those as nulls to
//	    Parquet. Those of entity rows become lists, those of features are refused.
package pit
