package relay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

const ms = time.Millisecond

// ends are two ends of a relayed connection, over pipes, in virtual time.
type ends struct {
	a, b  net.Conn // as the two stores hold them
	links *Links
	begun time.Time
	over  chan struct{} // closed when the pair has run
}

func relayed(t *testing.T, bufferBytes int, out, back Link) *ends {
	t.Helper()
	e := &ends{links: NewLinks("eu", "us"), begun: time.Now(), over: make(chan struct{})}
	e.set(t, out, back)
	var relayA, relayB net.Conn
	e.a, relayA = net.Pipe()
	e.b, relayB = net.Pipe()
	go func() {
		defer close(e.over)
		newPair(e.links, "eu", "us", bufferBytes).run(t.Context(), relayA, func(context.Context) (net.Conn, error) { return relayB, nil })
	}()
	t.Cleanup(func() { _ = e.a.Close(); _ = e.b.Close() })
	return e
}

func (e *ends) set(t *testing.T, out, back Link) {
	t.Helper()
	if err := errors.Join(e.links.Set("eu", "us", out), e.links.Set("us", "eu", back)); err != nil {
		t.Fatal(err)
	}
}

// say writes from a goroutine, as pipes wait for their reader.
func say(c net.Conn, text string) { go func() { _, _ = io.WriteString(c, text) }() }

// hear reads what was said and returns when it came.
func (e *ends) hear(t *testing.T, c net.Conn, want string) time.Duration {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("heard %q, %v, want %q", got, err, want)
	}
	return time.Since(e.begun)
}

func TestEachDirectionHasItsDelay(t *testing.T) { // G2
	synctest.Test(t, func(t *testing.T) {
		e := relayed(t, 1<<20, Link{Delay: 40 * ms}, Link{Delay: 10 * ms})
		say(e.a, "ask")
		if got, want := e.hear(t, e.b, "ask"), 90*ms; got != want {
			t.Errorf("the first byte came after %v, want %v: a round trip and the delay", got, want)
		}
		say(e.b, "answer")
		if got, want := e.hear(t, e.a, "answer"), 100*ms; got != want {
			t.Errorf("the answer came after %v, want %v", got, want)
		}
		e.set(t, Link{Delay: 5 * ms}, Link{})
		say(e.a, "again")
		if got, want := e.hear(t, e.b, "again"), 105*ms; got != want {
			t.Errorf("after a change it came after %v, want %v", got, want)
		}
	})
}

func TestDelayCostsNoBandwidth(t *testing.T) { // G1
	synctest.Test(t, func(t *testing.T) {
		e := relayed(t, 1<<20, Link{Delay: 100 * ms}, Link{})
		text := bytes.Repeat([]byte("0123456789abcdef"), 50_000)
		say(e.a, string(text))
		if got, want := e.hear(t, e.b, string(text)), 200*ms; got != want {
			t.Errorf("800 kB came after %v, want %v: each chunk waits beside the others", got, want)
		}
	})
}

func TestALostChunkComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := relayed(t, 1<<20, Link{Loss: 1}, Link{})
		say(e.a, "ask")
		if got, want := e.hear(t, e.b, "ask"), retransmission; got != want {
			t.Errorf("it came after %v, want %v", got, want)
		}
	})
}

func TestACutHoldsWhatIsSaid(t *testing.T) { // G1, G3
	synctest.Test(t, func(t *testing.T) {
		e := relayed(t, 1<<20, Link{Delay: 5 * ms}, Link{})
		say(e.a, "before")
		e.hear(t, e.b, "before")
		say(e.a, "under way")
		synctest.Wait()
		e.set(t, Link{Cut: true}, Link{})
		heard := make(chan time.Duration)
		go func() { heard <- e.hear(t, e.b, "under way, later") }()
		say(e.a, ", later")
		say(e.b, "the other direction")
		if got, want := e.hear(t, e.a, "the other direction"), 10*ms; got != want {
			t.Errorf("the open direction took until %v, want %v", got, want)
		}
		time.Sleep(time.Hour)
		select {
		case at := <-heard:
			t.Fatalf("it came after %v, through the cut", at)
		default:
		}
		e.set(t, Link{}, Link{})
		if got, want := <-heard, time.Hour+10*ms; got != want {
			t.Errorf("it came after %v, want %v: at the end of the cut", got, want)
		}
	})
}

func TestACutHoldsEnds(t *testing.T) { // G3
	synctest.Test(t, func(t *testing.T) {
		e := relayed(t, 1<<20, Link{}, Link{})
		say(e.a, "ask")
		e.hear(t, e.b, "ask")
		e.set(t, Link{}, Link{Cut: true})
		_ = e.b.Close()
		ended := make(chan error, 1)
		go func() {
			_, err := e.a.Read(make([]byte, 1))
			ended <- err
		}()
		time.Sleep(time.Hour)
		select {
		case err := <-ended:
			t.Fatalf("the end came through the cut: %v", err)
		default:
		}
		_ = e.a.Close() // now both have given up
		<-e.over
	})
}

func TestACutHoldsLittle(t *testing.T) { // G4
	synctest.Test(t, func(t *testing.T) {
		const limit = 100_000
		e := relayed(t, limit, Link{}, Link{})
		say(e.a, "ask")
		e.hear(t, e.b, "ask")
		e.set(t, Link{Cut: true}, Link{})
		taken := make(chan int, 1)
		go func() {
			n, _ := e.a.Write(make([]byte, 10*limit))
			taken <- n
		}()
		time.Sleep(time.Hour)
		_ = e.a.Close()
		if got := <-taken; got < limit/2 || got > limit+chunkBytes {
			t.Errorf("%d bytes were taken, want about %d", got, limit)
		}
	})
}

func TestNewConnectionsWaitForBothDirections(t *testing.T) { // G3
	for _, cut := range [][2]Link{{{Cut: true}, {}}, {{}, {Cut: true}}} {
		synctest.Test(t, func(t *testing.T) {
			e := relayed(t, 1<<20, cut[0], cut[1])
			heard := make(chan time.Duration)
			go func() { heard <- e.hear(t, e.b, "ask") }()
			say(e.a, "ask")
			time.Sleep(time.Minute)
			e.set(t, Link{}, Link{})
			if got := <-heard; got != time.Minute {
				t.Errorf("it came after %v, want %v", got, time.Minute)
			}
		})
	}
}

func TestWhoGivesUpDuringACutIsGone(t *testing.T) { // G5
	synctest.Test(t, func(t *testing.T) {
		e := relayed(t, 1<<20, Link{Cut: true}, Link{})
		synctest.Wait()
		_ = e.a.Close()
		<-e.over
	})
}

func TestAResetReachesTheOtherEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := relayed(t, 1<<20, Link{Delay: ms}, Link{Delay: ms})
		say(e.a, "ask")
		e.hear(t, e.b, "ask")
		_ = e.b.Close()
		say(e.a, "to nobody")
		if n, err := e.a.Read(make([]byte, 1)); err == nil {
			t.Errorf("read %d bytes of an end that is gone", n)
		}
		<-e.over
	})
}

func TestATargetThatIsNotThereEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, relayA := net.Pipe()
		defer a.Close()
		begun := time.Now()
		links := NewLinks("eu", "us")
		if err := links.Set("eu", "us", Link{Delay: 30 * ms}); err != nil {
			t.Fatal(err)
		}
		go newPair(links, "eu", "us", 1<<20).run(t.Context(), relayA, func(context.Context) (net.Conn, error) { return nil, errors.New("refused") })
		if _, err := a.Read(make([]byte, 1)); err == nil {
			t.Error("read something")
		}
		if got := time.Since(begun); got != 30*ms {
			t.Errorf("it ended after %v, want %v", got, 30*ms)
		}
	})
}
