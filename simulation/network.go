package simulation

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"featurestore/meta"
	"featurestore/replication"
)

// Link is how one direction between two regions behaves. The zero Link is
// perfect.
type Link struct {
	Delay  time.Duration
	Jitter time.Duration // up to so much more, drawn for each message
	Loss   float64       // share of messages that are lost
	Repeat float64       // share that arrive twice
	Mix    float64       // share that others overtake
	Cut    bool
}

// Network carries conversations between the stores of one simulation.
type Network struct {
	mu struct {
		sync.Mutex
		random    *rand.Rand
		links     map[[2]meta.Region]Link
		endpoints map[string]*Endpoint // by address
	}
}

// NewNetwork returns a network of perfect links whose chances come from a seed.
func NewNetwork(seed uint64) *Network {
	n := &Network{}
	n.mu.random = rand.New(rand.NewPCG(seed, 0x6e6574))
	n.mu.links, n.mu.endpoints = map[[2]meta.Region]Link{}, map[string]*Endpoint{}
	return n
}

// Set changes a direction. What is under way is not affected, but a message
// that arrives over a cut link is lost.
func (n *Network) Set(from, to meta.Region, l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.links[[2]meta.Region{from, to}] = l
}

// Link returns how a direction behaves.
func (n *Network) Link(from, to meta.Region) Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.links[[2]meta.Region{from, to}]
}

// fate draws what becomes of one message: when it arrives, never to never.
func (n *Network) fate(from, to meta.Region) (arrivals []time.Duration, mixed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l, r := n.mu.links[[2]meta.Region{from, to}], n.mu.random
	if l.Cut || r.Float64() < l.Loss {
		return nil, false
	}
	delay := l.Delay
	if l.Jitter > 0 {
		delay += time.Duration(r.Int64N(int64(l.Jitter)))
	}
	arrivals = append(arrivals, delay)
	if r.Float64() < l.Repeat {
		arrivals = append(arrivals, delay+time.Duration(r.Int64N(int64(time.Second))))
	}
	return arrivals, r.Float64() < l.Mix
}

// Endpoint is one store's place in the network. It is a replication.Transport.
type Endpoint struct {
	network *Network
	region  meta.Region
	address string
	calls   chan *conversation
}

// Endpoint gives a store a place under an address; one that was there before
// gets no more calls.
func (n *Network) Endpoint(region meta.Region, address string) *Endpoint {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := &Endpoint{network: n, region: region, address: address, calls: make(chan *conversation, 64)}
	n.mu.endpoints[address] = e
	return e
}

// Remove takes a store's place away: nobody reaches it any more.
func (n *Network) Remove(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.mu.endpoints, address)
}

func (n *Network) find(address string) *Endpoint {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.endpoints[address]
}

var errUnreachable = errors.New("unreachable")

// Dial implements replication.Transport. It takes a round trip.
func (e *Endpoint) Dial(ctx context.Context, peer meta.Member, hello replication.Hello) (replication.Conversation, error) {
	other := e.network.find(peer.Address)
	if other == nil {
		return nil, errUnreachable
	}
	// A handshake that is lost is tried again by its protocol: only cuts count.
	there, back := e.network.Link(e.region, other.region), e.network.Link(other.region, e.region)
	if err := sleep(ctx, there.Delay+back.Delay); err != nil {
		return nil, err
	}
	if there.Cut || back.Cut {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	ours, theirs := newConversation(e.network, e.region, other.region)
	theirs.peer = hello
	select {
	case other.calls <- theirs:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case ours.peer = <-ours.answer:
		return ours, nil
	case <-ours.done:
		return nil, errUnreachable
	case <-ctx.Done():
		_ = ours.Close()
		return nil, ctx.Err()
	}
}

// Accept implements replication.Transport.
func (e *Endpoint) Accept(ctx context.Context, hello func() replication.Hello) (replication.Conversation, error) {
	select {
	case c := <-e.calls:
		c.other.answer <- hello()
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// conversation is one side of a conversation.
type conversation struct {
	network  *Network
	from, to meta.Region
	other    *conversation
	peer     replication.Hello
	answer   chan replication.Hello
	inbox    chan replication.Message // what has arrived
	done     chan struct{}
	close    *sync.Once

	mu struct {
		sync.Mutex
		last time.Time // when the latest message arrives, for those that keep order
	}
}

// maxArrived bounds what has arrived and was not received: the sender waits.
const maxArrived = 256

func newConversation(n *Network, a, b meta.Region) (ours, theirs *conversation) {
	done, once := make(chan struct{}), new(sync.Once)
	ours = &conversation{network: n, from: a, to: b, answer: make(chan replication.Hello, 1), inbox: make(chan replication.Message, maxArrived), done: done, close: once}
	theirs = &conversation{network: n, from: b, to: a, answer: make(chan replication.Hello, 1), inbox: make(chan replication.Message, maxArrived), done: done, close: once}
	ours.other, theirs.other = theirs, ours
	return ours, theirs
}

// Peer implements replication.Conversation.
func (c *conversation) Peer() replication.Hello { return c.peer }

// Send implements replication.Conversation.
func (c *conversation) Send(ctx context.Context, m replication.Message) error {
	select {
	case <-c.done:
		return errUnreachable
	case <-ctx.Done():
		return ctx.Err()
	default:
	}
	arrivals, mixed := c.network.fate(c.from, c.to)
	for _, after := range arrivals {
		at := time.Now().Add(after)
		c.mu.Lock()
		if !mixed && !at.After(c.mu.last) {
			at = c.mu.last.Add(1) // what happens at the same moment happens in any order
		}
		c.mu.last = at
		c.mu.Unlock()
		if time.Until(at) <= 0 {
			c.deliver(m)
			continue
		}
		time.AfterFunc(time.Until(at), func() { c.deliver(m) })
	}
	return nil
}

// deliver hands m over, unless the link was cut meanwhile or the other side
// does not keep up: what it does not take is lost like any other message.
func (c *conversation) deliver(m replication.Message) {
	if c.network.Link(c.from, c.to).Cut {
		return
	}
	select {
	case c.other.inbox <- m:
	case <-c.done:
	default:
	}
}

// Receive implements replication.Conversation.
func (c *conversation) Receive(ctx context.Context) (replication.Message, error) {
	select {
	case m := <-c.inbox:
		return m, nil
	case <-c.done:
		return nil, errUnreachable
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close implements replication.Conversation.
func (c *conversation) Close() error {
	c.close.Do(func() { close(c.done) })
	return nil
}
