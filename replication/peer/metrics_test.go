package peer

import (
	"testing"

	"featurestore/replication"
)

func TestInstrumentsCountByPeer(t *testing.T) {
	figures := newFigures(t)
	dialed, accepted := converse(t, run(t, Config{Meter: figures.meter}), run(t, Config{}))
	ctx := deadline(t)
	const name = "featurestore.replication.peer."
	if got := figures.sum(t, name+"conversations", "role", "dialer"); got != 1 {
		t.Errorf("%d conversations are open, want 1", got)
	}
	m := replication.RegistryNews{Encoded: make([]byte, 5000)}
	if err := dialed.Send(ctx, m); err != nil {
		t.Fatal(err)
	}
	if _, err := accepted.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	if err := accepted.Send(ctx, m); err != nil {
		t.Fatal(err)
	}
	if _, err := dialed.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "5000 bytes to and from us-1", func() bool {
		return figures.sum(t, name+"sent", "peer", "us-1") >= 5000 && figures.sum(t, name+"received", "peer", "us-1") >= 5000
	})
	if err := dialed.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the conversation is not counted any more", func() bool {
		return figures.sum(t, name+"conversations", "role", "dialer") == 0
	})
}
