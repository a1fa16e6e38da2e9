package relay

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestWhenAChunkIsDue(t *testing.T) {
	start := time.Unix(1_000, 0)
	const ms = time.Millisecond
	for _, x := range []struct {
		claim string
		last  time.Duration // due before, after start
		link  Link
		roll  float64
		want  time.Duration // after start
	}{
		{"no delay", 0, Link{}, 0, 0},
		{"a delay", 0, Link{Delay: 40 * ms}, 0, 40 * ms},
		{"not before an earlier one", 90 * ms, Link{Delay: 40 * ms}, 0, 90 * ms},
		{"lost", 0, Link{Delay: 40 * ms, Loss: 0.5}, 0.4, (40 + 40 + 30 + 200) * ms},
		{"not lost", 0, Link{Delay: 40 * ms, Loss: 0.5}, 0.5, 40 * ms},
		{"never lost", 0, Link{}, 0, 0},
	} {
		p := pace{last: start.Add(x.last)}
		if got := p.due(start, x.link, 30*ms, x.roll).Sub(start); got != x.want {
			t.Errorf("%s: due after %v, want %v", x.claim, got, x.want)
		}
	}
}

func TestNothingIsEarlyNorOvertakes(t *testing.T) { // G1, G2
	rapid.Check(t, func(t *rapid.T) {
		var p pace
		now, last := time.Unix(1_000, 0), time.Time{}
		for range rapid.IntRange(1, 30).Draw(t, "chunks") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "later")))
			link := Link{Delay: time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "delay")), Loss: rapid.Float64Range(0, 1).Draw(t, "loss")}
			due := p.due(now, link, 0, rapid.Float64Range(0, 0.99).Draw(t, "roll"))
			if due.Before(now.Add(link.Delay)) || due.Before(last) {
				t.Fatalf("due %v, want at least %v after %v, and %v", due, link.Delay, now, last)
			}
			last = due
		}
	})
}
