// Package source reads files of rows as batches of typed columns: CSV, JSON
// lines, Parquet and Arrow IPC, told apart by the ending of their names.
//
//	.csv                       header line, RFC 4180 quoting, an empty field is null
//	.jsonl .ndjson             one JSON object a line; a key that a line lacks is absent
//	.csv.gz .jsonl.gz …        the same through gzip
//	.parquet                   row group by row group
//	.arrow .ipc .feather       Arrow IPC, file or stream form
//
// Invariants:
//
//	T1. Memory is bounded by Options and, for Parquet and Arrow, by one row
//	    group or record batch; never by the length of the file.
//	T2. A row is handed out whole, or named in Batch.Faults with the line or row
//	    and the column at fault. None is lost silently.
//	T3. A value that does not fit its wanted type exactly is a fault; nothing is
//	    rounded, cut or wrapped around.
//	T4. Reading one file twice with the same Options gives the same batches.
//
// A damaged Parquet page can end the process that reads it: the library panics
// on a goroutine of its own, where no caller can recover. Magic numbers and the
// footer are checked when a file is opened, which finds files cut short, but not
// flipped bits inside a page. So this package runs in clients (the push command)
// and must not be given files from outside in a process that serves: package
// offline/outside has a child process read those.
package source
