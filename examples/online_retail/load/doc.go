// Load pushes the lines of the Online Retail file to a store.
//
// Invariants:
//
//	W1. Lines reach each view in the order of the file. Many share a minute, and
//	    of two writes with one event time the later wins: the order is data.
//	W2. A line counts once, however often the program runs: the pushes that
//	    count are always cut at the same lines, and each has an idempotency key
//	    made of the file's content and its first line. A store forgets keys after
//	    a day.
//	W3. Memory does not grow with the file: it is read as a stream, and at most
//	    three chunks a view are on their way.
//
// One goroutine reads; one for each view sends, one request at a time (W1).
// The three views with counters are written by sdk.Push, which takes a key. The
// fourth holds plain values only, so writing it twice is harmless: it is
// written by an sdk.Writer, which batches by itself and makes its own keys.
package main
