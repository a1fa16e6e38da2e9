package peer

import (
	"context"
	"errors"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"featurestore/meta"
	"featurestore/replication"
	"featurestore/replication/oplog"
	"featurestore/replication/peer/wire"
)

var testSecret = []byte("a secret of the deployment")

// patience bounds what a test waits for; it fails nothing that works.
const patience = time.Minute

func deadline(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// run runs a transport until the test ends.
func run(t testing.TB, cfg Config) *Transport {
	t.Helper()
	if cfg.Secret == nil {
		cfg.Secret = testSecret
	}
	if cfg.Listener == nil {
		cfg.Listen = "127.0.0.1:0"
	}
	tr, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- tr.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	return tr
}

func helloFrom(store meta.StoreID) replication.Hello {
	return replication.Hello{Deployment: "rides", Incarnation: 1, Member: meta.Member{Store: store, Region: "eu", State: meta.Active, Origin: 7}}
}

func memberAt(store meta.StoreID, tr *Transport) meta.Member {
	return meta.Member{Store: store, Address: tr.Addr().String()}
}

// converse opens a conversation from eu-1 to us-1.
func converse(t testing.TB, from, to *Transport) (dialed, accepted replication.Conversation) {
	t.Helper()
	return converseAt(t, from, to, to.Addr().String())
}

func converseAt(t testing.TB, from, to *Transport, address string) (dialed, accepted replication.Conversation) {
	t.Helper()
	ctx := deadline(t)
	got := make(chan replication.Conversation, 1)
	go func() {
		c, err := to.Accept(ctx, func() replication.Hello { return helloFrom("us-1") })
		if err != nil {
			t.Errorf("accept: %v", err)
		}
		got <- c
	}()
	dialed, err := from.Dial(ctx, meta.Member{Store: "us-1", Address: address}, helloFrom("eu-1"))
	if err != nil {
		t.Fatal(err)
	}
	if accepted = <-got; accepted == nil {
		t.FailNow()
	}
	t.Cleanup(func() {
		for _, c := range []replication.Conversation{dialed, accepted} {
			if err := c.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
	})
	return dialed, accepted
}

func TestBothSidesKnowEachOther(t *testing.T) {
	dialed, accepted := converse(t, run(t, Config{}), run(t, Config{}))
	if got, want := dialed.Peer(), helloFrom("us-1"); got != want {
		t.Errorf("the dialer's peer is %+v, want %+v", got, want)
	}
	if got, want := accepted.Peer(), helloFrom("eu-1"); got != want {
		t.Errorf("the acceptor's peer is %+v, want %+v", got, want)
	}
}

func TestStoresThatDoNotFitAreKeptApart(t *testing.T) { // N1
	for _, x := range []struct {
		claim        string
		secret       string
		hello        func(*replication.Hello)
		dialed       meta.StoreID
		want, reason string
	}{
		{"another secret", "a secret of another deployment", nil, "us-1", "another secret", "secret"},
		{"another deployment", "", func(h *replication.Hello) { h.Deployment = "shop" }, "us-1", `its deployment is \"shop\", this store's is \"rides\"`, "foreign"},
		{"another incarnation", "", func(h *replication.Hello) { h.Incarnation = 2 }, "us-1", "its incarnation is 2, this store's is 1", "foreign"},
		{"the same store id", "", func(h *replication.Hello) { h.Member.Store = "us-1" }, "", `its store id is \"us-1\", as this store's`, "foreign"},
		{"no store id", "", func(h *replication.Hello) { h.Member.Store = "" }, "us-1", "no store id", "foreign"},
		{"another store than was dialed", "", nil, "us-2", `its store id is "us-1", and "us-2" was dialed`, "broken"},
	} {
		t.Run(x.claim, func(t *testing.T) {
			log, refused := new(lines), newFigures(t)
			to := run(t, Config{Logger: log.logger(), Meter: refused.meter})
			dialerLog := new(lines)
			cfg := Config{Logger: dialerLog.logger()}
			if x.secret != "" {
				cfg.Secret = []byte(x.secret)
			}
			from := run(t, cfg)
			hello := helloFrom("eu-1")
			if x.hello != nil {
				x.hello(&hello)
			}
			ctx, stop := context.WithCancel(deadline(t))
			over := make(chan error)
			go func() {
				c, err := to.Accept(ctx, func() replication.Hello { return helloFrom("us-1") })
				if err == nil {
					t.Errorf("accepted %+v", c.Peer())
				}
				over <- err
			}()
			c, err := from.Dial(ctx, memberAt(x.dialed, to), hello)
			if !errors.Is(err, replication.ErrForeign) || !strings.Contains(err.Error(), x.want) {
				t.Errorf("dialed %v, %v, want a foreign store with %q", c, err, x.want)
			}
			refused.wait(ctx, t, x.reason)
			log.wait(ctx, t, "refused a peer")
			dialerLog.wait(ctx, t, "level=WARN msg=\"a peer does not fit\" peer="+to.Addr().String())
			if got := from.Refused(); len(got) != 1 || got[0].Peer != to.Addr().String() || !errors.Is(got[0].Err, replication.ErrForeign) {
				t.Errorf("the dialer tells of %v", got)
			}
			if got := to.Refused(); len(got) != 1 || x.reason != "broken" && got[0].Peer != string(hello.Member.Store) {
				t.Errorf("the acceptor tells of %v", got)
			}
			stop()
			<-over
		})
	}
}

// stranger speaks the protocol by hand, over a connection without a Transport.
func stranger(t *testing.T, tr *Transport) grpc.ClientStream {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+tr.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s, err := wire.NewPeerClient(conn).Converse(deadline(t), grpc.ForceCodecV2(rawCodec{}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func say(t *testing.T, s stream, f *wire.Frame) {
	t.Helper()
	b, err := proto.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := sendFrame(s, mem.SliceBuffer(b)); err != nil {
		t.Fatal(err)
	}
}

// accepting has tr accept as us-1 until the test ends; what it accepts is an
// error.
func accepting(t *testing.T, tr *Transport) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		if c, err := tr.Accept(ctx, func() replication.Hello { return helloFrom("us-1") }); err == nil {
			t.Errorf("accepted %+v", c.Peer())
		}
	}()
	t.Cleanup(func() { stop(); <-over })
}

func TestAStrangerLearnsNoProof(t *testing.T) { // N1, N2
	nonce := make([]byte, nonceBytes)
	greet := greetingFrame(helloFrom("eu-1"), nonce)
	newer := greetingFrame(helloFrom("eu-1"), nonce)
	newer.GetGreeting().Format = 9
	short := greetingFrame(helloFrom("eu-1"), nonce[:5])
	for _, x := range []struct {
		claim string
		says  []*wire.Frame
		code  codes.Code
		want  string
	}{
		{"no greeting", []*wire.Frame{{Body: &wire.Frame_Ping{Ping: &wire.Ping{}}}}, codes.InvalidArgument, "want a greeting first"},
		{"another format", []*wire.Frame{newer}, codes.FailedPrecondition, "its format is 9, this store's is 1"},
		{"a short nonce", []*wire.Frame{short}, codes.InvalidArgument, "nonce has 5 bytes, want 32"},
		{"data instead of a proof", []*wire.Frame{greet, {Body: &wire.Frame_Ping{Ping: &wire.Ping{}}}}, codes.InvalidArgument, "want the proof"},
		{"a made-up proof", []*wire.Frame{greet, {Body: &wire.Frame_Proof{Proof: nonce}}}, codes.Unauthenticated, "another secret"},
	} {
		t.Run(x.claim, func(t *testing.T) {
			tr := run(t, Config{})
			accepting(t, tr)
			s := stranger(t, tr)
			for i, f := range x.says {
				if i > 0 {
					if _, err := receiveFrame(s); err != nil {
						t.Fatal(err)
					}
				}
				say(t, s, f)
			}
			var frame []byte
			err := s.RecvMsg(&frame)
			if status.Code(err) != x.code || !strings.Contains(err.Error(), x.want) {
				t.Errorf("got %x, %v, want %v with %q", frame, err, x.code, x.want)
			}
		})
	}
}

func TestAProofIsGoodForOneRoleAndOneConversation(t *testing.T) { // N2
	key, err := deriveKey(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	good := proof(key, dialer, []byte("greeting 1"), []byte("greeting 2"))
	if err := checkProof(good, key, dialer, []byte("greeting 1"), []byte("greeting 2")); err != nil {
		t.Errorf("the right proof: %v", err)
	}
	for claim, err := range map[string]error{
		"the other role":         checkProof(good, key, acceptor, []byte("greeting 1"), []byte("greeting 2")),
		"another conversation":   checkProof(good, key, dialer, []byte("greeting 3"), []byte("greeting 2")),
		"greetings cut anew":     checkProof(good, key, dialer, []byte("greeting 1g"), []byte("reeting 2")),
		"another key":            checkProof(good, []byte("key"), dialer, []byte("greeting 1"), []byte("greeting 2")),
		"half of the same proof": checkProof(good[:16], key, dialer, []byte("greeting 1"), []byte("greeting 2")),
	} {
		if !errors.Is(err, errSecret) || !errors.Is(err, replication.ErrForeign) {
			t.Errorf("%s: got %v, want another secret", claim, err)
		}
	}
}

func TestAStrangerCostsLittle(t *testing.T) { // N6
	tr := run(t, Config{})
	accepting(t, tr)
	s := stranger(t, tr)
	say(t, s, &wire.Frame{Body: &wire.Frame_Registry{Registry: &wire.RegistryNews{Encoded: make([]byte, 1<<20)}}})
	var frame []byte
	if err := s.RecvMsg(&frame); status.Code(err) != codes.Unavailable {
		t.Errorf("a greeting of 1 MiB got %v, want a lost connection", err)
	}
}

func TestStrangersAreFew(t *testing.T) { // N6
	refused := newFigures(t)
	tr := run(t, Config{Strangers: 2, Meter: refused.meter})
	ctx := deadline(t)
	var conns []net.Conn
	for range 3 {
		conn, err := net.Dial("tcp", tr.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	refused.wait(ctx, t, "busy")
	_ = conns[0].Close() // its place goes to the next that fits
	_ = conns[1].Close()
	from := run(t, Config{})
	for { // the store notices a moment later
		got := make(chan error, 1)
		once, stop := context.WithCancel(ctx)
		go func() {
			_, err := tr.Accept(once, func() replication.Hello { return helloFrom("us-1") })
			got <- err
		}()
		_, err := from.Dial(ctx, memberAt("us-1", tr), helloFrom("eu-1"))
		if err != nil {
			stop()
		}
		accepted := <-got
		stop()
		if err == nil && accepted == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("no place became free: %v, %v", err, accepted)
		}
	}
}

func TestSilentStrangersAreSentAway(t *testing.T) { // N6
	tr := run(t, Config{Patience: time.Millisecond})
	conn, err := net.Dial("tcp", tr.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := conn.Read(make([]byte, 100)); err != nil {
			var slow net.Error
			if errors.As(err, &slow) && slow.Timeout() {
				t.Error("the connection stayed open")
			}
			return
		}
	}
}

func TestAStreamWithoutAGreetingIsSentAway(t *testing.T) { // N6
	tr := run(t, Config{Patience: 50 * time.Millisecond})
	accepting(t, tr)
	s := stranger(t, tr)
	var frame []byte
	if err := s.RecvMsg(&frame); status.Code(err) == codes.DeadlineExceeded {
		t.Error("the stream stayed open")
	}
}

// impostor answers a dialer as another store would, without its secret.
type impostor struct {
	wire.UnimplementedPeerServer
	greeting *wire.Frame
}

func (i impostor) Converse(s grpc.BidiStreamingServer[wire.Frame, wire.Frame]) error {
	forged := &wire.Frame{Body: &wire.Frame_Proof{Proof: make([]byte, 32)}}
	for _, answer := range []*wire.Frame{i.greeting, forged} {
		if _, err := receiveFrame(s); err != nil {
			return err
		}
		b, err := proto.Marshal(answer)
		if err != nil {
			return err
		}
		if err := s.SendMsg(mem.SliceBuffer(b)); err != nil {
			return err
		}
	}
	<-s.Context().Done()
	return nil
}

func TestAnImpostorIsNotTalkedTo(t *testing.T) { // N1, N2
	greet := func(change func(*wire.Greeting)) *wire.Frame {
		f := greetingFrame(helloFrom("us-1"), make([]byte, nonceBytes))
		change(f.GetGreeting())
		return f
	}
	for _, x := range []struct {
		claim    string
		greeting *wire.Frame
		want     string
	}{
		{"a made-up proof", greet(func(*wire.Greeting) {}), "another secret"},
		{"another format", greet(func(g *wire.Greeting) { g.Format = 9 }), "its format is 9, this store's is 1"},
		{"another deployment", greet(func(g *wire.Greeting) { g.Hello.Deployment = "shop" }), "deployment"},
	} {
		t.Run(x.claim, func(t *testing.T) {
			server := grpc.NewServer(grpc.ForceServerCodecV2(rawCodec{}), grpc.WaitForHandlers(true))
			wire.RegisterPeerServer(server, impostor{greeting: x.greeting})
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error)
			go func() { served <- server.Serve(l) }()
			t.Cleanup(func() { server.Stop(); <-served })
			c, err := run(t, Config{}).Dial(deadline(t), meta.Member{Store: "us-1", Address: l.Addr().String()}, helloFrom("eu-1"))
			if !errors.Is(err, replication.ErrForeign) || !strings.Contains(err.Error(), x.want) {
				t.Errorf("dialed %v, %v, want a foreign store with %q", c, err, x.want)
			}
		})
	}
}

func TestConversationsNobodyTakesEnd(t *testing.T) {
	to := run(t, Config{Patience: time.Millisecond})
	to.mu.hello = func() replication.Hello { return helloFrom("us-1") } // as after an Accept that ended
	close(to.asked)
	from := run(t, Config{})
	ctx := deadline(t)
	for ctx.Err() == nil { // the handshake itself may take longer than its patience
		c, err := from.Dial(ctx, memberAt("us-1", to), helloFrom("eu-1"))
		if err != nil {
			continue
		}
		if m, err := c.Receive(ctx); err == nil || !strings.Contains(err.Error(), errBusy.Error()) {
			t.Errorf("got %v, %v, want %q", m, err, errBusy)
		}
		return
	}
	t.Error("no handshake succeeded")
}

func TestMessagesPassInBothDirectionsAtOnce(t *testing.T) {
	all := interval128(t)
	for _, compress := range []bool{false, true} {
		dialed, accepted := converse(t, run(t, Config{Compress: compress}), run(t, Config{Compress: compress}))
		ctx := deadline(t)
		done := make(chan error)
		interval := func(i int) replication.Message {
			return replication.Interval{Interval: oplog.Interval{Origin: 1, After: all.After, Through: all.Through, Entries: all.Entries[:i%5]}}
		}
		const rounds = 300
		send := func(c replication.Conversation) {
			for i := range rounds {
				if err := c.Send(ctx, interval(i)); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}
		receive := func(c replication.Conversation) {
			for i := range rounds {
				got, err := c.Receive(ctx)
				if err == nil && len(got.(replication.Interval).Entries) != i%5 {
					err = errors.New("messages came out of order")
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}
		go send(dialed)
		go send(accepted)
		go receive(dialed)
		go receive(accepted)
		for range 4 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
}

func TestASlowReceiverHoldsTheSender(t *testing.T) { // N5
	const window, size = 64 << 10, 16 << 10
	dialed, accepted := converse(t, run(t, Config{WindowBytes: window}), run(t, Config{WindowBytes: window}))
	m := replication.RegistryNews{Encoded: make([]byte, size)}
	sent := 0
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		err := accepted.Send(ctx, m)
		cancel()
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			break
		}
		if sent++; sent > 100 {
			t.Fatalf("%d messages were taken that nobody received", sent)
		}
	}
	// The window, gRPC's queue of 64 KiB, what a loop holds at each end.
	if most := (window+64<<10)/size + 5; sent > most {
		t.Errorf("%d messages were taken, want %d at most", sent, most)
	}
	ctx := deadline(t)
	for i := range sent { // a Send that gave up sent nothing, and lost nothing
		got, err := dialed.Receive(ctx)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if err := accepted.Send(ctx, replication.Ping{ID: 5}); err != nil {
		t.Fatal(err)
	}
	if got, err := dialed.Receive(ctx); err != nil || got != (replication.Ping{ID: 5}) {
		t.Errorf("got %v, %v, want the message after", got, err)
	}
}

func TestReceiveGivesUpWithItsContext(t *testing.T) {
	dialed, accepted := converse(t, run(t, Config{}), run(t, Config{}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if m, err := dialed.Receive(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v", m, err)
	}
	if err := accepted.Send(deadline(t), replication.Ping{ID: 1}); err != nil {
		t.Fatal(err)
	}
	if m, err := dialed.Receive(deadline(t)); err != nil || m != (replication.Ping{ID: 1}) {
		t.Errorf("got %v, %v: the conversation goes on", m, err)
	}
}

func TestClosingEndsBothSides(t *testing.T) {
	from, to := run(t, Config{}), run(t, Config{})
	for _, x := range []struct {
		claim string
		close func(dialed, accepted replication.Conversation) (closed, other replication.Conversation)
	}{
		{"the dialer", func(d, a replication.Conversation) (replication.Conversation, replication.Conversation) { return d, a }},
		{"the acceptor", func(d, a replication.Conversation) (replication.Conversation, replication.Conversation) { return a, d }},
	} {
		t.Run(x.claim, func(t *testing.T) {
			closed, other := x.close(converse(t, from, to))
			if err := closed.Close(); err != nil {
				t.Fatal(err)
			}
			ctx := deadline(t)
			if m, err := other.Receive(ctx); err == nil || ctx.Err() != nil {
				t.Errorf("the other received %v, %v, want the end", m, err)
			}
			for _, c := range []replication.Conversation{closed, other} {
				if err := c.Send(ctx, replication.Ping{}); err == nil || ctx.Err() != nil {
					t.Errorf("sent after the end: %v", err)
				}
			}
		})
	}
}

func TestMalformedMessagesEndTheConversation(t *testing.T) { // N4
	refused := newFigures(t)
	dialed, accepted := converse(t, run(t, Config{}), run(t, Config{Meter: refused.meter}))
	ctx := deadline(t)
	dialed.(*conversation).out <- mem.SliceBuffer("nonsense")
	if m, err := accepted.Receive(ctx); !errors.Is(err, errMalformed) {
		t.Errorf("the receiver got %v, %v, want a malformed message", m, err)
	}
	if m, err := dialed.Receive(ctx); err == nil || !strings.Contains(err.Error(), "malformed") {
		t.Errorf("the sender got %v, %v, want to hear of it", m, err)
	}
	refused.wait(ctx, t, "malformed")
}

func TestMessagesBeyondTheLimitEndTheConversation(t *testing.T) { // N4
	dialed, accepted := converse(t, run(t, Config{}), run(t, Config{MaxMessageBytes: 1 << 10}))
	ctx := deadline(t)
	if err := dialed.Send(ctx, replication.RegistryNews{Encoded: make([]byte, 2<<10)}); err != nil {
		t.Fatal(err)
	}
	for side, c := range map[string]replication.Conversation{"receiver": accepted, "sender": dialed} {
		if m, err := c.Receive(ctx); err == nil || !strings.Contains(err.Error(), "larger than max") {
			t.Errorf("the %s got %v, %v, want the limit", side, m, err)
		}
	}
}

func TestManyConversationsAtOnce(t *testing.T) {
	from, to := run(t, Config{}), run(t, Config{})
	const many = 30
	for i := range many {
		dialed, accepted := converse(t, from, to)
		ctx := deadline(t)
		if err := dialed.Send(ctx, replication.Ping{ID: uint64(i)}); err != nil {
			t.Fatal(err)
		}
		if m, err := accepted.Receive(ctx); err != nil || m != (replication.Ping{ID: uint64(i)}) {
			t.Errorf("conversation %d got %v, %v", i, m, err)
		}
	}
}

func TestRunEndsWhatIsOpen(t *testing.T) { // N7
	stopped, err := New(Config{Secret: testSecret, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- stopped.Run(ctx) }()
	other := run(t, Config{})
	dialed, _ := converse(t, stopped, other)
	_, accepted := converse(t, other, stopped)
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, c := range []replication.Conversation{dialed, accepted} {
		if m, err := c.Receive(deadline(t)); err == nil {
			t.Errorf("received %v after the end", m)
		}
	}
	if _, err := stopped.Dial(deadline(t), memberAt("us-1", other), helloFrom("eu-1")); err == nil {
		t.Error("a stopped transport dialed")
	}
	if _, err := stopped.Accept(deadline(t), nil); !errors.Is(err, errStopped) {
		t.Errorf("accept after the end: %v", err)
	}
	if err := stopped.Run(t.Context()); err == nil {
		t.Error("it ran twice")
	}
}

func TestATransportThatNeverRanCloses(t *testing.T) {
	tr, err := New(Config{Secret: testSecret, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
	l, err := net.Listen("tcp", tr.Addr().String())
	if err != nil {
		t.Fatalf("the address is still taken: %v", err)
	}
	_ = l.Close()
}

func TestDialNamesWhatIsWrong(t *testing.T) {
	from := run(t, Config{})
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	for address, want := range map[string]string{"": "want host:port", gone.Addr().String(): "refused"} {
		if _, err := from.Dial(deadline(t), meta.Member{Store: "us-1", Address: address}, helloFrom("eu-1")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("dial %q: %v, want %q", address, err, want)
		}
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := silent.Accept()
		cancel()
		if err == nil {
			defer conn.Close()
			<-t.Context().Done()
		}
	}()
	_, err = run(t, Config{}).Dial(ctx, meta.Member{Address: silent.Addr().String()}, helloFrom("eu-1"))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestConfigTellsAllFaultsAtOnce(t *testing.T) {
	err := Config{Secret: []byte("short"), WindowBytes: 1, Strangers: -1, KeepaliveEvery: 1}.Validate()
	for _, want := range []string{"secret", "listen", "window_bytes", "strangers", "keepalive_every"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if err := (Config{Secret: testSecret, Listen: ":0"}).Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}
