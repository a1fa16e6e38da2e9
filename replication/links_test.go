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

// Another store may come to live where one was: who is expected there is asked
// for by name.
func TestAnAddressIsDialedAnewForWhoFollowsThere(t *testing.T) {
	us, ap := meta.Member{Store: "us-1", Region: "us"}, meta.Member{Store: "ap-1", Region: "ap"}
	for _, tt := range []struct {
		claim       string
		peer, found meta.Member
		want        bool
	}{
		{"the same store, at another revision", us, meta.Member{Store: "us-1", Region: "us", Since: 3}, true},
		{"a seed that turned out to be a member", meta.Member{Region: "us"}, us, true},
		{"a store that was followed by another", us, ap, false},
		{"a seed of another region", meta.Member{Region: "us"}, ap, false},
	} {
		if got := (dialing{peer: tt.peer}).expects(tt.found); got != tt.want {
			t.Errorf("%s: expected %v, want %v", tt.claim, got, tt.want)
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
