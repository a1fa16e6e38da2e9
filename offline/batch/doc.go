// Package batch materializes batch sources: the rows of files that others write go
// into the store as pushes do, through its log, so that they are served, replicated and
// kept as history like any other row. Files are read by a child process
// (offline/outside).
//
//	definition: path, columns      Files: list, open
//	            |                     |
//	            v                     v
//	     +------------- Materializer -------------+      child
//	     | identify -> check -> write, by batches | <--- read-rows
//	     +-------------------+--------------------+
//	                         | push, with the source's id and place
//	                         v
//	                  the edge: rows and mark, one log entry in each shard
//
// What was materialized is remembered where the rows are: each shard has, in the same
// log entry as a batch's rows, a mark of how far the source is written there
// (feature.MarkView); and there is a note of each file's name, size, time and SHA-256.
// Both are rows of the log. They reach every store that the rows reach, and stay as long.
//
// Invariants:
//
//	BA1. By arrival: every row of every file that was not materialized is, whatever its
//	     event time. Late rows change nothing that is served where newer ones are, and
//	     are in the log, and so in history, all the same.
//	BA2. Exactly once: however often a file is materialized, and wherever that was broken
//	     off, each of its rows is written once. A file is known by its contents, so that
//	     one that was renamed or copied is not written again, grown or not. A text file
//	     that grew by whole lines is read on, and what it grew by is a source of its own:
//	     two files that began alike may go on apart. A file whose beginning has changed is
//	     another file.
//	     A window is the exception, and writes what it selects each time.
//	BA3. A file with a row that cannot be read is found out before a row of it is written,
//	     unless bad rows are to be left out.
//	BA4. One batch is under way at a time, and none while the edge refuses: what pushes
//	     and lookups need comes first.
//	BA5. Nothing outside the folders of the configuration is opened, wherever a path or a
//	     link leads.
//	BA6. A file that changes while it is read is not taken for materialized.
package batch
