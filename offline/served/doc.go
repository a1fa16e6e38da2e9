// Package served logs a sample of what a store served: every value of a lookup with its
// event time and status, the entity keys, and up to where the store had the logs when it
// read them. Package verify recomputes it from history.
//
//	lookup ──> Offer ──> queue ──> Run ──> <root>/event_date=YYYY-MM-DD/<first>-<number>-<sum>.parquet
//	             │ full: dropped, counted
//
// A row of a file is one cell of an answer, or one value that came with the request for
// a computation. The files are readable as they lie; package doc of columns.go says what
// each column is.
//
// Invariants:
//
//	SV1. What the log has of a lookup is what its answer said, cell for cell, and what was
//	     read for computed ones besides.
//	SV2. Offer never waits: what the queue has no room for is dropped, and counted.
//	SV3. Memory is bounded by Config.QueueBytes and FileBytes, and the disk by MaxBytes and
//	     Retain: the oldest files go.
//	SV4. A file appears whole or not at all. Its name has the sum of its contents; one whose
//	     contents are others is ErrCorrupt, by name, before a byte of it is decoded.
//	SV5. Whether a lookup is sampled depends on its request id and the fraction alone: every
//	     store of a deployment, and every repetition, decides alike.
package served
