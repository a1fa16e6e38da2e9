package replication

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

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

// dialing is whom an address is dialed for, and how to stop.
type dialing struct {
	peer   meta.Member
	cancel context.CancelFunc
}

// link is one conversation with what waits to be said in it.
type link struct {
	conversation Conversation
	peer         meta.StoreID
	serving      bool
	cancel       context.CancelFunc
	wake         chan struct{}
	reads        rowReads

	mu struct {
		sync.Mutex
		ended    bool // nothing is said any more
		messages []Message
		status   *Status // merged, for a status tells only what changed
		tasks    []task
	}
}

// task is something to do in a conversation. It is done once, also when the
// conversation has ended: it finds out by sending.
type task func(context.Context, Conversation) error

// maxMessages bounds what waits to be said to one peer. What is beyond it is
// lost, as on a bad line.
const maxMessages = 256

func (l *link) send(m Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s, ok := m.(Status); ok {
		l.merge(s)
	} else if len(l.mu.messages) < maxMessages {
		l.mu.messages = append(l.mu.messages, m)
	}
	l.awake()
}

// merge puts a status over one that was not said yet.
func (l *link) merge(s Status) {
	if l.mu.status != nil {
		progress := maps.Clone(l.mu.status.Progress)
		maps.Copy(progress, s.Progress)
		s.Progress = progress
	}
	l.mu.status = &s
}

// task has f done, or returns false when the conversation has ended.
func (l *link) task(f task) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.ended {
		return false
	}
	l.mu.tasks = append(l.mu.tasks, f)
	l.awake()
	return true
}

func (l *link) awake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// take returns what waits.
func (l *link) take() (messages []Message, tasks []task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	messages, tasks = l.mu.messages, l.mu.tasks
	if l.mu.status != nil {
		messages = append(messages, *l.mu.status)
	}
	l.mu.messages, l.mu.tasks, l.mu.status = nil, nil, nil
	return messages, tasks
}

// say sends what waits until the conversation ends.
func (l *link) say(ctx context.Context) error {
	for {
		messages, tasks := l.take()
		for _, m := range messages {
			if err := l.conversation.Send(ctx, m); err != nil {
				l.abandon(ctx, tasks)
				return err
			}
		}
		for i, f := range tasks {
			if err := f(ctx, l.conversation); err != nil {
				l.abandon(ctx, tasks[i+1:])
				return err
			}
		}
		if len(messages)+len(tasks) > 0 {
			continue
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
			l.abandon(ctx, nil)
			return ctx.Err()
		}
	}
}

// abandon lets tasks find out that the conversation has ended: they answer for
// what they were to do.
func (l *link) abandon(ctx context.Context, tasks []task) {
	l.mu.Lock()
	l.mu.ended = true
	l.mu.Unlock()
	_, late := l.take()
	for _, f := range append(tasks, late...) {
		_ = f(ctx, ended{l.conversation})
	}
}

// ended is a conversation that is over.
type ended struct{ Conversation }

var errEnded = errors.New("the conversation has ended")

// Send fails.
func (ended) Send(context.Context, Message) error { return errEnded }

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
		switch m := m.(type) {
		case ReadRows:
			n.serveRows(ctx, l, m)
			continue
		case RowsRead:
			n.rowsRead(l.peer, m)
			continue
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
	k.remove(l)
	k.node.abandonAsks(l)
}

// remove takes l away, unless another conversation has its place.
func (k *links) remove(l *link) {
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

// accept takes conversations that peers begin.
func (n *Node) accept(ctx context.Context) error {
	for {
		c, err := n.cfg.Transport.Accept(ctx, n.hello)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		n.wg.Go(func() { n.links.converse(ctx, c, true) })
	}
}

// hello is how this store introduces itself.
func (n *Node) hello() Hello {
	x := n.cfg.Self
	if y, ok := n.membership.Load().Member(x.Store); ok && y.Origin == x.Origin {
		x.State = y.State
	}
	return Hello{Member: x, Deployment: n.cfg.Deployment, Incarnation: n.cfg.Incarnation}
}

// dialMembers begins to dial every member, and every seed whose region has no
// member yet, and stops dialing those that are gone. Where a store was put in
// the place of another, its address is dialed for the new one.
func (k *links) dialMembers(ctx context.Context) {
	want := k.node.addresses()
	k.mu.Lock()
	defer k.mu.Unlock()
	for address, d := range k.mu.dialing {
		if x, ok := want[address]; !ok || d.peer.Store != "" && d.peer.Store != x.Store {
			d.cancel()
			delete(k.mu.dialing, address)
		}
	}
	for _, address := range slices.Sorted(maps.Keys(want)) {
		if k.mu.dialing[address].cancel != nil {
			continue
		}
		peer := want[address]
		ctx, cancel := context.WithCancel(ctx)
		k.mu.dialing[address] = dialing{peer, cancel}
		k.node.wg.Go(func() { k.dial(ctx, peer) })
	}
}

// addresses are the peers to dial.
func (n *Node) addresses() map[string]meta.Member {
	out := map[string]meta.Member{}
	known := map[meta.Region]bool{}
	for _, x := range n.membership.Load().Members {
		if x.Store == n.cfg.Self.Store || x.State == meta.Removed {
			continue
		}
		known[x.Region] = true
		if x.Address = n.addressOf(x); x.Address != "" {
			out[x.Address] = x
		}
	}
	for _, s := range n.cfg.Seeds {
		if !known[s.Region] && s.Region != n.cfg.Self.Region {
			out[s.Address] = s
		}
	}
	return out
}

func (n *Node) addressOf(x meta.Member) string {
	for _, s := range n.cfg.Seeds {
		if s.Region == x.Region && (s.Store == "" || s.Store == x.Store) {
			return s.Address
		}
	}
	return x.Address
}

// dial keeps up a conversation with one peer until ctx ends.
func (k *links) dial(ctx context.Context, peer meta.Member) {
	n := k.node
	wait := n.cfg.Reconnect
	for ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, max(n.cfg.ReconnectMax, 4*n.cfg.Stall))
		c, err := n.cfg.Transport.Dial(attempt, peer, n.hello())
		cancel()
		if err == nil {
			wait = n.cfg.Reconnect
			k.converse(ctx, c, false)
		} else if !errors.Is(err, context.Canceled) {
			n.cfg.Logger.Debug("peer is not reached", "peer", peer.Store, "region", peer.Region, "address", peer.Address, "error", err)
		}
		timer := time.NewTimer(wait/2 + rand.N(wait/2+1))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		wait = min(2*wait, n.cfg.ReconnectMax)
	}
}
