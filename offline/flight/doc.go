// Package flight serves exports over Arrow Flight: rows of history, and training sets
// of the entity rows that a client sends. It is the third way beside the command and
// REST, and gives what they give (package export).
//
//	GetFlightInfo ── request ──> Past.Now ──> schema, and a ticket for each part
//	DoGet ── ticket ──> Past.At ──> Export.Run ──> messages ──> the client's pace
//	DoExchange ── request, entity rows ──> Training.Of ──> messages ──> the client's pace
//
// The server remembers nothing of a client: a ticket is the request, as JSON, with the
// commit of history and the revision of the definitions that it was given for
// (api.FlightRequest). Tickets are not signed. Whoever writes one himself asks for
// what he could have asked for, and is judged by the request in it.
//
// Invariants:
//
//	FL1. A stream that ends well brought all rows, and its last message has the
//	     manifest as its application metadata. Every other end is an error status.
//	FL2. A ticket is answered from the commit and the definitions that it names, by
//	     whatever process has them, or not at all.
//	FL3. A stream holds a record and three messages at most, whatever the client's
//	     pace: one that takes nothing keeps the reading of files waiting, and is
//	     let go of after Config.Stall.
//	FL4. A message is of at most messageBytes, but for a single row that is larger.
//	FL5. A stream ends with its client: no goroutine, open file, temporary file or
//	     pinned commit stays.
//	FL6. No more than Config.Streams run at a time, of them Config.Trainings that
//	     join: training sets, snapshots and changes. More are refused at once
//	     (ResourceExhausted).
//	FL7. Nothing that a client says of its records is believed
//	     (export.EntityStream): none can make the process panic.
//
// Flight is that of the Apache Arrow project, over gRPC; Flight SQL is not spoken.
package flight
