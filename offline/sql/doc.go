// Package sql prints the join of a training set as SQL over the files of history, for
// Spark, Trino and DuckDB: the way for joins beyond one machine.
//
//	rows        the rows of history of a view, under names of ours
//	  │         by version, an origin's totals as increments
//	ranked
//	  │         running over an entity's rows in order of event time
//	states      what an entity is from one event time up to the next
//	  │
//	result  <── entity rows, whose times lie in between
//
// It reads the folders as they lie, by Hive partitions. A row that stands in two files,
// while those that a compaction replaced are kept, changes nothing: of two equal
// versions one wins, and the second of two equal totals adds nothing. Rows that were
// erased or retired are read for as long as their files are kept (history.Config.Keep).
//
// What the columns of history do not say cannot be said in SQL over them: it is
// refused, with the feature and why (ErrInexpressible).
//
// Invariants:
//
//	SQ1. A query gives the cells that training.Join gives by event time, a row for
//	     each entity row, in an order of the engine's own.
//	SQ2. What a query would say otherwise is not printed: Print returns
//	     ErrInexpressible, and all of the reasons.
//	SQ3. Names and values of users are quoted: whatever they are called, the query
//	     has the same structure.
//	SQ4. Dialects differ in Dialect alone: the queries are one text otherwise.
package sql
