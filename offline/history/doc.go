// Package history keeps every row that was ever written, as Parquet files on a
// disk or in a bucket: what training sets are joined from. It follows the log of
// the store in its process, as replication does, and is exact: a commit holds
// rows and how far they reach together.
//
//	<root>/<project>/<view>/event_date=YYYY-MM-DD/<commit>-<sum>.parquet    rows
//	<root>/_unnamed/view=<id>/event_date=YYYY-MM-DD/<commit>-<sum>.parquet  rows of views that the store does not know (yet)
//	<root>/_steps/<commit>-<sum>.steps                                      when positions were applied here
//	<root>/_commits/<commit>.manifest                                       what counts, and up to where
//
// One row of a file is what one log entry brought to one row of the store: the
// delta, under one version. It is not the row as it was served: that depends on
// what had arrived where, and is the join of deltas (feature.JoinRow) that a
// reader chooses by position. See ADR 17. Columns:
//
//	<join keys>         integers as int64, floats as float64, uuids and decimals as text
//	event_timestamp     when the fact became true
//	<features>          what the write says: a value, a counter's own total, a set's new elements
//	_at, _origin        who accepted it when: with _generation and event_timestamp the version
//	_generation
//	_deleted            the write deleted the row
//	_log_only           it was pushed to history alone, and never served
//	_nulls              ids of the features that the write set to null; those that it
//	                    left alone are null too, and not in it
//	_relog_at           the log position that brought it here, where that is another
//	_relog_origin       than the version's (oplog.Relog), else null
//	_delta              the delta as package feature encodes it, where the columns do not
//	                    say it all: removed elements, siblings, epochs, dropped features
//
// A file is self-describing: its metadata tell the feature id, type and rule of
// each column, so that renamed and dropped features are read as they were.
//
// Invariants:
//
//	Z1. A row read back is the row that was written, whatever its view's
//	    definitions became since.
//	Z2. A commit is one manifest, made by one conditional create after all that it
//	    names is durable: readers see all of it or nothing.
//	Z3. Exactly once: the rows of a manifest are those of the log up to its
//	    progress, each once, whatever failed and wherever the process died. What
//	    the log had lost before it was read is a Gap, and is told.
//	Z4. Who opens a history to write fences whoever had it before: the numbers of
//	    manifests are taken once, and a writer that finds its number taken by
//	    another stops (ErrFenced).
//	Z5. What no manifest names goes when the history is opened to write.
//	Z6. A file whose contents are not those that its manifest promised is an error
//	    that names it (ErrCorrupt); no byte of it is decoded before.
//	Z7. Compaction changes no row, retention removes whole days and nothing else,
//	    and a file that was replaced stays while a snapshot of this process has
//	    it, and for Config.Keep at least.
//	Z8. Memory is bounded by IngestConfig.MaxBytes and what one file takes, however
//	    far the log is ahead.
//	Z9. A step says that everything of an origin up to a position was readable here
//	    at a time, and since when that may have been so at the earliest.
//
// Who reads the folder as it lies, by a glob, may meet a row twice: files that a
// compaction replaced stay for Config.Keep, and the rows in both are the same.
// Reader.Files lists the files of one manifest, in which each row stands once.
//
// Manifests that are numbered and made by conditional create are those of Delta
// Lake (Armbrust et al., "Delta Lake: High-Performance ACID Table Storage over
// Cloud Object Stores", 2020). See ADR 17 and 18.
package history
