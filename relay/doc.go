// Package relay puts links between regions on one machine: TCP connections pass
// through it with the delay, the losses and the cuts that were set, which change
// while it runs. It is for trying out and for tests of failures; it measures
// nothing and secures nothing.
//
// A Relay takes the connections that one region opens to an address of another.
// What the two ends say runs in two directions, each under its own link: bytes
// of a connection from eu to us run under the link from eu to us, answers under
// the link from us to eu.
//
// Bytes are taken in chunks of 16 KiB at most, each with the time at which it is
// due: Delay after it was read. Chunks wait side by side, so that a delay does
// not cost bandwidth while it times the bandwidth fits in BufferBytes. What a
// change of a link does:
//
//   - Delay counts for what is read from then on. Bytes never overtake, so after
//     a longer delay was lowered they wait behind those that had it.
//   - Loss is the probability for each chunk. TCP hides a lost segment from its
//     users but for the time it takes to send it again: the chunk and all that
//     follow come a round trip and 200 ms later.
//   - Cut holds what is under way and what comes, up to BufferBytes; then the
//     sender's own buffers fill. Nobody is told, as when packets are dropped. Ends
//     of connections are held too. After the cut, everything flows on at once.
//
// A new connection takes the round trip that TCP's handshake takes before its
// first byte moves, and waits while either direction is cut. The kernel of this
// machine answers its sender before the relay does, so connecting succeeds even
// then; what is said after that shows the cut.
//
// Invariants:
//
//	G1. Bytes come out as they went in, in order, or not at all.
//	G2. No byte comes earlier than the link's delay at the time it was read.
//	G3. While a direction is cut, nothing of it comes out, not even an end.
//	G4. A connection holds BufferBytes and a chunk in each direction at most, and
//	    there are MaxConnections at most.
//	G5. A connection that both ends have given up is gone, cut or not.
//	G6. Run returns after every connection has ended, and leaves no goroutine.
package relay
