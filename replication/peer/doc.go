// Package peer carries the messages of replication between stores, over gRPC.
//
// A conversation is one bidirectional stream over a TCP connection of its own.
// It begins with a handshake: both sides show who they are and then prove, by
// an HMAC over both greetings, that they hold the deployment's secret. The
// frames are those of wire/peer.proto. Proofs keep strangers out; they encrypt
// nothing, so what runs between regions wants a private network or a tunnel.
//
// Invariants:
//
//	N1. A conversation is handed out only between two stores that fit: same
//	    deployment, incarnation, format and secret, different store ids.
//	N2. The secret never travels, and a proof is good for one conversation and
//	    one role only.
//	N3. Decoding what encoding wrote gives the message; decoding anything else
//	    gives a message or an error, never a panic, and allocates a small
//	    multiple of what came, of MaxMessageBytes at most once expanded.
//	N4. What cannot be read ends the conversation, for both sides, and counts as
//	    refused.
//	N5. A side that takes nothing makes the other wait: at most a window and two
//	    messages of a conversation are in memory.
//	N6. A connection whose peer has not proved the secret costs strangerBytes and
//	    Patience at most, and there are Strangers of them at most.
//	N7. Run returns after every conversation has ended, and leaves no goroutine.
//
// The exchange of proofs is the mutual authentication of ISO/IEC 9798-4 with a
// fourth pass, so that it is the dialer who proves first, and with both greetings
// in place of the names.
package peer
