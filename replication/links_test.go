package replication

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/sync/semaphore"

	"featurestore/meta"
)

// brokenConversation is one that the peer has ended.
type brokenConversation struct{ Conversation }

func (brokenConversation) Send(context.Context, Message) error { return errors.New("broken") }

// What a link is given after its conversation broke, and before the node learns
// of that, is answered: else the peer would count as being served for ever, and
// get nothing in its next conversation either.
func TestWhatALinkIsGivenAfterItsEndIsAnswered(t *testing.T) {
	for _, c := range []struct {
		claim string
		end   func(*link)
	}{
		{"a message could not be sent", func(l *link) {
			l.send(Ping{})
			if err := l.say(t.Context()); err == nil {
				t.Error("the conversation is broken, and goes on")
			}
		}},
		{"the peer has hung up", func(l *link) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := l.say(ctx); err == nil {
				t.Error("the conversation has ended, and goes on")
			}
		}},
	} {
		n := &Node{}
		n.inbox.wake = make(chan struct{}, 1)
		l := &link{conversation: brokenConversation{}, peer: "us-1", serving: true, wake: make(chan struct{}, 1)}
		n.links.node = n
		n.links.mu.serving = map[meta.StoreID]*link{"us-1": l}
		c.end(l)
		n.links.serve(Serve{To: "us-1", Reads: []LogRead{{Origin: 1}}})
		var served, ended int
		for _, e := range n.inbox.take() {
			switch in := e.input.(type) {
			case Served:
				if in.Err != nil {
					served++
				}
			case ServeEnded:
				ended++
			}
		}
		if served != 1 || ended != 1 {
			t.Errorf("%s: %d reads failed and %d ends were told, want one each", c.claim, served, ended)
		}
	}
}

// dialed is a transport that says whom it is to dial.
type dialed chan meta.Member

func (d dialed) Dial(ctx context.Context, x meta.Member, _ Hello) (Conversation, error) {
	select {
	case d <- x:
	case <-ctx.Done():
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func (dialed) Accept(context.Context, func() Hello) (Conversation, error) { return nil, errEnded }

// A store that stands where another one stood is dialed as itself: at the same
// address the one that was meant before would be refused for ever.
func TestAnAddressIsDialedForTheStoreThatStandsThere(t *testing.T) {
	transport := make(dialed)
	n := &Node{cfg: Config{Self: meta.Member{Store: "eu-1", Region: "eu", Origin: 1}, Transport: transport}.withDefaults()}
	n.links.node = n
	n.links.mu.dialing = map[string]dialing{}
	ctx, cancel := context.WithCancel(t.Context())
	defer n.wg.Wait()
	defer cancel()
	for _, store := range []meta.StoreID{"us-1", "us-2"} {
		n.membership.Store(&meta.Membership{Revision: 1, Members: meta.Members{{Store: store, Region: "us", Origin: 2, Address: "us:1", State: meta.Active}}})
		n.links.dialMembers(ctx)
		if x := <-transport; x.Store != store {
			t.Errorf("store %s is dialed, want %s", x.Store, store)
		}
	}
}

// What a store said before it was started anew must not be taken for what it
// says now.
func TestNothingOfAConversationComesAfterTheNextBegan(t *testing.T) {
	n := &Node{cfg: Config{}.withDefaults()}
	n.inbox.wake, n.inbox.room = make(chan struct{}, 1), semaphore.NewWeighted(maxInbox)
	n.links.node = n
	n.links.mu.serving = map[meta.StoreID]*link{}
	links := make([]*link, 2)
	for i := range links {
		links[i] = &link{peer: "us-1", serving: true, cancel: func() {}}
		n.links.open(links[i], Hello{})
	}
	n.inbox.take()
	if err := n.links.push(links[0], event{input: Received{From: "us-1"}}); !errors.Is(err, errEnded) || len(n.inbox.take()) > 0 {
		t.Errorf("what the first said is taken, %v", err)
	}
	if err := n.links.push(links[1], event{input: Received{From: "us-1"}}); err != nil || len(n.inbox.take()) != 1 {
		t.Errorf("what the second said is not taken, %v", err)
	}
}

// visit is a conversation with a peer, and what it was told in it.
type visit struct {
	Conversation
	peer   meta.Member
	told   []Message
	closed bool
}

func (v *visit) Peer() Hello { return Hello{Member: v.peer} }

func (v *visit) Send(_ context.Context, m Message) error {
	v.told = append(v.told, m)
	return nil
}

func (v *visit) Close() error {
	v.closed = true
	return nil
}

// The store that followed it keeps its conversation, and the old one learns why
// it has none.
func TestAStoreThatWasFollowedByAnotherIsToldSo(t *testing.T) {
	m := &meta.Membership{
		Members: meta.Members{{Store: "us-1", Region: "us", Origin: 3, State: meta.Active}},
		Seals:   []meta.Seal{{Origin: 2, Store: "us-1"}},
	}
	n := &Node{cfg: Config{}.withDefaults()}
	n.membership.Store(m)
	current := &link{peer: "us-1", serving: true, cancel: func() { t.Error("the conversation with the one that followed was ended") }}
	n.links.node = n
	n.links.mu.serving = map[meta.StoreID]*link{"us-1": current}
	old := &visit{peer: meta.Member{Store: "us-1", Region: "us", Origin: 2}}
	n.links.converse(t.Context(), old, true)
	if len(old.told) != 1 || old.told[0] != (MembershipNews{Membership: m}) || !old.closed {
		t.Errorf("it was told %v, closed %v; want the membership, and an end", old.told, old.closed)
	}
	if n.links.mu.serving["us-1"] != current {
		t.Error("the conversation with the one that followed was replaced")
	}
}
