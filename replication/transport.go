package replication

import (
	"context"

	"featurestore/meta"
)

// Transport carries messages between stores. Production has streams of gRPC
// (package peer), simulations a network in memory that delays, drops, repeats
// and reorders.
type Transport interface {
	// Dial opens a conversation with a peer and returns when it is open. It
	// sends hello and checks the other's; it fails when the two do not belong
	// together (ErrForeign).
	Dial(ctx context.Context, peer meta.Member, hello Hello) (Conversation, error)
	// Accept returns the next conversation that a peer opened, after its hello
	// was checked and answered with hello. It fails when ctx ends.
	Accept(ctx context.Context, hello func() Hello) (Conversation, error)
}

// Conversation is one bidirectional sequence of messages. Each ordered pair of
// stores has one: the store that dials asks and tells (Follow, Status, Ping,
// Fetch), the store that accepts serves (Interval, Closed, Truncated, Chunk,
// Pong), so that neither waits behind the other's data. Send and Receive may
// run at the same time, each in one goroutine.
type Conversation interface {
	// Peer is the other's hello.
	Peer() Hello
	// Send hands m over, waiting while the other does not take any. It returns
	// an error once the conversation has ended.
	Send(ctx context.Context, m Message) error
	// Receive returns the next message, or an error once the conversation has
	// ended. A message that cannot be read ends it.
	Receive(ctx context.Context) (Message, error)
	// Close ends the conversation, for both.
	Close() error
}
