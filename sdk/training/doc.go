// Package training reads training sets, and what else a store's history gives, as Arrow
// records: the part of the client that knows Arrow, for package sdk does not.
//
//	entity rows ──> Records, Structs ──> sdk.Client.Export ──> Reader ──> records
//
// Entity rows are records, or Go structs. They go to the store while they are read, and
// what comes back is handed out while it comes: neither is held.
//
//	type Line struct {
//		Driver int64     `key:"driver_id"`
//		At     time.Time `feature:"@event_time"`
//		Label  bool      `column:"label"`
//	}
//
// Whoever wants no Arrow of version 17 in a program calls sdk.Client.Export, which gives
// the stream of bytes, and reads it with another library.
//
// Invariants:
//
//	ST1. A Reader whose Err is nil at its end has handed out every row that the store
//	     made, as it was sent: its number and the sum of all bytes were compared.
//	ST2. Nothing is tried again once an answer has begun, or where entity rows can be
//	     read once alone.
//	ST3. No goroutine is started; the end of the context ends the export here and at the
//	     store.
package training
