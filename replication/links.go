package replication

import (
	"context"
	"errors"
	"sync"

	"featurestore/meta"
)

// links are the conversations of a node: at most one dialed and one serving
// with each peer, the latest of either.
type links struct {
	node *Node
	mu   struct {
		sync.Mutex
		dialed, serving map[meta.StoreID]*link
		dialing         map[string]dialing // by address
	}
}

// link is one conversation with what waits to be said in it.
type link struct {
	conversation Conversation
	peer         meta.StoreID
	serving      bool
	cancel       context.CancelFunc
	wake         chan struct{}

	mu struct {
		sync.Mutex
		ended    bool // nothing is said any more
		messages []Message
		status   *Status // merged, for a status tells only what changed
		tasks    []task
	}
}

// send says a message to a peer, if there is a conversation to say it in.
func (k *links) send(o Send) {
	if l := k.link(o.To, o.Serving); l != nil {
		l.send(o.Message)
	}
}

func (k *links) link(id meta.StoreID, serving bool) *link {
	k.mu.Lock()
	defer k.mu.Unlock()
	if serving {
		return k.mu.serving[id]
	}
	return k.mu.dialed[id]
}

// serve reads logs for a peer; ServeEnded follows whatever becomes of it.
func (k *links) serve(o Serve) {
	f := func(ctx context.Context, c Conversation) error {
		defer k.node.offer(ServeEnded{To: o.To})
		return k.node.serveReads(ctx, c, o)
	}
	if !k.task(o.To, f) {
		for _, r := range o.Reads {
			k.node.offer(Served{To: o.To, Read: r, Err: errEnded})
		}
		k.node.offer(ServeEnded{To: o.To})
	}
}

// serveChunk reads a chunk for a peer; ChunkServed follows whatever becomes of it.
func (k *links) serveChunk(o ServeChunk) {
	served := ChunkServed{To: o.To, Shard: o.Fetch.Shard}
	f := func(ctx context.Context, c Conversation) error {
		defer k.node.offer(served)
		return k.node.serveChunk(ctx, c, o)
	}
	if !k.task(o.To, f) {
		k.node.offer(served)
	}
}

// task does something in the conversation that a peer dialed; false when there
// is none.
func (k *links) task(to meta.StoreID, f task) bool {
	l := k.link(to, true)
	return l != nil && l.task(f)
}

// converse keeps up one conversation until it ends. With a store that another
// has followed under its name there is none: it would end the other's, and the
// other its, before either had said much.
func (k *links) converse(ctx context.Context, c Conversation, serving bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	hello := c.Peer()
	if m := k.node.membership.Load(); m.IsSucceeded(hello.Member) {
		err := c.Send(ctx, MembershipNews{Membership: m})
		k.node.cfg.Logger.Warn("a store that was evicted came back while another lives under its name; it is told so",
			"peer", hello.Member.Store, "origin", hello.Member.Origin, "error", errors.Join(err, c.Close()))
		return
	}
	l := &link{conversation: c, peer: hello.Member.Store, serving: serving, cancel: cancel, wake: make(chan struct{}, 1)}
	k.open(l, hello)
	defer k.close(l)
	said := make(chan struct{})
	go func() {
		defer close(said)
		_ = l.say(ctx)
		cancel()
	}()
	err := k.listen(ctx, l)
	cancel()
	_ = c.Close()
	<-said
	k.node.cfg.Logger.Debug("conversation ended", "peer", l.peer, "serving", serving, "error", err)
}

// listen hands what the peer says to the core, as fast as it takes it.
func (k *links) listen(ctx context.Context, l *link) error {
	n := k.node
	for {
		m, err := l.conversation.Receive(ctx)
		if err != nil {
			return err
		}
		e := event{input: Received{From: l.peer, Message: m}}
		if iv, ok := m.(Interval); ok && len(iv.Entries) > 0 {
			e.bytes = min(int64(iv.SizeBytes()), n.cfg.FlightBytes)
			if err := n.flight.Acquire(ctx, e.bytes); err != nil {
				return err
			}
		}
		err = n.inbox.room.Acquire(ctx, 1)
		if err == nil {
			e.charged = true
			err = k.push(l, e)
		}
		if err != nil {
			if e.charged {
				n.inbox.room.Release(1)
			}
			if e.bytes > 0 {
				n.flight.Release(e.bytes)
			}
			return err
		}
	}
}

// push hands over what was said in l, unless another conversation took its place:
// what a life before said, such as how it numbers its statuses, must not come
// after the hello of the next.
func (k *links) push(l *link, e event) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.of(l)[l.peer] != l {
		return errEnded
	}
	k.node.inbox.push(e)
	return nil
}

// of are the conversations of l's kind. It is called with the lock held.
func (k *links) of(l *link) map[meta.StoreID]*link {
	if l.serving {
		return k.mu.serving
	}
	return k.mu.dialed
}

// open makes l the conversation with its peer; one before it ends.
func (k *links) open(l *link, hello Hello) {
	k.mu.Lock()
	defer k.mu.Unlock()
	of := k.of(l)
	if old := of[l.peer]; old != nil {
		old.cancel()
	}
	of[l.peer] = l
	k.node.offer(Opened{Hello: hello, Serving: l.serving})
}

func (k *links) close(l *link) {
	k.mu.Lock()
	defer k.mu.Unlock()
	of := k.of(l)
	if of[l.peer] == l {
		delete(of, l.peer)
		k.node.offer(Ended{Store: l.peer, Serving: l.serving})
	}
}

func (k *links) closeAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, of := range []map[meta.StoreID]*link{k.mu.dialed, k.mu.serving} {
		for _, l := range of {
			l.cancel()
		}
	}
	for _, d := range k.mu.dialing {
		d.cancel()
	}
}
