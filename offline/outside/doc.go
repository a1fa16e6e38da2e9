// Package outside reads files that others made, in a child process of this program.
// A damaged Parquet page ends the process that reads it (see offline/source), and a
// length in a file may claim any amount of memory: the process that dies of either
// is one that serves nobody.
//
//	parent                               child: featurestore read-rows
//	file opened, Request     ---->       limits itself, reads the file
//	Batch, Batch, …          <----       frames
//
// The child gets the open file as descriptor 3 and the Request as JSON on standard
// input, and answers on standard output in frames:
//
//	+------+-----------+-------------+---------+------+
//	| kind | u32 total | u32 headers | headers | body |
//	+------+-----------+-------------+---------+------+
//
// total counts all that follows it; headers are JSON; body, of a batch alone, is a
// member of a push request, "rows" or "columns", ready to be sent. What the child
// says is not trusted: lengths are bounded, and the rows are judged like those of any
// client.
//
// Invariants:
//
//	OU1. Whatever is in a file, the process that calls Open goes on: the child's
//	     death, silence, or nonsense is an error that names the file.
//	OU2. The child limits its own memory before it looks at the file.
//	OU3. Every row of the file is in exactly one batch as a row, as a fault, as empty
//	     or as beside the window; batches follow one another without gaps. A file is
//	     read to its end only if the last frame says so: nothing cut short looks whole.
//	OU4. The child has ended when Close returns.
package outside
